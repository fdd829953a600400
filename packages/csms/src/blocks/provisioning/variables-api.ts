import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Kysely } from "kysely";
import { type Static, Type } from "typebox";
import { decodeCursor, PageOf, PageQuery, pageOfRows } from "../../api/paging.ts";
import { notFound } from "../../api/problem.ts";
import type { StationDirectory } from "./station-directory.ts";
import { positionOf, readVariables, type StoredVariable } from "./variable-store.ts";

const AttributeSchema = Type.Enum(["Actual", "Target", "MinSet", "MaxSet"]);
const text = (description?: string) => Type.Optional(Type.String(description === undefined ? {} : { description }));
const integer = () => Type.Optional(Type.Integer());

const VariableSchema = Type.Object({
  component: Type.String({
    description: "Component of the 2.x device model; `Configuration` holds keys that only OCPP 1.x has",
  }),
  componentInstance: text(),
  evseId: integer(),
  connectorId: integer(),
  variable: Type.String(),
  variableInstance: text(),
  attribute: AttributeSchema,
  value: text("Absent when the station tells none, and for secrets"),
  mutability: Type.Optional(Type.Enum(["ReadOnly", "WriteOnly", "ReadWrite"])),
  persistent: Type.Optional(Type.Boolean()),
  constant: Type.Optional(Type.Boolean()),
  characteristics: Type.Optional(
    Type.Object({
      dataType: Type.Enum([
        "string",
        "decimal",
        "integer",
        "dateTime",
        "boolean",
        "OptionList",
        "SequenceList",
        "MemberList",
      ]),
      unit: text(),
      minLimit: Type.Optional(Type.Number()),
      maxLimit: Type.Optional(Type.Number()),
      maxElements: integer(),
      valuesList: text(),
      supportsMonitoring: Type.Boolean(),
    }),
  ),
  reportedAt: Type.String({ format: "date-time", description: "When the station told it" }),
});

const Params = Type.Object({ stationId: Type.String({ minLength: 1, maxLength: 128 }) });
const ListQuery = Type.Object({
  ...PageQuery.properties,
  component: text(),
  variable: text(),
  evseId: Type.Optional(Type.Integer({ minimum: 0, description: "0 for variables that belong to no EVSE" })),
  attribute: Type.Optional(AttributeSchema),
  search: Type.Optional(Type.String({ maxLength: 200, description: "Part of a component's or variable's name" })),
});

/** The route of stations' variables. */
export function variableRoutes(database: Kysely<unknown>, directory: StationDirectory): FastifyPluginAsyncTypebox {
  return async (server) => {
    server.get(
      "/stations/:stationId/variables",
      {
        schema: {
          tags: ["stations"],
          summary: "List the variables of a station",
          description:
            "As the station told them after its last boot and since; configuration keys of OCPP 1.x are variables. " +
            "The commands setVariables and getVariables reach the station itself.",
          params: Params,
          querystring: ListQuery,
          response: { 200: PageOf(VariableSchema) },
        },
      },
      async ({ params: { stationId }, query }) => {
        if (directory.find(stationId) === undefined) throw notFound("station", stationId);
        const after =
          query.cursor === undefined
            ? undefined
            : decodeCursor(query.cursor, ["string", "string", "number", "number", "string", "string", "string"]);
        const stored = await readVariables(database, stationId, query, { limit: query.limit + 1, after });
        return pageOfRows(stored, query.limit, presentation, positionOf);
      },
    );
  };
}

function presentation({ reportedAt, ...variable }: StoredVariable): Static<typeof VariableSchema> {
  return { ...variable, reportedAt: reportedAt.toISOString() } as Static<typeof VariableSchema>;
}

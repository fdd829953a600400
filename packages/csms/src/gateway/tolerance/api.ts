import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Kysely } from "kysely";
import { Type } from "typebox";
import { decodeCursor, PageOf, PageQuery, pageOfRows } from "../../api/paging.ts";
import { notFound } from "../../api/problem.ts";
import type { GroupCommit } from "../../database/write-unit.ts";
import type { KnownStations } from "../known-stations.ts";
import { namedDeviations, toleranceRules } from "./catalogue.ts";
import { deleteDeviations, readDeviatingStations, readDeviations, sumDeviations } from "./deviation-store.ts";
import type { DeviationWatch } from "./deviation-watch.ts";

/** What the routes about deviations work with. */
export interface DeviationApiDeps {
  readonly database: Kysely<unknown>;
  readonly groupCommit: GroupCommit;
  readonly stations: KnownStations;
  readonly deviations: Pick<DeviationWatch, "rules" | "settings" | "record">;
}

const StationParams = Type.Object({ stationId: Type.String({ minLength: 1, description: "Identity of the station" }) });
const RuleName = Type.Enum(
  toleranceRules.map(({ name }) => name),
  { description: "Name of a rule that can be switched" },
);
const Enabled = Type.Boolean({ description: "Whether the deviation is tolerated" });

const NamedDeviation = Type.Object({
  name: Type.String({ description: "The same in the API, the metrics and the log" }),
  kind: Type.Enum(["tolerance", "rejection"], {
    description: "`tolerance` passes where it is enabled, `rejection` never does",
  }),
  description: Type.String(),
  enabledByDefault: Type.Boolean(),
  switchable: Type.Boolean({ description: "Whether it can be decided for stations and models" }),
  appliesFrom: Type.Enum(["message", "connection"], {
    description: "From when on a decision counts: the station's next message, or its next connection",
  }),
});

const StationRule = Type.Object({
  rule: Type.String(),
  description: Type.String(),
  enabled: Enabled,
  decidedFor: Type.Enum(["station", "model", "default"], {
    description: "What the decision was made for; `default` when nobody has decided",
  }),
});

const Pattern = Type.String({
  minLength: 1,
  maxLength: 100,
  description: "As BootNotification tells it; `*` stands for any text, and case does not count",
});
const ModelRule = Type.Object({ vendorName: Pattern, model: Pattern, rule: Type.String(), enabled: Enabled });

const Times = {
  occurrences: Type.Integer({ description: "How often it was shown" }),
  firstAt: Type.String({ format: "date-time" }),
  lastAt: Type.String({ format: "date-time" }),
};
const ShownDeviation = Type.Object({
  deviation: Type.String(),
  kind: Type.Enum(["tolerance", "rejection"]),
  description: Type.String(),
  enabled: Type.Boolean({ description: "Whether it is tolerated of the station now" }),
  ...Times,
  example: Type.Union(
    [
      Type.Object({
        at: Type.String({ format: "date-time" }),
        version: Type.String(),
        action: Type.String({ description: "Empty where it cannot be known" }),
        text: Type.String({ description: "Payload, frame or envelope without its secrets, at most 2,000 characters" }),
      }),
      Type.Null(),
    ],
    { description: "One of the last minutes before `lastAt`" },
  ),
});
const DeviationSum = Type.Object({
  deviation: Type.String(),
  kind: Type.Enum(["tolerance", "rejection"]),
  stations: Type.Integer({ description: "How many stations have shown it" }),
  occurrences: Times.occurrences,
  lastAt: Times.lastAt,
});
const DeviatingStation = Type.Object({ stationId: Type.String(), ...Times });

/** Routes to see which deviations there are and who shows them, and to decide which are tolerated. */
export function deviationRoutes(deps: DeviationApiDeps): FastifyPluginAsyncTypebox {
  return async (server) => {
    await server.register(catalogueRoutes(deps));
    await server.register(stationRuleRoutes(deps));
    await server.register(modelRuleRoutes(deps));
    await server.register(shownRoutes(deps));
  };
}

/** @throws ProblemError 404 */
function requireStation(stations: KnownStations, stationId: string): void {
  if (stations.find(stationId) === undefined) throw notFound("station", stationId);
}

const tags = ["deviations"];

function catalogueRoutes({ database, deviations }: DeviationApiDeps): FastifyPluginAsyncTypebox {
  return async (server) => {
    server.get(
      "/tolerance-rules",
      {
        schema: {
          tags,
          summary: "List every deviation that has a name",
          description: "Tolerance rules first, in the order in which they are applied, then what is always refused.",
          response: { 200: PageOf(NamedDeviation) },
        },
      },
      async () => ({
        items: [...namedDeviations.values()].map(({ isDefault, isSwitchable, ...rest }) => ({
          ...rest,
          enabledByDefault: isDefault,
          switchable: isSwitchable,
        })),
        nextCursor: null,
      }),
    );
    server.get(
      "/deviations",
      {
        schema: {
          tags,
          summary: "List the deviations that stations have shown, those of most stations first",
          response: { 200: PageOf(DeviationSum) },
        },
      },
      async () => {
        await deviations.record.flush();
        const sums = await sumDeviations(database);
        return {
          items: sums.map(({ lastAt, ...sum }) => ({
            ...sum,
            kind: kindOf(sum.deviation),
            lastAt: lastAt.toISOString(),
          })),
          nextCursor: null,
        };
      },
    );
    server.get(
      "/deviations/:deviation/stations",
      {
        schema: {
          tags,
          summary: "List the stations that have shown a deviation",
          params: Type.Object({ deviation: Type.Enum([...namedDeviations.keys()]) }),
          querystring: PageQuery,
          response: { 200: PageOf(DeviatingStation) },
        },
      },
      async ({ params, query: { limit, cursor } }) => {
        const after = cursor === undefined ? "" : decodeCursor(cursor, ["string"])[0];
        await deviations.record.flush();
        const rows = await readDeviatingStations(database, params.deviation, { after, limit: limit + 1 });
        return pageOfRows(
          rows,
          limit,
          ({ firstAt, lastAt, ...row }) => ({
            ...row,
            firstAt: firstAt.toISOString(),
            lastAt: lastAt.toISOString(),
          }),
          ({ stationId }) => [stationId],
        );
      },
    );
  };
}

function stationRuleRoutes({ stations, deviations }: DeviationApiDeps): FastifyPluginAsyncTypebox {
  const params = Type.Object({ ...StationParams.properties, rule: RuleName });
  return async (server) => {
    server.get(
      "/stations/:stationId/tolerances",
      {
        schema: {
          tags,
          summary: "List the deviations that can be tolerated of a station, and whether they are",
          params: StationParams,
          response: { 200: PageOf(StationRule) },
        },
      },
      async ({ params: { stationId } }) => {
        requireStation(stations, stationId);
        return { items: [...deviations.rules.of(stationId)], nextCursor: null };
      },
    );
    server.put(
      "/stations/:stationId/tolerances/:rule",
      {
        schema: {
          tags,
          summary: "Decide whether a deviation is tolerated of a station",
          description: "Counts before what was decided for its model, from the next message on.",
          params,
          body: Type.Object({ enabled: Enabled }, { additionalProperties: false }),
          response: { 204: Type.Null() },
        },
      },
      async (request, reply) => {
        const { stationId, rule } = request.params;
        requireStation(stations, stationId);
        request.auditDetail = { rule, enabled: request.body.enabled };
        await deviations.settings.decide(stationId, rule, request.body.enabled);
        return await reply.code(204).send(null);
      },
    );
    server.delete(
      "/stations/:stationId/tolerances/:rule",
      {
        schema: {
          tags,
          summary: "Take back what was decided about a deviation of a station",
          params,
          response: { 204: Type.Null() },
        },
      },
      async (request, reply) => {
        const { stationId, rule } = request.params;
        requireStation(stations, stationId);
        request.auditDetail = { rule };
        await deviations.settings.decide(stationId, rule, undefined);
        return await reply.code(204).send(null);
      },
    );
  };
}

function modelRuleRoutes({ deviations }: DeviationApiDeps): FastifyPluginAsyncTypebox {
  const params = Type.Object({ rule: RuleName });
  return async (server) => {
    server.get(
      "/model-tolerances",
      {
        schema: {
          tags,
          summary: "List what was decided about deviations of whole models",
          response: { 200: PageOf(ModelRule) },
        },
      },
      async () => ({ items: [...deviations.rules.models.all()], nextCursor: null }),
    );
    server.put(
      "/model-tolerances/:rule",
      {
        schema: {
          tags,
          summary: "Decide whether a deviation is tolerated of the stations of a model",
          description:
            "Counts from the next message on, also of stations that come later, unless something else was decided " +
            "for the station. Of several patterns that fit, the one with most characters besides asterisks counts.",
          params,
          body: Type.Object({ vendorName: Pattern, model: Pattern, enabled: Enabled }, { additionalProperties: false }),
          response: { 204: Type.Null() },
        },
      },
      async (request, reply) => {
        const decision = { rule: request.params.rule, ...request.body };
        request.auditDetail = decision;
        await deviations.settings.decideModel(decision);
        return await reply.code(204).send(null);
      },
    );
    server.delete(
      "/model-tolerances/:rule",
      {
        schema: {
          tags,
          summary: "Take back what was decided about a deviation of a model",
          params,
          querystring: Type.Object({ vendorName: Pattern, model: Pattern }),
          response: { 204: Type.Null() },
        },
      },
      async (request, reply) => {
        const decision = { rule: request.params.rule, ...request.query };
        request.auditDetail = decision;
        await deviations.settings.forgetModel(decision);
        return await reply.code(204).send(null);
      },
    );
  };
}

function shownRoutes(deps: DeviationApiDeps): FastifyPluginAsyncTypebox {
  const { stations, database, deviations, groupCommit } = deps;
  return async (server) => {
    server.get(
      "/stations/:stationId/deviations",
      {
        schema: {
          tags,
          summary: "List the deviations that a station has shown, the latest first",
          params: StationParams,
          response: { 200: PageOf(ShownDeviation) },
        },
      },
      async ({ params: { stationId } }) => {
        requireStation(stations, stationId);
        await deviations.record.flush();
        const shown = await readDeviations(database, stationId);
        return {
          items: shown.map((row) => ({
            deviation: row.deviation,
            kind: kindOf(row.deviation),
            description: namedDeviations.get(row.deviation)?.description ?? "",
            enabled: kindOf(row.deviation) === "tolerance" && deviations.rules.isTolerated(stationId, row.deviation),
            occurrences: row.occurrences,
            firstAt: row.firstAt.toISOString(),
            lastAt: row.lastAt.toISOString(),
            example:
              row.example === null || row.exampleAt === null
                ? null
                : {
                    at: row.exampleAt.toISOString(),
                    version: row.exampleVersion ?? "",
                    action: row.exampleAction ?? "",
                    text: row.example,
                  },
          })),
          nextCursor: null,
        };
      },
    );
    server.delete(
      "/stations/:stationId/deviations",
      {
        schema: {
          tags,
          summary: "Forget the deviations that a station has shown, as after a change of its firmware",
          params: StationParams,
          response: { 204: Type.Null() },
        },
      },
      async ({ params: { stationId } }, reply) => {
        requireStation(stations, stationId);
        // What is being written must not come after.
        await deviations.record.flush();
        deviations.record.forget(stationId);
        await groupCommit.unit().add(deleteDeviations, { station_id: stationId }).commit();
        return await reply.code(204).send(null);
      },
    );
  };
}

/** A name that an earlier version counted by passes for a tolerance. */
const kindOf = (deviation: string) => namedDeviations.get(deviation)?.kind ?? "tolerance";

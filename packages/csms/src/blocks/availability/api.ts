import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Kysely } from "kysely";
import { type Static, Type } from "typebox";
import { decodeCursor, PageOf, PageQuery, pageOfRows } from "../../api/paging.ts";
import { notFound } from "../../api/problem.ts";
import type { ConnectorState } from "./connector-status.ts";
import type { AvailabilityService } from "./service.ts";
import { readChanges } from "./store.ts";

const time = (description: string) => Type.String({ format: "date-time", description });
const StateProperties = {
  status: Type.Enum(["Available", "Occupied", "Reserved", "Unavailable", "Faulted"], {
    description: "ConnectorStatusEnum of 2.1",
  }),
  detail: Type.Optional(Type.String({ description: "The status in words of 1.6, where the station uses them" })),
  errorCode: Type.Optional(Type.String({ description: "Absent when there is no error" })),
  info: Type.Optional(Type.String()),
  vendorId: Type.Optional(Type.String()),
  vendorErrorCode: Type.Optional(Type.String()),
  since: time("By the station's clock where it can be right, else by ours"),
  receivedAt: time("When we heard of it"),
};
const StateSchema = Type.Object(StateProperties);
const ConnectorSchema = Type.Object({ connectorId: Type.Integer(), ...StateProperties });
const EvseSchema = Type.Object({
  evseId: Type.Integer(),
  state: Type.Optional(
    Type.Object(StateProperties, { description: "The EVSE's own state, where the station tells it" }),
  ),
  connectors: Type.Array(ConnectorSchema),
});
const EvsesSchema = Type.Object({
  station: Type.Optional(StateSchema),
  evses: Type.Array(EvseSchema),
});
const ChangeSchema = Type.Object({ evseId: Type.Integer(), connectorId: Type.Integer(), ...StateProperties });

const Params = Type.Object({ stationId: Type.String({ minLength: 1, maxLength: 128 }) });
const ChangesQuery = Type.Object({
  ...PageQuery.properties,
  evseId: Type.Optional(Type.Integer({ minimum: 0 })),
  connectorId: Type.Optional(Type.Integer({ minimum: 0 })),
});

/** Routes that show the state of a station's EVSEs and connectors. */
export function availabilityRoutes(
  service: AvailabilityService,
  database: Kysely<unknown>,
  isStation: (stationId: string) => boolean,
): FastifyPluginAsyncTypebox {
  const tags = ["stations"];
  const check = (stationId: string) => {
    if (!isStation(stationId)) throw notFound("station", stationId);
  };

  return async (server) => {
    server.get(
      "/stations/:stationId/evses",
      {
        schema: {
          tags,
          summary: "Read the state of a station, its EVSEs and their connectors",
          params: Params,
          response: { 200: EvsesSchema },
        },
      },
      async ({ params }) => {
        check(params.stationId);
        return evsesOf(service.states(params.stationId));
      },
    );

    server.get(
      "/stations/:stationId/status-changes",
      {
        schema: {
          tags,
          summary: "List the last changes of a station's connectors, newest first",
          params: Params,
          querystring: ChangesQuery,
          response: { 200: PageOf(ChangeSchema) },
        },
      },
      async ({ params, query }) => {
        check(params.stationId);
        const before = query.cursor === undefined ? undefined : positionOf(query.cursor);
        const states = await readChanges(database, params.stationId, query, { limit: query.limit + 1, before });
        return pageOfRows(
          states,
          query.limit,
          (state) => ({ evseId: state.evseId, connectorId: state.connectorId, ...stateOf(state) }),
          (state) => [state.receivedAt.getTime(), state.evseId, state.connectorId, state.changes],
        );
      },
    );
  };
}

function positionOf(cursor: string) {
  const [receivedMs, evseId, connectorId, change] = decodeCursor(cursor, ["number", "number", "number", "number"]);
  return { receivedAt: new Date(receivedMs), evseId, connectorId, change };
}

function stateOf(state: ConnectorState): Static<typeof StateSchema> {
  const { status, detail, errorCode, info, vendorId, vendorErrorCode } = state;
  return {
    status,
    ...(detail === undefined ? {} : { detail }),
    ...(errorCode === undefined ? {} : { errorCode }),
    ...(info === undefined ? {} : { info }),
    ...(vendorId === undefined ? {} : { vendorId }),
    ...(vendorErrorCode === undefined ? {} : { vendorErrorCode }),
    since: state.since.toISOString(),
    receivedAt: state.receivedAt.toISOString(),
  };
}

function evsesOf(states: readonly ConnectorState[]): Static<typeof EvsesSchema> {
  const evses = new Map<number, Static<typeof EvseSchema>>();
  let station: ConnectorState | undefined;
  for (const state of states) {
    const { evseId, connectorId } = state;
    if (evseId === 0) {
      station = state;
      continue;
    }
    const evse = evses.get(evseId) ?? { evseId, connectors: [] };
    if (connectorId === 0) evse.state = stateOf(state);
    else evse.connectors.push({ connectorId, ...stateOf(state) });
    evses.set(evseId, evse);
  }
  return { ...(station === undefined ? {} : { station: stateOf(station) }), evses: [...evses.values()] };
}

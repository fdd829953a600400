import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Kysely } from "kysely";
import { Type } from "typebox";
import { decodeCursor, PageOf, PageQuery, pageOfRows } from "../../api/paging.ts";
import type { GroupCommit } from "../../database/write-unit.ts";
import type { KnownStations } from "../known-stations.ts";
import { requireStation, StationParams } from "../station-params.ts";
import { namedDeviations } from "./catalogue.ts";
import { deleteDeviations, readDeviatingStations, readDeviations, sumDeviations } from "./deviation-store.ts";
import type { DeviationWatch } from "./deviation-watch.ts";

/** What the routes about deviations work with. */
export interface DeviationApiDeps {
  readonly database: Kysely<unknown>;
  readonly groupCommit: GroupCommit;
  readonly stations: KnownStations;
  readonly deviations: Pick<DeviationWatch, "rules" | "settings" | "record">;
}

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

const tags = ["deviations"];

/** Routes that list the deviations that have names. */
export function catalogueRoutes(): FastifyPluginAsyncTypebox {
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
  };
}

/** Routes that list which deviations stations have shown, and which stations. */
export function sumRoutes({ database, deviations }: DeviationApiDeps): FastifyPluginAsyncTypebox {
  return async (server) => {
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

/** Routes that show the deviations of one station, and forget them. */
export function shownRoutes(deps: DeviationApiDeps): FastifyPluginAsyncTypebox {
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

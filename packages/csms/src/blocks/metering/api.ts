import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Kysely } from "kysely";
import { type Static, Type } from "typebox";
import { decodeCursor, PageOf, PageQuery, pageOfRows } from "../../api/paging.ts";
import { type SeriesSummary, summariseMeterValues } from "./series-summaries.ts";
import { readMeterValues, type StoredMeterValue } from "./store.ts";

const time = (description: string) => Type.String({ format: "date-time", description });

const SampleSchema = Type.Object({
  measurand: Type.String({ description: "MeasurandEnum of 2.1; what a station adds is kept" }),
  unit: Type.String({ description: "Base unit: Wh, W, A, V, …; empty when unknown" }),
  context: Type.String(),
  location: Type.String(),
  phase: Type.Optional(Type.String()),
  value: Type.Optional(Type.Number()),
  raw: Type.Optional(Type.String({ description: "What the station sent instead of a number" })),
  signedMeterValue: Type.Optional(
    Type.Object({
      signedMeterData: Type.String(),
      signingMethod: Type.Optional(Type.String()),
      encodingMethod: Type.Optional(Type.String()),
      publicKey: Type.Optional(Type.String()),
    }),
  ),
});

/** A meter value as the API shows it. */
export const meterValueSchema = Type.Object({
  timestamp: time("By the station's clock"),
  receivedAt: time("When it reached us"),
  evseId: Type.Optional(Type.Integer({ description: "0: the meter of the whole station" })),
  connectorId: Type.Optional(Type.Integer()),
  transaction: Type.Optional(Type.String({ description: "The `id` of the transaction it belongs to" })),
  sampledValue: Type.Array(SampleSchema),
});

/** A summary of a series as the API shows it. */
export const summarySchema = Type.Object({
  measurand: Type.String(),
  unit: Type.String(),
  location: Type.String(),
  phase: Type.Optional(Type.String()),
  from: time("Begin of the span; the first value where there is no span"),
  count: Type.Integer(),
  minimum: Type.Number(),
  maximum: Type.Number(),
  mean: Type.Number(),
  first: Type.Number(),
  last: Type.Number(),
  lastAt: time("Time of the last value"),
});

const Filter = Type.Object({
  stationId: Type.String({ minLength: 1, maxLength: 128 }),
  evseId: Type.Optional(Type.Integer({ minimum: 0 })),
  measurand: Type.Optional(Type.String({ maxLength: 64 })),
  from: Type.Optional(time("First moment")),
  to: Type.Optional(time("Last moment")),
});

const ListQuery = Type.Object({ ...PageQuery.properties, ...Filter.properties });
const SummaryQuery = Type.Object({
  ...Filter.properties,
  bucketS: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 31_536_000, description: "Length of a span in seconds; absent: one for all" }),
  ),
});

/** A stored value in the words of the API. */
export function toMeterValueJson(value: StoredMeterValue): Static<typeof meterValueSchema> {
  const { evseId, connectorId, transaction } = value;
  return {
    timestamp: new Date(value.atMs).toISOString(),
    receivedAt: value.receivedAt.toISOString(),
    ...(evseId === undefined ? {} : { evseId }),
    ...(connectorId === undefined ? {} : { connectorId }),
    ...(transaction === undefined ? {} : { transaction }),
    sampledValue: value.samples.map((sample) => ({ ...sample })),
  };
}

/** A summary in the words of the API. */
export function toSummaryJson(summary: SeriesSummary): Static<typeof summarySchema> {
  const { fromMs, lastAtMs, phase, ...rest } = summary;
  return {
    ...rest,
    ...(phase === undefined ? {} : { phase }),
    from: new Date(fromMs).toISOString(),
    lastAt: new Date(lastAtMs).toISOString(),
  };
}

function filterOf(query: Static<typeof Filter>) {
  return {
    stationId: query.stationId,
    evseId: query.evseId,
    measurand: query.measurand,
    fromMs: query.from === undefined ? undefined : Date.parse(query.from),
    toMs: query.to === undefined ? undefined : Date.parse(query.to),
  };
}

/** Routes that show meter values, inside and outside of transactions. */
export function meteringRoutes(database: Kysely<unknown>): FastifyPluginAsyncTypebox {
  const tags = ["Metering"];
  return async (server) => {
    server.get(
      "/meter-values",
      {
        schema: {
          tags,
          summary: "List a station's meter values in order of time",
          querystring: ListQuery,
          response: { 200: PageOf(meterValueSchema) },
        },
      },
      async ({ query }) => {
        const [atMs, key] = query.cursor === undefined ? [] : decodeCursor(query.cursor, ["number", "string"]);
        const after = atMs === undefined || key === undefined ? undefined : { atMs, key };
        const values = await readMeterValues(database, filterOf(query), { limit: query.limit + 1, after });
        return pageOfRows(values, query.limit, toMeterValueJson, (value) => [value.atMs, value.key]);
      },
    );

    server.get(
      "/meter-values/summary",
      {
        schema: {
          tags,
          summary: "Summarise a station's meter values by series and span of time",
          querystring: SummaryQuery,
          response: { 200: Type.Object({ items: Type.Array(summarySchema) }) },
        },
      },
      async ({ query }) => {
        const bucketMs = query.bucketS === undefined ? undefined : query.bucketS * 1000;
        const summaries = await summariseMeterValues(database, filterOf(query), bucketMs);
        return { items: summaries.map(toSummaryJson) };
      },
    );
  };
}

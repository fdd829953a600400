import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Kysely } from "kysely";
import { type Static, Type } from "typebox";
import { decodeCursor, PageOf, PageQuery, pageOfRows } from "../../../api/paging.ts";
import { invalid } from "../../../api/problem.ts";
import { type SummaryGrouping, sumTransactions, type TransactionSum } from "./transaction-summary.ts";

const time = (description: string) => Type.String({ format: "date-time", description });

const SumSchema = Type.Object({
  from: Type.Optional(time("Begin of the day or month; absent when all time is summed up")),
  stationId: Type.Optional(Type.String({ description: "Absent when all stations are summed up" })),
  transactions: Type.Integer({ description: "Transactions that began within the time" }),
  running: Type.Integer({ description: "How many of them still run: their energy is what it is by now" }),
  energyWh: Type.Number({ description: "Imported energy of all of them, from begin to end" }),
  exportedEnergyWh: Type.Number(),
});

const groupings = ["day", "month", "station", "day,station", "month,station"] as const;

const Query = Type.Object({
  ...PageQuery.properties,
  from: time("First event at or after"),
  to: time("First event before"),
  stationId: Type.Optional(Type.String({ maxLength: 128 })),
  by: Type.Optional(Type.Enum([...groupings], { description: "One sum for each; absent: one for all" })),
  timeZone: Type.String({ maxLength: 64, default: "UTC", description: "Where days begin, for example Europe/Berlin" }),
});

function groupingOf({ by, timeZone }: Pick<Static<typeof Query>, "by" | "timeZone">): SummaryGrouping {
  const span = by?.startsWith("day") ? "day" : by?.startsWith("month") ? "month" : undefined;
  return { span, byStation: by?.endsWith("station") ?? false, timeZone: knownTimeZone(timeZone) };
}

function knownTimeZone(name: string): string {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return name;
  } catch {
    throw invalid([{ in: "query", field: "/timeZone", rule: "time-zone", message: "is not the name of a time zone" }]);
  }
}

function sumJson(sum: TransactionSum, grouping: SummaryGrouping): Static<typeof SumSchema> {
  const { span, stationId, ...sums } = sum;
  return {
    ...(grouping.span === undefined ? {} : { from: span.toISOString() }),
    ...(grouping.byStation ? { stationId } : {}),
    ...sums,
  };
}

/** The route that sums up transactions. */
export function summaryRoutes(database: Kysely<unknown>): FastifyPluginAsyncTypebox {
  return async (server) => {
    server.get(
      "/transactions/summary",
      {
        schema: {
          tags: ["Transactions"],
          summary: "Sum up transactions and their energy by time and station",
          description: "A transaction counts as a whole for the day or month in which it began.",
          querystring: Query,
          response: { 200: PageOf(SumSchema) },
        },
      },
      async ({ query }) => {
        const { limit, cursor, from, to, stationId } = query;
        const grouping = groupingOf(query);
        const [spanMs, station] = cursor === undefined ? [] : decodeCursor(cursor, ["number", "string"]);
        const after = spanMs === undefined || station === undefined ? undefined : { spanMs, stationId: station };
        const filter = { from: new Date(from), before: new Date(to), stationId };
        const sums = await sumTransactions(database, filter, grouping, { limit: limit + 1, after });
        return pageOfRows(
          sums,
          limit,
          (sum) => sumJson(sum, grouping),
          (sum) => [sum.span.getTime(), sum.stationId],
        );
      },
    );
  };
}

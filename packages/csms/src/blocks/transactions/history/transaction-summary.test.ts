import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import fc from "fast-check";
import { sql } from "kysely";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { connectDatabase, type Database } from "../../../database/connection.ts";
import { migrateDatabase } from "../../../database/migrate.ts";
import { migrations } from "../index.ts";
import {
  type SummaryFilter,
  type SummaryGrouping,
  sumTransactions,
  type TransactionSum,
} from "./transaction-summary.ts";

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  database = await connectDatabase({ url: testDatabase.url, log: pino({ level: "silent" }) });
  await migrateDatabase(database.kysely, migrations);
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

interface Session {
  readonly atMs: number;
  readonly stationId: string;
  readonly isOpen: boolean;
  readonly milliWh: number;
}

async function replaceAll(sessions: readonly Session[]): Promise<void> {
  await sql`delete from charging_transaction`.execute(database.kysely);
  const rows = sessions.map(({ atMs, milliWh, ...rest }) => ({
    ...rest,
    at: new Date(atMs).toISOString().replace(/^\+0*/, ""),
    milli_wh: milliWh,
  }));
  await sql`
    insert into charging_transaction (id, station_id, transaction_id, generation, status, first_at, received_at, state,
      updated_at, last_at, imported_milliwatt_hours, exported_milliwatt_hours, progress)
    select gen_random_uuid(), "stationId", gen_random_uuid(), 1, case when "isOpen" then 'Open' else 'Ended' end,
      at, at, '{}', at, at, case when not "isOpen" then milli_wh end, null,
      json_build_object('imported', json_build_object('milliWh', milli_wh))
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as row ("stationId" text, "isOpen" boolean, at timestamptz, milli_wh bigint)`.execute(database.kysely);
}

/** The sums as PostgreSQL forms them from each transaction's own day or month. */
async function plainly(filter: SummaryFilter, { span, byStation, timeZone }: SummaryGrouping) {
  const { rows } = await sql<{ span: Date; station_id: string; count: number; running: number; wh: number }>`
    select ${span === undefined ? sql`${filter.from}::timestamptz` : sql`date_trunc(${span}, first_at, ${timeZone})`} as span,
      ${byStation ? sql`station_id` : sql`''::text`} as station_id, count(*)::int as count,
      (count(*) filter (where status = 'Open'))::int as running,
      sum((progress::json->'imported'->>'milliWh')::numeric)::double precision / 1000 as wh
    from charging_transaction where first_at >= ${filter.from} and first_at < ${filter.before}
    group by 1, 2 order by 1, 2`.execute(database.kysely);
  return rows.map(
    ({ span: begin, station_id, count, running, wh }): TransactionSum => ({
      ...{ span: begin, stationId: station_id, transactions: count, running, energyWh: wh, exportedEnergyWh: 0 },
    }),
  );
}

async function byPages(filter: SummaryFilter, grouping: SummaryGrouping, limit: number): Promise<TransactionSum[]> {
  const found: TransactionSum[] = [];
  for (;;) {
    const last = found.at(-1);
    const after = last && { spanMs: last.span.getTime(), stationId: last.stationId };
    const page = await sumTransactions(database.kysely, filter, grouping, { limit, after });
    found.push(...page);
    if (page.length < limit) return found;
  }
}

/** Moments at which clocks were set around midnight, and times of clocks that were never set. */
const TURNS = [
  ["Europe/Berlin", "2026-10-25T01:00:00Z"],
  ["Atlantic/Azores", "2026-10-25T01:00:00Z"],
  ["America/Havana", "2025-11-02T05:00:00Z"],
  ["America/St_Johns", "2010-11-07T02:31:00Z"],
  ["Antarctica/Casey", "2022-10-01T16:01:00Z"],
  ["Antarctica/Casey", "2023-03-08T16:00:00Z"],
  ["Australia/Lord_Howe", "2026-04-04T15:00:00Z"],
  ["Asia/Kathmandu", "2026-01-01T18:15:00Z"],
  ["Pacific/Apia", "2011-12-30T10:00:00Z"],
  ["Africa/Monrovia", "1970-01-01T00:44:30Z"],
  ["Europe/Amsterdam", "1900-01-01T00:00:00Z"],
  ["Asia/Tokyo", "2026-03-01T00:00:00Z"],
] as const;

const turn = fc.constantFrom(...TURNS);
const distanceMs = fc.oneof(
  fc.integer({ min: -3 * 86_400, max: 3 * 86_400 }).map((seconds) => seconds * 1_000),
  fc.integer({ min: -5_400, max: 5_400 }).map((seconds) => seconds * 1_000),
  fc.integer({ min: -60_000, max: 60_000 }),
  fc.integer({ min: -50, max: 50 }).map((days) => days * 86_400_000),
);
const session = fc.record({
  distanceMs,
  stationId: fc.constantFrom("A", "B", "C"),
  isOpen: fc.boolean(),
  milliWh: fc.nat(1_000_000_000),
});

it("sums are those of each transaction's own day or month, wherever clocks were set, in pages of any size", async () => {
  await fc.assert(
    fc.asyncProperty(
      turn,
      fc.array(session, { maxLength: 40 }),
      fc.constantFrom(undefined, "day" as const, "month" as const),
      fc.boolean(),
      fc.integer({ min: 1, max: 12 }),
      fc.tuple(distanceMs, distanceMs),
      async ([timeZone, at], sessions, span, byStation, limit, [begin, end]) => {
        const turnMs = Date.parse(at);
        await replaceAll(sessions.map(({ distanceMs: distance, ...rest }) => ({ ...rest, atMs: turnMs + distance })));
        const filter = {
          from: new Date(turnMs + Math.min(begin, end)),
          before: new Date(turnMs + Math.max(begin, end) + 1),
        };
        const grouping = { span, byStation, timeZone };
        const found = await byPages(filter, grouping, span === undefined && !byStation ? 12 : limit);
        expect(found).toEqual(await plainly(filter, grouping));
      },
    ),
    { numRuns: 150 },
  );
});

import { ManualClock, startTestDatabase, type TestDatabase } from "@polyphase/testing";
import fc from "fast-check";
import { sql } from "kysely";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { uuidV7 } from "../blocks/transactions/transaction/transaction-id.ts";
import { connectDatabase, type Database } from "./connection.ts";
import { maintainPartitions, type PartitionedTable, spanAt, startPartitionMaintenance } from "./partitions.ts";

const log = pino({ level: "silent" });
let testDatabase: TestDatabase;
let database: Database;

const plan: PartitionedTable = {
  table: "sample",
  column: "sampled_at",
  span: "day",
  retentionDays: 3,
  receivedColumn: "received_at",
};

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  database = await connectDatabase({ url: testDatabase.url, log });
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

beforeEach(async () => {
  await sql`drop table if exists sample`.execute(database.kysely);
  await sql`
    create table sample (
      id bigint generated always as identity,
      sampled_at timestamptz not null,
      received_at timestamptz not null,
      primary key (id, sampled_at)
    ) partition by range (sampled_at)`.execute(database.kysely);
});

async function insert(sampledAt: string, receivedAt = sampledAt): Promise<void> {
  await sql`insert into sample (sampled_at, received_at) values (${sampledAt}, ${receivedAt})`.execute(database.kysely);
}

async function placement(): Promise<Readonly<Record<string, string>>> {
  const { rows } = await sql<{ at: Date; place: string }>`
    select sampled_at as at, tableoid::regclass::text as place from sample order by sampled_at`.execute(
    database.kysely,
  );
  return Object.fromEntries(rows.map(({ at, place }) => [at.toISOString().slice(0, 10), place]));
}

test("what is too old is judged by a clock of its own, which need not follow a jump ahead", async () => {
  const clock = new ManualClock("2026-03-01T12:00:00Z");
  const retentionClock = new ManualClock("2026-03-01T12:00:00Z");
  const options = { database: database.kysely, tables: [plan], clock, retentionClock, log };
  const maintenance = await startPartitionMaintenance(options);
  await insert("2026-03-01T12:00:00Z");
  await insert("1970-01-01T00:00:00Z", "2026-03-01T12:00:00Z");
  clock.set("2056-03-01T12:00:00Z");
  await maintenance.round();
  expect(Object.keys(await placement())).toEqual(["1970-01-01", "2026-03-01"]);
  retentionClock.set("2026-03-10T12:00:00Z");
  await maintenance.round();
  expect(Object.keys(await placement())).toEqual([]);
  await maintenance.close();
});

test("partitions lie around the present, and odd times go to the default one", async () => {
  const changes = await maintainPartitions(database.kysely, plan, new Date("2026-03-01T12:00:00Z"));
  expect(changes.created).toEqual(["sample_p20260228", "sample_p20260301", "sample_p20260302", "sample_p20260303"]);
  await insert("2026-03-01T23:59:59.999Z");
  await insert("2026-03-02T00:00:00Z");
  await insert("1970-01-01T00:00:00Z");
  await insert("2099-01-01T00:00:00Z");
  expect(await placement()).toEqual({
    "1970-01-01": "sample_default",
    "2026-03-01": "sample_p20260301",
    "2026-03-02": "sample_p20260302",
    "2099-01-01": "sample_default",
  });
});

test("a second round changes nothing, also when several nodes do it at once", async () => {
  const now = new Date("2026-03-01T12:00:00Z");
  const rounds = await Promise.all([1, 2, 3].map(() => maintainPartitions(database.kysely, plan, now)));
  expect(rounds.map(({ created }) => created.length).sort()).toEqual([0, 0, 4]);
});

test("rows that came early move into their partition when it is made", async () => {
  await maintainPartitions(database.kysely, plan, new Date("2026-03-01T12:00:00Z"));
  await insert("2026-03-05T10:00:00Z", "2026-03-01T12:00:00Z");
  expect(await placement()).toEqual({ "2026-03-05": "sample_default" });
  await maintainPartitions(database.kysely, plan, new Date("2026-03-03T12:00:00Z"));
  expect(await placement()).toEqual({ "2026-03-05": "sample_p20260305" });
});

test("partitions beyond the retention are dropped; odd times age by their receipt", async () => {
  await maintainPartitions(database.kysely, plan, new Date("2026-03-01T12:00:00Z"));
  await insert("2026-03-01T10:00:00Z");
  await insert("2026-03-02T10:00:00Z");
  await insert("1970-01-01T00:00:00Z", "2026-03-01T10:00:00Z");
  await insert("1970-01-02T00:00:00Z", "2026-03-04T10:00:00Z");
  const changes = await maintainPartitions(database.kysely, plan, new Date("2026-03-05T00:00:00Z"));
  expect(changes.dropped).toEqual(["sample_p20260228", "sample_p20260301"]);
  expect(Object.keys(await placement())).toEqual(["1970-01-02", "2026-03-02"]);
});

test("a table can be partitioned by UUIDs of version 7, by the time they were made", async () => {
  await sql`drop table sample`.execute(database.kysely);
  await sql`create table sample (id uuid primary key) partition by range (id)`.execute(database.kysely);
  const { receivedColumn, ...rest } = plan;
  const byId: PartitionedTable = { ...rest, column: "id", columnType: "uuid-v7" };
  const add = async (at: string) => {
    const id = uuidV7({ now: () => new Date(at) })();
    const { rows } = await sql<{ place: string }>`
      insert into sample values (${id}) returning tableoid::regclass::text as place`.execute(database.kysely);
    return rows[0]?.place;
  };
  await maintainPartitions(database.kysely, byId, new Date("2026-03-01T12:00:00Z"));
  expect(await add("2026-02-28T23:59:59.999Z")).toBe("sample_p20260228");
  expect(await add("2026-03-01T00:00:00Z")).toBe("sample_p20260301");
  expect(await add("1970-01-01T00:00:00Z")).toBe("sample_default");
  const changes = await maintainPartitions(database.kysely, byId, new Date("2026-03-04T00:00:00Z"));
  expect(changes).toEqual({
    created: ["sample_p20260304", "sample_p20260305", "sample_p20260306"],
    dropped: ["sample_p20260228"],
  });
  const { rows } = await sql<{ count: number }>`select count(*)::int as count from sample`.execute(database.kysely);
  expect(rows).toEqual([{ count: 1 }]);
});

test("whoever reads for long holds up no writer while a partition waits to be dropped", async () => {
  await maintainPartitions(database.kysely, plan, new Date("2026-03-01T12:00:00Z"));
  const reader = await database.openClient();
  await reader.query("begin; select * from sample");
  const now = new Date("2026-03-05T12:00:00Z");
  const maintained = maintainPartitions(database.kysely, { ...plan, behind: 0, ahead: -1 }, now);
  const waiting = `select count(*)::int as count from pg_locks where locktype = 'relation' and not granted
    and database = (select oid from pg_database where datname = current_database())`;
  for (let seen = 0; seen < 2; ) {
    // The drop waits for its lock more than once, and each time lets writers pass that came after it.
    const { rows } = await reader.query<{ count: number }>(waiting);
    if (rows[0]?.count === 1) {
      await insert("2026-03-01T10:00:00Z");
      seen += 1;
    }
  }
  await reader.query("rollback");
  await reader.end();
  expect((await maintained).dropped).toEqual(["sample_p20260228", "sample_p20260301"]);
});

/** What is held or waited for of a table by others than the session that asks. */
const LOCKS = `select mode, granted from pg_locks where relation = to_regclass($1) and locktype = 'relation'
  and pid <> pg_backend_pid() and database = (select oid from pg_database where datname = current_database())`;

test("a vacuum of the expired partition is waited for without a lock of the table", async () => {
  await maintainPartitions(database.kysely, plan, new Date("2026-03-01T12:00:00Z"));
  const vacuum = await database.openClient();
  // What a vacuum holds; one that PostgreSQL began itself is broken off by whoever waits for this.
  await vacuum.query("begin; lock table sample_p20260228 in share update exclusive mode");
  const maintained = maintainPartitions(database.kysely, plan, new Date("2026-03-04T12:00:00Z"));
  for (let isWaiting = false; !isWaiting; ) {
    const { rows } = await vacuum.query<{ granted: boolean }>(LOCKS, ["sample_p20260228"]);
    isWaiting = rows.some(({ granted }) => !granted);
  }
  expect((await vacuum.query(LOCKS, ["sample"])).rows).toEqual([]);
  await vacuum.query("rollback");
  await vacuum.end();
  expect((await maintained).dropped).toEqual(["sample_p20260228"]);
});

test("who reads an expired partition by its name is not waited for while the table is locked", async () => {
  await maintainPartitions(database.kysely, plan, new Date("2026-03-01T12:00:00Z"));
  const reader = await database.openClient();
  await reader.query("begin; select * from sample_p20260228");
  const maintained = maintainPartitions(database.kysely, plan, new Date("2026-03-04T12:00:00Z"));
  const seen = new Set<boolean>();
  const quiet = sql<{ quiet: boolean }>`
    select reloptions @> '{autovacuum_enabled=off}' as quiet from pg_class where relname = 'sample_p20260228'`;
  for (let attempts = 0; attempts < 50 || !seen.has(true); attempts++) {
    const { rows } = await quiet.execute(database.kysely);
    seen.add(rows[0]?.quiet === true);
    // A lock of the partition is taken or refused, never waited for.
    const locks = await reader.query<{ granted: boolean }>(LOCKS, ["sample_p20260228"]);
    expect(locks.rows.filter(({ granted }) => !granted)).toEqual([]);
    await insert("2026-03-01T10:00:00Z");
  }
  await reader.query("rollback");
  await reader.end();
  expect((await maintained).dropped).toEqual(["sample_p20260228"]);
});

test("a partition that was detached before a crash is dropped by the next round, and only such", async () => {
  await maintainPartitions(database.kysely, plan, new Date("2026-03-01T12:00:00Z"));
  await sql`alter table sample detach partition sample_p20260228`.execute(database.kysely);
  await sql`alter table sample_p20260228 rename to sample_p20260228_expired`.execute(database.kysely);
  // Put aside by an operator.
  await sql`alter table sample detach partition sample_p20260302`.execute(database.kysely);
  await maintainPartitions(database.kysely, { ...plan, behind: 0, ahead: -1 }, new Date("2026-03-01T12:00:00Z"));
  const { rows } = await sql<{ name: string }>`
    select relname as name from pg_class where relkind = 'r' and starts_with(relname, 'sample') order by 1`.execute(
    database.kysely,
  );
  await sql`drop table sample_p20260302`.execute(database.kysely);
  expect(rows.map(({ name }) => name)).toEqual([
    "sample_default",
    "sample_p20260301",
    "sample_p20260302",
    "sample_p20260303",
  ]);
});

test("nodes that drop at once each go on when another was faster", async () => {
  const now = new Date("2026-03-01T12:00:00Z");
  await maintainPartitions(database.kysely, plan, now);
  const later = new Date("2026-03-05T12:00:00Z");
  const rounds = await Promise.all([1, 2, 3].map(() => maintainPartitions(database.kysely, plan, later)));
  expect(rounds.flatMap(({ dropped }) => dropped).sort()).toEqual(["sample_p20260228", "sample_p20260301"]);
});

test("a stop does not wait until a reader is done", async () => {
  const clock = new ManualClock("2026-03-01T12:00:00Z");
  const maintenance = await startPartitionMaintenance({ database: database.kysely, tables: [plan], clock, log });
  const reader = await database.openClient();
  await reader.query("begin; select * from sample");
  clock.set("2026-03-05T12:00:00Z");
  const round = maintenance.round();
  const ended = expect(round).rejects.toThrow(/abort/);
  await maintenance.close();
  await ended;
  await reader.query("rollback");
  await reader.end();
});

test("infinite retention keeps everything", async () => {
  await maintainPartitions(database.kysely, plan, new Date("2026-03-01T12:00:00Z"));
  const changes = await maintainPartitions(
    database.kysely,
    { ...plan, retentionDays: Number.POSITIVE_INFINITY },
    new Date("2036-03-01T12:00:00Z"),
  );
  expect(changes.dropped).toEqual([]);
});

test("months do not overlap the days of an earlier setting", async () => {
  await maintainPartitions(database.kysely, plan, new Date("2026-03-31T12:00:00Z"));
  const changes = await maintainPartitions(
    database.kysely,
    { ...plan, span: "month", retentionDays: 400 },
    new Date("2026-03-31T12:00:00Z"),
  );
  expect(changes.created).toEqual(["sample_p20260201", "sample_p20260501"]);
});

test("spans follow each other without gap and hold their moment", () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date("2000-01-01"), max: new Date("2100-01-01"), noInvalidDate: true }),
      fc.constantFrom("day" as const, "month" as const),
      fc.integer({ min: -40, max: 40 }),
      (now, span, distance) => {
        const own = spanAt(span, now, 0);
        expect(own.from <= now && now < own.to).toBe(true);
        expect(spanAt(span, now, distance).to).toEqual(spanAt(span, now, distance + 1).from);
      },
    ),
  );
});

test("maintenance runs at once, and fails loudly for a table that is not partitioned", async () => {
  const clock = new ManualClock("2026-03-01T12:00:00Z");
  const options = { database: database.kysely, clock, log };
  const maintenance = await startPartitionMaintenance({ ...options, tables: [plan] });
  await insert("2026-03-01T12:00:00Z");
  expect(await placement()).toEqual({ "2026-03-01": "sample_p20260301" });
  await maintenance.close();
  await sql`create table if not exists plain (sampled_at timestamptz)`.execute(database.kysely);
  await expect(startPartitionMaintenance({ ...options, tables: [{ ...plan, table: "plain" }] })).rejects.toThrow(
    /not partitioned/,
  );
});

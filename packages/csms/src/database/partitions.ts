import { setTimeout as delay } from "node:timers/promises";
import { type Kysely, type RawBuilder, sql } from "kysely";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";

/** A table that a migration made with `partition by range (<column>)`. */
export interface PartitionedTable {
  readonly table: string;
  /** The column it is partitioned by: a timestamptz, or UUIDs of version 7, which begin with their time. */
  readonly column: string;
  /** Default: timestamptz. */
  readonly columnType?: "timestamptz" | "uuid-v7";
  /** Span of one partition; in UTC. */
  readonly span: "day" | "month";
  /** Rows older than this are dropped, a partition at a time; Infinity keeps all. */
  readonly retentionDays: number;
  /** Spans before the present that get a partition too, for late rows. Default 1. */
  readonly behind?: number;
  /** Spans after the present that get a partition. Default 2. */
  readonly ahead?: number;
  /**
   * A column with our own time of receipt, by which rows in the default partition age: `column` may hold the
   * time of a station whose clock was wrong. Default: `column`.
   */
  readonly receivedColumn?: string;
}

interface Range {
  readonly from: Date;
  readonly to: Date;
}

interface Partition {
  readonly name: string;
  /** Undefined for the default partition. */
  readonly range: Range | undefined;
}

const DAY_MS = 86_400_000;

/** The span with the given distance from the one that holds `now`. */
export function spanAt(span: "day" | "month", now: Date, distance: number): Range {
  const year = now.getUTCFullYear();
  const month = now.getUTCMonth();
  if (span === "month") {
    return {
      from: new Date(Date.UTC(year, month + distance, 1)),
      to: new Date(Date.UTC(year, month + distance + 1, 1)),
    };
  }
  const day = now.getUTCDate() + distance;
  return { from: new Date(Date.UTC(year, month, day)), to: new Date(Date.UTC(year, month, day + 1)) };
}

/** The least UUID of version 7 that can have been made at a moment, which is within the years 1970 to 10889. */
export function leastUuidV7(at: Date): string {
  const hex = Math.max(at.getTime(), 0).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

function boundAt({ columnType }: PartitionedTable, at: Date): string {
  return columnType === "uuid-v7" ? leastUuidV7(at) : at.toISOString();
}

function momentOf({ columnType }: PartitionedTable, bound: string): Date {
  if (columnType !== "uuid-v7") return new Date(bound);
  return new Date(Number.parseInt(bound.slice(0, 13).replace("-", ""), 16));
}

/** A bound as a literal: partition bounds take no parameters. */
function literal(plan: PartitionedTable, at: Date): RawBuilder<unknown> {
  return sql.lit(boundAt(plan, at));
}

const BEGIN_OF_TIME = new Date(-8.64e15);

function partitionName(table: string, range: Range): string {
  return `${table}_p${range.from.toISOString().slice(0, 10).replaceAll("-", "")}`;
}

async function partitionsOf(database: Kysely<unknown>, plan: PartitionedTable): Promise<readonly Partition[]> {
  const { rows } = await sql<{ name: string; bound: string }>`
    select child.relname as name, pg_get_expr(child.relpartbound, child.oid) as bound
    from pg_inherits join pg_class child on child.oid = inhrelid
    where inhparent = to_regclass(${plan.table})
    order by child.relname`.execute(database);
  return rows.map(({ name, bound }) => {
    const [, from, to] = /FROM \((?:'([^']+)'|MINVALUE)\) TO \('([^']+)'\)/.exec(bound) ?? [];
    if (to === undefined) return { name, range: undefined };
    return { name, range: { from: from === undefined ? BEGIN_OF_TIME : momentOf(plan, from), to: momentOf(plan, to) } };
  });
}

async function createDefault(database: Kysely<unknown>, table: string): Promise<void> {
  await sql`create table if not exists ${sql.table(defaultName(table))} partition of ${sql.table(table)} default`.execute(
    database,
  );
}

function defaultName(table: string): string {
  return `${table}_default`;
}

/** Longest wait for a lock of a table: whoever comes after has to wait behind it. */
const TABLE_LOCK_TIMEOUT_MS = 100;

/** Pauses between attempts to get the locks of one step: together longer than a statement of a reader may take. */
const PAUSES_MS = [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000, 5_000, 5_000, 5_000];

const LOCK_NOT_AVAILABLE = "55P03";
const DEADLOCK_DETECTED = "40P01";

function isContention(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === LOCK_NOT_AVAILABLE || code === DEADLOCK_DETECTED;
}

/**
 * Carries out one change of a table's partitions in a transaction of its own, after those of other nodes. It gives up
 * soon when somebody reads the table, so that writers never queue up behind it, and is tried again.
 */
async function step<Result>(
  database: Kysely<unknown>,
  { table }: PartitionedTable,
  change: (transaction: Kysely<unknown>) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await database.transaction().execute(async (transaction) => {
        await sql`set local lock_timeout = '10s'`.execute(transaction);
        await sql`select pg_advisory_xact_lock(hashtextextended(${`partitions of ${table}`}, 0))`.execute(transaction);
        await sql`set local lock_timeout = ${sql.lit(TABLE_LOCK_TIMEOUT_MS)}`.execute(transaction);
        return await change(transaction);
      });
    } catch (error) {
      const pauseMs = PAUSES_MS[attempt];
      if (pauseMs === undefined || !isContention(error)) throw error;
      await delay(pauseMs);
    }
  }
}

/**
 * Adds a partition, unless one has its span. Rows of its span that came early, from a clock that is ahead, wait in the
 * default partition and move over; attaching locks only that partition for writers.
 */
async function addPartition(database: Kysely<unknown>, plan: PartitionedTable, range: Range): Promise<boolean> {
  const existing = await partitionsOf(database, plan);
  if (existing.some((other) => other.range && other.range.from < range.to && range.from < other.range.to)) return false;
  const parent = sql.table(plan.table);
  const name = sql.table(partitionName(plan.table, range));
  const waiting = sql.table(defaultName(plan.table));
  const bound = sql.ref(plan.column);
  const [from, to] = [literal(plan, range.from), literal(plan, range.to)];
  await sql`create table ${name} (like ${parent} including all excluding identity)`.execute(database);
  await sql`lock table ${waiting} in access exclusive mode`.execute(database);
  await sql`
    with moved as (delete from ${waiting} where ${bound} >= ${from} and ${bound} < ${to} returning *)
    insert into ${name} select * from moved`.execute(database);
  await sql`alter table ${parent} attach partition ${name} for values from (${from}) to (${to})`.execute(database);
  return true;
}

/** Rows of one delete statement: few enough to hold no lock for long. */
const DELETE_BATCH = 5_000;

async function deleteExpiredOdd(database: Kysely<unknown>, plan: PartitionedTable, oldest: Date): Promise<void> {
  const waiting = sql.table(defaultName(plan.table));
  const { receivedColumn } = plan;
  const isOld =
    receivedColumn === undefined
      ? sql`${sql.ref(plan.column)} < ${literal(plan, oldest)}`
      : sql`${sql.ref(receivedColumn)} < ${oldest}`;
  for (;;) {
    const { numAffectedRows = 0n } = await sql`
      delete from ${waiting} where ctid = any(array(
        select ctid from ${waiting} where ${isOld} limit ${DELETE_BATCH}
      ))`.execute(database);
    if (numAffectedRows < DELETE_BATCH) return;
  }
}

async function dropExpired(database: Kysely<unknown>, plan: PartitionedTable, now: Date): Promise<readonly string[]> {
  if (!Number.isFinite(plan.retentionDays)) return [];
  const oldest = new Date(now.getTime() - plan.retentionDays * DAY_MS);
  const isExpired = ({ range }: Partition) => range !== undefined && range.to <= oldest;
  const dropped: string[] = [];
  for (const { name } of (await partitionsOf(database, plan)).filter(isExpired)) {
    await step(database, plan, async (transaction) => {
      await sql`drop table if exists ${sql.table(name)}`.execute(transaction);
    });
    dropped.push(name);
  }
  await deleteExpiredOdd(database, plan, oldest);
  return dropped;
}

/** What one round of maintenance changed. */
export interface PartitionChanges {
  readonly created: readonly string[];
  readonly dropped: readonly string[];
}

/**
 * Gives a table its default partition (for times such as 1970) and those around the present, and drops what is
 * older than its retention, by `retentionNow`. Nodes that do it at once wait for each other; whoever reads or writes the table meanwhile
 * waits a tenth of a second at most.
 */
export async function maintainPartitions(
  database: Kysely<unknown>,
  plan: PartitionedTable,
  now: Date,
  retentionNow: Date = now,
): Promise<PartitionChanges> {
  const existing = await partitionsOf(database, plan);
  if (!existing.some(({ name }) => name === defaultName(plan.table))) {
    await step(database, plan, (transaction) => createDefault(transaction, plan.table));
  }
  const created: string[] = [];
  for (let distance = -(plan.behind ?? 1); distance <= (plan.ahead ?? 2); distance++) {
    const range = spanAt(plan.span, now, distance);
    const taken = existing.some((other) => other.range && other.range.from < range.to && range.from < other.range.to);
    if (taken) continue;
    if (await step(database, plan, (transaction) => addPartition(transaction, plan, range))) {
      created.push(partitionName(plan.table, range));
    }
  }
  return { created, dropped: await dropExpired(database, plan, retentionNow) };
}

/** Keeps partitions up to date while the process runs. */
export interface PartitionMaintenance {
  /** Does a round now, as is otherwise done every hour. */
  round(): Promise<void>;
  /** Stops it, after a round that is under way. */
  close(): Promise<void>;
}

/**
 * Maintains tables now and then every hour. The first round is awaited and its failure thrown, because without
 * partitions everything would land in the default one; later failures are logged and tried again.
 */
export async function startPartitionMaintenance(options: {
  readonly database: Kysely<unknown>;
  readonly tables: readonly PartitionedTable[];
  readonly clock: Clock;
  /** By which it is judged what is too old. Default: `clock`. */
  readonly retentionClock?: Clock;
  readonly log: Logger;
  readonly intervalMs?: number;
}): Promise<PartitionMaintenance> {
  const { database, tables, clock, log } = options;
  const retentionClock = options.retentionClock ?? clock;
  async function round(): Promise<void> {
    for (const plan of tables) {
      const changes = await maintainPartitions(database, plan, clock.now(), retentionClock.now());
      if (changes.created.length + changes.dropped.length > 0)
        log.info({ table: plan.table, ...changes }, "partitions");
    }
  }
  await round();
  let running: Promise<void> | undefined;
  const next = (): Promise<void> => {
    running ??= round().finally(() => {
      running = undefined;
    });
    return running;
  };
  const timer = setInterval(() => {
    next().catch((error: unknown) => log.error({ err: error }, "partition maintenance failed; it is tried again"));
  }, options.intervalMs ?? 3_600_000);
  timer.unref();
  return {
    round: next,
    async close() {
      clearInterval(timer);
      await running?.catch(() => undefined);
    },
  };
}

import { type Kysely, type RawBuilder, sql } from "kysely";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";

/** A table that a migration made with `partition by range (<timestamptz column>)`. */
export interface PartitionedTable {
  readonly table: string;
  /** The column it is partitioned by. */
  readonly column: string;
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

/** A date as a literal: partition bounds take no parameters. */
function literal(date: Date): RawBuilder<unknown> {
  return sql.lit(date.toISOString());
}

function partitionName(table: string, range: Range): string {
  return `${table}_p${range.from.toISOString().slice(0, 10).replaceAll("-", "")}`;
}

async function partitionsOf(database: Kysely<unknown>, table: string): Promise<readonly Partition[]> {
  const { rows } = await sql<{ name: string; bound: string }>`
    select child.relname as name, pg_get_expr(child.relpartbound, child.oid) as bound
    from pg_inherits join pg_class child on child.oid = inhrelid
    where inhparent = to_regclass(${table})`.execute(database);
  return rows.map(({ name, bound }) => {
    const [, from, to] = /FROM \('([^']+)'\) TO \('([^']+)'\)/.exec(bound) ?? [];
    const range = from === undefined || to === undefined ? undefined : { from: new Date(from), to: new Date(to) };
    return { name, range };
  });
}

async function createDefault(database: Kysely<unknown>, table: string): Promise<string> {
  const name = `${table}_default`;
  await sql`create table if not exists ${sql.table(name)} partition of ${sql.table(table)} default`.execute(database);
  return name;
}

/**
 * Adds a partition. Rows of its span that came early, from a clock that is ahead, wait in the default partition
 * and move over; attaching locks only that partition for writers.
 */
async function addPartition(
  database: Kysely<unknown>,
  { table, column }: PartitionedTable,
  defaultName: string,
  range: Range,
): Promise<void> {
  const name = sql.table(partitionName(table, range));
  const time = sql.ref(column);
  await sql`create table ${name} (like ${sql.table(table)} including all excluding identity)`.execute(database);
  await sql`lock table ${sql.table(defaultName)} in access exclusive mode`.execute(database);
  await sql`
    with moved as (
      delete from ${sql.table(defaultName)} where ${time} >= ${range.from} and ${time} < ${range.to} returning *
    )
    insert into ${name} select * from moved`.execute(database);
  await sql`
    alter table ${sql.table(table)} attach partition ${name}
    for values from (${literal(range.from)}) to (${literal(range.to)})`.execute(database);
}

async function dropExpired(
  database: Kysely<unknown>,
  plan: PartitionedTable,
  partitions: readonly Partition[],
  defaultName: string,
  now: Date,
): Promise<readonly string[]> {
  if (!Number.isFinite(plan.retentionDays)) return [];
  const oldest = new Date(now.getTime() - plan.retentionDays * DAY_MS);
  const expired = partitions.filter(({ range }) => range !== undefined && range.to <= oldest);
  for (const { name } of expired) await sql`drop table ${sql.table(name)}`.execute(database);
  const age = sql.ref(plan.receivedColumn ?? plan.column);
  await sql`delete from ${sql.table(defaultName)} where ${age} < ${oldest}`.execute(database);
  return expired.map(({ name }) => name);
}

/** What one round of maintenance changed. */
export interface PartitionChanges {
  readonly created: readonly string[];
  readonly dropped: readonly string[];
}

/**
 * Gives a table its default partition (for times such as 1970) and those around the present, and drops what is
 * older than its retention. Nodes that do it at once wait for each other.
 */
export async function maintainPartitions(
  database: Kysely<unknown>,
  plan: PartitionedTable,
  now: Date,
): Promise<PartitionChanges> {
  return await database.transaction().execute(async (transaction) => {
    await sql`set local lock_timeout = '10s'`.execute(transaction);
    await sql`select pg_advisory_xact_lock(hashtextextended(${`partitions of ${plan.table}`}, 0))`.execute(transaction);
    const defaultName = await createDefault(transaction, plan.table);
    const existing = await partitionsOf(transaction, plan.table);
    const created: string[] = [];
    for (let distance = -(plan.behind ?? 1); distance <= (plan.ahead ?? 2); distance++) {
      const range = spanAt(plan.span, now, distance);
      const taken = existing.some((other) => other.range && other.range.from < range.to && range.from < other.range.to);
      if (taken) continue;
      await addPartition(transaction, plan, defaultName, range);
      created.push(partitionName(plan.table, range));
    }
    const dropped = await dropExpired(transaction, plan, existing, defaultName, now);
    return { created, dropped };
  });
}

/** Keeps partitions up to date while the process runs. */
export interface PartitionMaintenance {
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
  readonly log: Logger;
  readonly intervalMs?: number;
}): Promise<PartitionMaintenance> {
  const { database, tables, clock, log } = options;
  async function round(): Promise<void> {
    for (const plan of tables) {
      const changes = await maintainPartitions(database, plan, clock.now());
      if (changes.created.length + changes.dropped.length > 0)
        log.info({ table: plan.table, ...changes }, "partitions");
    }
  }
  await round();
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= round()
      .catch((error: unknown) => log.error({ err: error }, "partition maintenance failed; it is tried again"))
      .finally(() => {
        running = undefined;
      });
  }, options.intervalMs ?? 3_600_000);
  timer.unref();
  return {
    async close() {
      clearInterval(timer);
      await running;
    },
  };
}

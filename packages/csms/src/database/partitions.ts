import { type Kysely, sql } from "kysely";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { dropExpired } from "./expired-partitions.ts";
import { partitionStep } from "./partition-step.ts";
import {
  boundAt,
  defaultName,
  type PartitionedTable,
  partitionName,
  partitionsOf,
  type Range,
  spanAt,
} from "./partitioned-table.ts";

export { leastUuidV7, type PartitionedTable, spanAt } from "./partitioned-table.ts";

async function createDefault(database: Kysely<unknown>, table: string): Promise<void> {
  await sql`create table if not exists ${sql.table(defaultName(table))} partition of ${sql.table(table)} default`.execute(
    database,
  );
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
  const [from, to] = [boundAt(plan, range.from), boundAt(plan, range.to)];
  await sql`create table ${name} (like ${parent} including all excluding identity)`.execute(database);
  await sql`lock table ${waiting} in access exclusive mode`.execute(database);
  await sql`
    with moved as (delete from ${waiting} where ${bound} >= ${from} and ${bound} < ${to} returning *)
    insert into ${name} select * from moved`.execute(database);
  await sql`alter table ${parent} attach partition ${name} for values from (${from}) to (${to})`.execute(database);
  return true;
}

/** What one round of maintenance changed. */
export interface PartitionChanges {
  readonly created: readonly string[];
  readonly dropped: readonly string[];
}

/**
 * Gives a table its default partition (for times such as 1970) and those around the present, and drops what is
 * older than its retention, by `retentionNow`. Nodes that do it at once wait for each other; whoever reads or writes the
 * table meanwhile waits a tenth of a second at most.
 *
 * @throws the signal's reason when that is aborted before all is done
 */
export async function maintainPartitions(
  database: Kysely<unknown>,
  plan: PartitionedTable,
  now: Date,
  retentionNow: Date = now,
  signal?: AbortSignal,
): Promise<PartitionChanges> {
  const existing = await partitionsOf(database, plan);
  if (!existing.some(({ name }) => name === defaultName(plan.table))) {
    await partitionStep(database, plan, (transaction) => createDefault(transaction, plan.table), { signal });
  }
  const created: string[] = [];
  for (let distance = -(plan.behind ?? 1); distance <= (plan.ahead ?? 2); distance++) {
    const range = spanAt(plan.span, now, distance);
    const taken = existing.some((other) => other.range && other.range.from < range.to && range.from < other.range.to);
    if (taken) continue;
    if (await partitionStep(database, plan, (transaction) => addPartition(transaction, plan, range), { signal })) {
      created.push(partitionName(plan.table, range));
    }
  }
  return { created, dropped: await dropExpired(database, plan, retentionNow, signal) };
}

/** Keeps partitions up to date while the process runs. */
export interface PartitionMaintenance {
  /** Does a round now, as is otherwise done every hour. */
  round(): Promise<void>;
  /** Stops it, after the step of a round that is under way. */
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
  const halt = new AbortController();
  async function round(): Promise<void> {
    for (const plan of tables) {
      const changes = await maintainPartitions(database, plan, clock.now(), retentionClock.now(), halt.signal);
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
    next().catch((error: unknown) => {
      if (!halt.signal.aborted) log.error({ err: error }, "partition maintenance failed; it is tried again");
    });
  }, options.intervalMs ?? 3_600_000);
  timer.unref();
  return {
    round: next,
    async close() {
      clearInterval(timer);
      halt.abort();
      await running?.catch(() => undefined);
    },
  };
}

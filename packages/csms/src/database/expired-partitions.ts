import { type Kysely, sql } from "kysely";
import { deleteGently } from "./gentle-deletion.ts";
import { partitionStep } from "./partition-step.ts";
import { boundAt, defaultName, type Partition, type PartitionedTable, partitionsOf } from "./partitioned-table.ts";

const DAY_MS = 86_400_000;
/** Rows of one delete statement. */
const DELETE_BATCH = 5_000;
/** PostgreSQL breaks a vacuum of its own off for whoever waits for longer than its `deadlock_timeout`, one second. */
const VACUUM_PATIENCE_MS = 10_000;
const EXPIRED = "_expired";

/**
 * Ends a vacuum of PostgreSQL's own that is at work on a partition, and lets none begin. It would refuse the lock
 * that detaching needs for minutes; waiting for the one that this takes holds up nobody who reads or writes.
 */
async function endVacuum(database: Kysely<unknown>, plan: PartitionedTable, name: string, signal?: AbortSignal) {
  const change = async (transaction: Kysely<unknown>) => {
    const storage = sql`autovacuum_enabled = off, toast.autovacuum_enabled = off`;
    await sql`alter table if exists ${sql.table(name)} set (${storage})`.execute(transaction);
  };
  await partitionStep(database, plan, change, { lockTimeoutMs: VACUUM_PATIENCE_MS, signal });
}

/**
 * Takes a partition out of its table, which changes the catalog only and takes milliseconds, and names it so that
 * it is known as expired after a crash. Returns false when another node was faster.
 */
async function detach(database: Kysely<unknown>, plan: PartitionedTable, name: string): Promise<boolean> {
  const partitions = (await partitionsOf(database, plan)).map((partition) => partition.name);
  if (!partitions.includes(name)) return false;
  const [parent, expired] = [sql.table(plan.table), sql.table(name)];
  // Writers wait while the table is locked: not for the disk too. A crash may undo it; then it is done again.
  await sql`set local synchronous_commit = off`.execute(database);
  await sql`lock table only ${parent} in access exclusive mode`.execute(database);
  const others = partitions.includes(defaultName(plan.table))
    ? [expired, sql.table(defaultName(plan.table))]
    : [expired];
  // Whoever reads them by name is not waited for while the table is locked.
  await sql`lock table ${sql.join(others)} in access exclusive mode nowait`.execute(database);
  await sql`alter table ${parent} detach partition ${expired}`.execute(database);
  await sql`alter table ${expired} rename to ${sql.ref(name + EXPIRED)}`.execute(database);
  return true;
}

/** Drops what was detached, now or before a crash; nobody reads or writes it any more. */
async function dropDetached(database: Kysely<unknown>, plan: PartitionedTable, signal?: AbortSignal): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select relname as name from pg_class
    where relnamespace = (select relnamespace from pg_class where oid = to_regclass(${plan.table}))
      and relkind = 'r' and not relispartition
      and starts_with(relname, ${`${plan.table}_`}) and right(relname, ${EXPIRED.length}) = ${EXPIRED}
    order by relname`.execute(database);
  for (const { name } of rows) {
    const change = (transaction: Kysely<unknown>) => sql`drop table if exists ${sql.table(name)}`.execute(transaction);
    await partitionStep(database, plan, change, { signal });
  }
}

async function deleteExpiredOdd(database: Kysely<unknown>, plan: PartitionedTable, oldest: Date, signal?: AbortSignal) {
  const waiting = sql.table(defaultName(plan.table));
  const { receivedColumn } = plan;
  const isOld =
    receivedColumn === undefined
      ? sql`${sql.ref(plan.column)} < ${boundAt(plan, oldest)}`
      : sql`${sql.ref(receivedColumn)} < ${oldest}`;
  const deleteBatch = async (limit: number) => {
    const { numAffectedRows = 0n } = await sql`
      delete from ${waiting} where ctid = any(array(
        select ctid from ${waiting} where ${isOld} limit ${limit}
      ))`.execute(database);
    return Number(numAffectedRows);
  };
  await deleteGently(deleteBatch, { batch: DELETE_BATCH, signal });
}

/**
 * Drops the partitions that are older than the retention of their table, in steps of which none holds writers up, and
 * deletes rows of the default partition that are. Returns the names that the partitions had.
 */
export async function dropExpired(
  database: Kysely<unknown>,
  plan: PartitionedTable,
  now: Date,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  await dropDetached(database, plan, signal);
  if (!Number.isFinite(plan.retentionDays)) return [];
  const oldest = new Date(now.getTime() - plan.retentionDays * DAY_MS);
  const isExpired = ({ range }: Partition) => range !== undefined && range.to <= oldest;
  const dropped: string[] = [];
  for (const { name } of (await partitionsOf(database, plan)).filter(isExpired)) {
    await endVacuum(database, plan, name, signal);
    if (await partitionStep(database, plan, (transaction) => detach(transaction, plan, name), { signal })) {
      dropped.push(name);
    }
    await dropDetached(database, plan, signal);
  }
  await deleteExpiredOdd(database, plan, oldest, signal);
  return dropped;
}

import { setTimeout as delay } from "node:timers/promises";
import { type Kysely, sql } from "kysely";
import type { PartitionedTable } from "./partitioned-table.ts";

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

/** How a {@link partitionStep} waits. */
export interface StepOptions {
  /** Longest wait for a lock, in milliseconds. Default: a tenth of a second, because others wait behind it. */
  readonly lockTimeoutMs?: number;
  /** Ends the waiting between attempts. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Carries out one change of a table's partitions in a transaction of its own, after those of other nodes. It gives up
 * soon when somebody reads the table, so that writers never queue up behind it, and is tried again.
 *
 * @throws the signal's reason when that is aborted before the step is done
 */
export async function partitionStep<Result>(
  database: Kysely<unknown>,
  { table }: PartitionedTable,
  change: (transaction: Kysely<unknown>) => Promise<Result>,
  { lockTimeoutMs = TABLE_LOCK_TIMEOUT_MS, signal }: StepOptions = {},
): Promise<Result> {
  for (let attempt = 0; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await database.transaction().execute(async (transaction) => {
        await sql`set local lock_timeout = '10s'`.execute(transaction);
        await sql`select pg_advisory_xact_lock(hashtextextended(${`partitions of ${table}`}, 0))`.execute(transaction);
        await sql`set local lock_timeout = ${sql.lit(lockTimeoutMs)}`.execute(transaction);
        return await change(transaction);
      });
    } catch (error) {
      const pauseMs = PAUSES_MS[attempt];
      if (pauseMs === undefined || !isContention(error)) throw error;
      await delay(pauseMs, undefined, { signal });
    }
  }
}

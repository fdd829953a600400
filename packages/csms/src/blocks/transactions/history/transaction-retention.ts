import { type Kysely, sql } from "kysely";
import type { Logger } from "pino";
import type { Clock } from "../../../clock.ts";
import { deleteGently } from "../../../database/gentle-deletion.ts";
import { leastUuidV7 } from "../../../database/partitions.ts";

/** Rows of one delete statement. */
const BATCH = 1_000;

/** Settings of {@link keepTransactions}. */
export interface TransactionRetentionOptions {
  readonly database: Kysely<unknown>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Transactions are deleted when we first heard of them this many days ago and they no longer run. */
  readonly retentionDays: number;
  /** Time between two looks in milliseconds; default one hour. */
  readonly intervalMs?: number;
}

/**
 * Deletes transactions that are over and older than the retention, in small steps. Returns how many those were.
 *
 * @throws the signal's reason when that is aborted before all are deleted
 */
export async function deleteExpiredTransactions(
  { database, clock, retentionDays }: Pick<TransactionRetentionOptions, "database" | "clock" | "retentionDays">,
  signal?: AbortSignal,
): Promise<number> {
  const oldest = leastUuidV7(new Date(clock.now().getTime() - retentionDays * 86_400_000));
  const deleteBatch = async (limit: number) => {
    const { numAffectedRows = 0n } = await sql`
      delete from charging_transaction where id = any(array(
        select id from charging_transaction where id < ${oldest}::uuid and status <> 'Open' order by id limit ${limit}
      ))`.execute(database);
    return Number(numAffectedRows);
  };
  return await deleteGently(deleteBatch, { batch: BATCH, signal });
}

/** Looks now and from time to time. Returns the function that stops it. */
export function keepTransactions(options: TransactionRetentionOptions): () => void {
  const halt = new AbortController();
  const look = () => {
    deleteExpiredTransactions(options, halt.signal).then(
      (count) => {
        if (count > 0) options.log.info({ count }, "deleted expired transactions");
      },
      (error: unknown) => {
        if (!halt.signal.aborted) options.log.warn({ err: error }, "expired transactions cannot be deleted now");
      },
    );
  };
  look();
  const timer = setInterval(look, options.intervalMs ?? 3_600_000);
  timer.unref();
  return () => {
    clearInterval(timer);
    halt.abort();
  };
}

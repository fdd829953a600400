import { type Kysely, sql } from "kysely";
import type { Logger } from "pino";
import type { Clock } from "../../clock.ts";
import { leastUuidV7 } from "../../database/partitions.ts";

/** Rows of one delete statement: few enough to hold no lock for long. */
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

/** Deletes transactions that are over and older than the retention, in small steps. Returns how many those were. */
export async function deleteExpiredTransactions({
  database,
  clock,
  retentionDays,
}: Pick<TransactionRetentionOptions, "database" | "clock" | "retentionDays">): Promise<number> {
  const oldest = leastUuidV7(new Date(clock.now().getTime() - retentionDays * 86_400_000));
  let total = 0;
  for (;;) {
    const { numAffectedRows = 0n } = await sql`
      delete from charging_transaction where id = any(array(
        select id from charging_transaction where id < ${oldest}::uuid and status <> 'Open' order by id limit ${BATCH}
      ))`.execute(database);
    total += Number(numAffectedRows);
    if (numAffectedRows < BATCH) return total;
  }
}

/** Looks now and from time to time. Returns the function that stops it. */
export function keepTransactions(options: TransactionRetentionOptions): () => void {
  const look = () => {
    deleteExpiredTransactions(options).then(
      (count) => {
        if (count > 0) options.log.info({ count }, "deleted expired transactions");
      },
      (error: unknown) => options.log.warn({ err: error }, "expired transactions cannot be deleted now"),
    );
  };
  look();
  const timer = setInterval(look, options.intervalMs ?? 3_600_000);
  timer.unref();
  return () => clearInterval(timer);
}

import type { Logger } from "pino";
import { type Clock, systemClock } from "./clock.ts";
import { partitionedTables } from "./compose.ts";
import type { Config } from "./config.ts";
import { connectDatabase } from "./database/connection.ts";
import { maintainPartitions, type PartitionChanges } from "./database/partitions.ts";

/**
 * Does once, from outside, what a running CSMS does every hour: makes the partitions that are due and drops those
 * whose retention is over. The CSMS may run meanwhile.
 *
 * @returns what was changed, by table
 * @throws TypeError without `databaseUrl`; DatabaseConnectionError when the database cannot be used
 */
export async function maintainDatabase(options: {
  readonly config: Config;
  readonly log: Logger;
  /** The machine's clock when absent. */
  readonly clock?: Clock;
}): Promise<Readonly<Record<string, PartitionChanges>>> {
  const { config, log, clock = systemClock } = options;
  if (config.databaseUrl === undefined) throw new TypeError("the database to look after must be given by DATABASE_URL");
  const database = await connectDatabase({ url: config.databaseUrl, log });
  try {
    const changes: Record<string, PartitionChanges> = {};
    for (const plan of partitionedTables(config)) {
      changes[plan.table] = await maintainPartitions(database.kysely, plan, clock.now());
    }
    return changes;
  } finally {
    await database.close();
  }
}

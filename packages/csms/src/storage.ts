import { join } from "node:path";
import type { Logger } from "pino";
import { connectDatabase, type Database } from "./database/connection.ts";
import { type DatabaseLogLevel, startEmbeddedPostgres } from "./database/embedded-postgres.ts";

/** A database that is ready, and how to let go of it. */
export interface Storage {
  readonly database: Database;
  /** Whether the database is a process of ours. */
  readonly embedded: boolean;
  /** Ends the connections, and the embedded database. */
  close(): Promise<void>;
}

/**
 * Connects to the database of `DATABASE_URL`, or starts the embedded one in the data directory.
 *
 * @throws DatabaseConnectionError when the configured database cannot be used
 * @throws EmbeddedDatabaseError when the embedded one cannot be started
 */
export async function openStorage(options: {
  readonly databaseUrl: string | undefined;
  readonly dataDir: string;
  readonly poolSize: number;
  readonly log: Logger;
}): Promise<Storage> {
  const { databaseUrl, dataDir, poolSize, log } = options;
  if (databaseUrl !== undefined) {
    const database = await connectDatabase({ url: databaseUrl, poolSize, log });
    return { database, embedded: false, close: () => database.close() };
  }
  const embedded = await startEmbeddedPostgres({
    directory: join(dataDir, "postgresql"),
    log: (level: DatabaseLogLevel, message) => log[level]({ part: "postgresql" }, message),
  });
  try {
    const database = await connectDatabase({ url: embedded.url, poolSize, log });
    return {
      database,
      embedded: true,
      async close() {
        await database.close();
        await embedded.stop();
      },
    };
  } catch (error) {
    await embedded.stop();
    throw error;
  }
}

import { join } from "node:path";
import { sql } from "kysely";
import type { Logger } from "pino";
import { connectDatabase, type Database } from "./database/connection.ts";
import { type DatabaseLogLevel, startEmbeddedPostgres } from "./database/embedded-postgres.ts";
import { FreeSpace, type ReadFreeSpace } from "./database/free-space.ts";

/** A database that is ready, and how to let go of it. */
export interface Storage {
  readonly database: Database;
  /** Whether the database is a process of ours. */
  readonly embedded: boolean;
  /** The disk of the embedded database, when it is watched. */
  readonly space: FreeSpace | undefined;
  /** Ends the connections, and the embedded database. */
  close(): Promise<void>;
}

/** A log of changes that is not longer than this would not become much shorter. */
const LONG_LOG_BYTES = 268_435_456;

/** PostgreSQL lets its log of changes grow to a gigabyte, and gives most of it back at a checkpoint, which takes a little. */
async function shrinkLog({ kysely }: Database): Promise<void> {
  const { rows } = await sql<{ bytes: string }>`select sum(size)::text as bytes from pg_ls_waldir()`.execute(kysely);
  if (Number(rows[0]?.bytes) > LONG_LOG_BYTES) await sql`checkpoint`.execute(kysely);
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
  /** Space to keep free on the disk of the embedded database, in MiB; 0 for no limit. */
  readonly diskReserveMiB: number;
  readonly log: Logger;
  /** As in {@link connectDatabase}. */
  readonly answerTimeoutMs?: number | undefined;
  /** As in {@link connectDatabase}. */
  readonly connectTimeoutMs?: number | undefined;
  /** As in {@link FreeSpace}. */
  readonly readFreeSpace?: ReadFreeSpace | undefined;
}): Promise<Storage> {
  const { databaseUrl, dataDir, poolSize, log, answerTimeoutMs, connectTimeoutMs } = options;
  const connection = {
    ...{ poolSize, log },
    ...(answerTimeoutMs === undefined ? {} : { answerTimeoutMs }),
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
  };
  if (databaseUrl !== undefined) {
    const database = await connectDatabase({ url: databaseUrl, ...connection });
    return { database, embedded: false, space: undefined, close: () => database.close() };
  }
  const directory = join(dataDir, "postgresql");
  const embedded = await startEmbeddedPostgres({
    directory,
    log: (level: DatabaseLogLevel, message) => log[level]({ part: "postgresql" }, message),
  });
  try {
    const database = await connectDatabase({ url: embedded.url, ...connection });
    const { diskReserveMiB, readFreeSpace } = options;
    const space = new FreeSpace({
      ...{ directory, reserveBytes: diskReserveMiB * 1_048_576, log },
      ...(readFreeSpace === undefined ? {} : { read: readFreeSpace }),
      shortage() {
        shrinkLog(database).catch((error: unknown) => log.warn({ err: error }, "the log of changes was not shrunk"));
      },
    });
    await space.look();
    return {
      database,
      embedded: true,
      space,
      async close() {
        space.close();
        await database.close();
        await embedded.stop();
      },
    };
  } catch (error) {
    await embedded.stop();
    throw error;
  }
}

import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { type DirectoryLock, lockDirectory } from "./directory-lock.ts";
import { EmbeddedDatabaseError, explainFailure } from "./embedded-database-error.ts";
import { findPostgresBinaries } from "./postgres-binaries.ts";
import { ensureCluster, type Layout, layoutOf, prepareDirectory, ROLE } from "./postgres-cluster.ts";
import type { PostgresUser } from "./postgres-user.ts";
import { type Postmaster, PostmasterStartError, startPostmaster, stopOrphan } from "./postmaster.ts";

export { EmbeddedDatabaseError } from "./embedded-database-error.ts";

const DATABASE = "polyphase";

/** Settings of the server. Durability is complete; the sizes suit one CSMS beside it on a small machine. */
const serverSettings: Readonly<Record<string, string>> = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "60",
  shared_buffers: "128MB",
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  wal_level: "replica",
  max_wal_size: "1GB",
  // Files of the log that a quiet night would remove are kept for the morning: to make new ones stalls commits.
  min_wal_size: "256MB",
  checkpoint_timeout: "15min",
  random_page_cost: "1.1",
  jit: "off",
  io_method: "sync",
  // Containers give /dev/shm 64 MB, which parallel queries outgrow.
  max_parallel_workers_per_gather: "0",
  timezone: "UTC",
  log_timezone: "UTC",
  lc_messages: "C",
  log_line_prefix: "",
  log_checkpoints: "off",
  // Statements and row values may hold personal data; whoever ran the statement gets the full error.
  log_min_error_statement: "panic",
  log_error_verbosity: "terse",
};

/** How serious a line of the server's log is. */
export type DatabaseLogLevel = "debug" | "info" | "warn" | "error";

/** Where the embedded database lives, and who listens to it. */
export interface EmbeddedPostgresOptions {
  /** Directory of its own, created when missing. */
  readonly directory: string;
  /** Receives what the server logs and what is done with it. */
  readonly log?: (level: DatabaseLogLevel, message: string) => void;
  /** Server settings that replace the defaults, by their names in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** How long the server may take until it accepts connections; recovery after a power loss takes its time. */
  readonly startTimeoutMs?: number;
}

/** A running embedded database. */
export interface EmbeddedPostgres {
  /** Connection string with the password; the same for as long as it runs. */
  readonly url: string;
  /** Process number of the server, for display; changes when the server had to be started again. */
  readonly pid: number;
  /** Breaks off all sessions and stops the server in good order. May be called more than once. */
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  if (address === null || typeof address === "string") throw new EmbeddedDatabaseError("there is no free port");
  return address.port;
}

async function createDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: `${url}postgres` });
  await client.connect();
  try {
    const found = await client.query("select 1 from pg_database where datname = $1", [DATABASE]);
    if (found.rowCount === 0) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
}

const logLevels: Readonly<Record<string, DatabaseLogLevel>> = {
  WARNING: "warn",
  ERROR: "warn",
  FATAL: "warn",
  PANIC: "error",
};

/** Longest wait before a server that does not start is tried again: a full disk may have room at any time. */
const LONGEST_PAUSE_MS = 5_000;

class RunningPostgres implements EmbeddedPostgres {
  readonly url: string;
  readonly #start: (port: number) => Promise<Postmaster>;
  readonly #directory: string;
  readonly #port: number;
  readonly #lock: DirectoryLock;
  readonly #log: (level: DatabaseLogLevel, message: string) => void;
  readonly #halt = new AbortController();
  #postmaster: Postmaster;
  #supervision: Promise<void>;
  #stopped: Promise<void> | undefined;

  constructor(parts: {
    url: string;
    directory: string;
    port: number;
    postmaster: Postmaster;
    lock: DirectoryLock;
    start: (port: number) => Promise<Postmaster>;
    log: (level: DatabaseLogLevel, message: string) => void;
  }) {
    this.url = parts.url;
    this.#directory = parts.directory;
    this.#port = parts.port;
    this.#postmaster = parts.postmaster;
    this.#lock = parts.lock;
    this.#start = parts.start;
    this.#log = parts.log;
    this.#supervision = this.#supervise();
  }

  get pid(): number {
    return this.#postmaster.pid;
  }

  /** The system may kill the server when memory is short: it is started again on the same port. */
  async #supervise(): Promise<void> {
    let pauseMs = 250;
    const { signal } = this.#halt;
    for (;;) {
      const reason = await this.#postmaster.ended;
      if (signal.aborted) return;
      this.#log("error", `the database ended unexpectedly (${reason}) and is started again`);
      for (;;) {
        try {
          await delay(pauseMs, undefined, { signal });
          this.#postmaster = await this.#start(this.#port);
          pauseMs = 250;
          break;
        } catch (error) {
          if (signal.aborted) return;
          pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
          this.#log("error", this.#explain(error));
        }
      }
    }
  }

  #explain(error: unknown): string {
    if (error instanceof PostmasterStartError) {
      return explainFailure("the database did not start again", this.#directory, error.output).message;
    }
    return error instanceof Error ? error.message : String(error);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#halt.abort();
    await this.#postmaster.stop();
    await this.#supervision;
    // A restart that was under way when the stop came has put another server in place.
    await this.#postmaster.stop();
    await this.#lock.release();
  }
}

const PORT_TAKEN = /could not bind|could not create any TCP\/IP sockets/;
const FORMER_CHILDREN = /pre-existing shared memory block/;

/** Starts the server, on another port when the first is taken, and after the last children of a killed server ended. */
async function startPatiently(
  start: (port: number) => Promise<Postmaster>,
  directory: string,
): Promise<{ port: number; postmaster: Postmaster }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    try {
      return { port, postmaster: await start(port) };
    } catch (error) {
      if (!(error instanceof PostmasterStartError)) throw error;
      const { output } = error;
      if (attempt >= 40 || !(PORT_TAKEN.test(output) || FORMER_CHILDREN.test(output))) {
        throw explainFailure("the embedded database did not start", directory, output);
      }
      if (FORMER_CHILDREN.test(output)) await delay(250);
    }
  }
}

async function openCluster(layout: Layout, options: EmbeddedPostgresOptions, lock: DirectoryLock, user?: PostgresUser) {
  const log = options.log ?? (() => undefined);
  const binaries = await findPostgresBinaries(layout.directory, user);
  if (await ensureCluster(layout, binaries, user)) log("info", `created the database in ${layout.directory}`);
  if (await stopOrphan(layout.cluster, user?.uid ?? process.getuid?.())) {
    log("warn", "stopped a database server that a killed Polyphase had left running");
  }
  const start = (port: number): Promise<Postmaster> =>
    startPostmaster({
      program: binaries.postgres,
      cluster: layout.cluster,
      user,
      port,
      settings: { ...serverSettings, ...options.settings },
      startTimeoutMs: options.startTimeoutMs ?? 300_000,
      onLine(line) {
        const severity = /^([A-Z]+\d?):\s+(.*)$/.exec(line);
        log(logLevels[severity?.[1] ?? ""] ?? "debug", severity?.[2] ?? line);
      },
    });
  const { port, postmaster } = await startPatiently(start, layout.directory);
  try {
    const password = (await readFile(layout.passwordFile, "utf8")).trim();
    const base = `postgres://${ROLE}:${encodeURIComponent(password)}@127.0.0.1:${port}/`;
    await createDatabase(base);
    const startAgain = async (samePort: number): Promise<Postmaster> => {
      // The number of the server that ended may be another process's by now.
      await stopOrphan(layout.cluster, user?.uid ?? process.getuid?.());
      return start(samePort);
    };
    const { directory } = layout;
    return new RunningPostgres({
      url: `${base}${DATABASE}`,
      directory,
      port,
      postmaster,
      lock,
      start: startAgain,
      log,
    });
  } catch (error) {
    await postmaster.stop();
    throw error;
  }
}

/**
 * Starts the PostgreSQL that comes with Polyphase on a directory, which it creates at the first start. It
 * listens on loopback only, on a port that is free, with a random password. Root's server runs as an
 * unprivileged user. When this process is killed the server ends too; whatever a kill left behind is put
 * right at the next start. A server that ends by itself is started again.
 *
 * @throws EmbeddedDatabaseError when it cannot run: the directory is in use, full, closed to us or of another
 * major version, or there are no programs for this machine
 *
 * @example
 * const postgres = await startEmbeddedPostgres({ directory: "data/postgres" });
 * console.log(postgres.url);
 * await postgres.stop();
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const layout = layoutOf(options.directory);
  const user = await prepareDirectory(layout.directory);
  const lock = await lockDirectory(layout.directory).catch((cause: unknown) => {
    if (cause instanceof EmbeddedDatabaseError) throw cause;
    throw explainFailure("the embedded database has no place", layout.directory, "", cause);
  });
  try {
    return await openCluster(layout, options, lock, user);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

import { setTimeout as delay } from "node:timers/promises";
import { Kysely, PostgresDialect, type PostgresPool } from "kysely";
import pg from "pg";
import type { Logger } from "pino";
import { DatabaseWatch } from "./database-watch.ts";
import { DatabaseUnavailableError } from "./write-unit.ts";

/** The database cannot be reached or used; the message says why, without the password. */
export class DatabaseConnectionError extends Error {
  override readonly name = "DatabaseConnectionError";
}

/** How to connect. */
export interface DatabaseOptions {
  /** `postgres://user:password@host:port/database`, with `sslmode` and the like as in libpq. */
  readonly url: string;
  readonly log: Logger;
  /** Most connections for reads and administration; group commit has its own. Default 10. */
  readonly poolSize?: number;
  /** After this long the server gives up a statement of the pool. Default 30 s. */
  readonly statementTimeoutMs?: number;
  /** How long a server that does not answer yet, because it is starting, is waited for. Default 15 s. */
  readonly patienceMs?: number;
  /** A server that says nothing for so long is away: what was asked is given up. Default 10 s. */
  readonly answerTimeoutMs?: number;
  /** Milliseconds that a connection is waited for, whether it is opened or comes free. Default 5 s. */
  readonly connectTimeoutMs?: number;
}

/** A connected database. */
export interface Database {
  readonly kysely: Kysely<unknown>;
  /** A connection of its own, outside the pool, set up like the pool's. The caller ends it. */
  openClient(options?: { readonly statementTimeoutMs?: number; readonly pipeline?: boolean }): Promise<pg.Client>;
  /** Why the server is away, in words that anybody may read; undefined while it answers. */
  readonly away: string | undefined;
  close(): Promise<void>;
}

const OLDEST_VERSION = 15;

// In local time pg would write an offset in whole minutes, which zones did not have before 1900, the years of clocks
// that were never set.
pg.defaults.parseInputDatesAsUTC = true;

// Identifiers of the built-in types whose text form pg would read otherwise.
const INT8 = 20;
const DATE = 1082;

/**
 * How values are read: `bigint` as a number (our ids and counters stay below 2^53; beyond it reading throws
 * instead of rounding), `numeric` as exact text, `date` as text because a day has no zone, `timestamptz` as
 * Date, `jsonb` parsed.
 */
export function readInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} is beyond the exact range of a number`);
  return value;
}

function typeParsers(): pg.TypeOverrides {
  const types = new pg.TypeOverrides();
  types.setTypeParser(INT8, readInteger);
  types.setTypeParser(DATE, (text: string) => text);
  return types;
}

const CONNECT_TIMEOUT_MS = 5_000;

function clientConfig(url: string, connectTimeoutMs = CONNECT_TIMEOUT_MS): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: "polyphase",
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    types: typeParsers(),
  };
}

// Set by statement and not at start-up of the session, where poolers refuse parameters that they do not know.
function sessionSettings(statementTimeoutMs: number): string {
  return (
    `set timezone = 'UTC'; set datestyle = 'ISO'; set statement_timeout = ${Math.trunc(statementTimeoutMs)}; ` +
    "set idle_in_transaction_session_timeout = 60000"
  );
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "the host name is unknown",
  EAI_AGAIN: "the host name cannot be looked up",
  EHOSTUNREACH: "the host cannot be reached",
  ETIMEDOUT: "the host does not answer",
  "28P01": "user or password is wrong",
  "28000": "the server does not admit this user",
  "3D000": "the server has no such database",
  "53300": "the server has no connection left",
  "57P03": "the server is starting or stopping",
};

const PASSING = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ETIMEDOUT", "53300", "57P03"]);

function codeOf(error: unknown): string {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

function place(url: string): string {
  try {
    const { hostname, port, pathname, searchParams } = new URL(url);
    const host = searchParams.get("host") ?? hostname;
    return `${host}:${port === "" ? "5432" : port}${pathname}`;
  } catch {
    return "the place that DATABASE_URL names";
  }
}

function explain(url: string, cause: unknown): DatabaseConnectionError {
  const said = cause instanceof Error ? cause.message : String(cause);
  return new DatabaseConnectionError(
    `no connection to the database at ${place(url)}: ${reasons[codeOf(cause)] ?? said}`,
    { cause },
  );
}

/** The reason alone, without the place, which is not for everybody. */
function reasonFor(error: unknown): string {
  const cause = error instanceof DatabaseConnectionError ? error.cause : error;
  return reasons[codeOf(cause)] ?? "it does not answer";
}

async function checkServer(client: pg.Client, url: string): Promise<void> {
  const { rows } = await client.query<{ version: number; name: string; encoding: string; standby: boolean }>(
    `select current_setting('server_version_num')::int as version, current_setting('server_version') as name,
       current_setting('server_encoding') as encoding, pg_is_in_recovery() as standby`,
  );
  const [server] = rows;
  if (server === undefined)
    throw new DatabaseConnectionError(`the database at ${place(url)} does not tell its version`);
  if (server.version < OLDEST_VERSION * 10_000) {
    throw new DatabaseConnectionError(
      `the database at ${place(url)} is PostgreSQL ${server.name}; Polyphase needs ${OLDEST_VERSION} or later`,
    );
  }
  if (server.standby) {
    throw new DatabaseConnectionError(`the database at ${place(url)} is a standby that takes no writes`);
  }
  if (server.encoding !== "UTF8") {
    throw new DatabaseConnectionError(
      `the database at ${place(url)} has encoding ${server.encoding}; create it with encoding UTF8`,
    );
  }
}

async function firstContact(options: DatabaseOptions): Promise<void> {
  const { url, log } = options;
  const deadline = performance.now() + (options.patienceMs ?? 15_000);
  for (let pauseMs = 200; ; pauseMs = Math.min(pauseMs * 2, 2_000)) {
    const client = new pg.Client(clientConfig(url, options.connectTimeoutMs));
    // Without a listener a connection lost while it is closed would end the process.
    client.on("error", () => undefined);
    try {
      await client.connect();
      await checkServer(client, url);
      return;
    } catch (error) {
      if (error instanceof DatabaseConnectionError) throw error;
      const failure = explain(url, error);
      if (!PASSING.has(codeOf(error)) || performance.now() + pauseMs > deadline) throw failure;
      log.warn({ reason: failure.message }, "the database is not ready; trying again");
      await delay(pauseMs);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

function checkUrl(url: string): void {
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw new DatabaseConnectionError("DATABASE_URL is not of the form postgres://user:password@host:port/database");
  }
}

type OpenOptions = NonNullable<Parameters<Database["openClient"]>[0]> & Pick<DatabaseOptions, "connectTimeoutMs">;

async function openClient(url: string, options: OpenOptions) {
  const { statementTimeoutMs = 30_000, pipeline = false, connectTimeoutMs = CONNECT_TIMEOUT_MS } = options;
  const client = new pg.Client({ ...clientConfig(url, connectTimeoutMs), pipeline });
  client.on("error", () => undefined);
  // The time-out of pg covers the connection, but not the first words on it.
  const late = setTimeout(() => client.connection.stream.destroy(), connectTimeoutMs * 2);
  try {
    await client.connect();
    await client.query(sessionSettings(statementTimeoutMs));
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw explain(url, error);
  } finally {
    clearTimeout(late);
  }
}

/** A pool that fails at once while the server is away, and can break off what is under way. */
class BreakablePool implements PostgresPool {
  readonly #pool: pg.Pool;
  readonly #clients = new Set<pg.PoolClient>();
  readonly #away: () => string | undefined;

  constructor(pool: pg.Pool, away: () => string | undefined) {
    this.#pool = pool;
    this.#away = away;
    pool.on("connect", (client) => this.#clients.add(client));
    pool.on("remove", (client) => this.#clients.delete(client));
  }

  async connect(): ReturnType<PostgresPool["connect"]> {
    const reason = this.#away();
    if (reason !== undefined) throw new DatabaseUnavailableError(`the database is away: ${reason}`);
    return (await this.#pool.connect()) as Awaited<ReturnType<PostgresPool["connect"]>>;
  }

  breakOff(): void {
    for (const client of this.#clients) (client as unknown as pg.Client).connection.stream.destroy();
  }

  end(): Promise<void> {
    return this.#pool.end();
  }
}

/**
 * Connects to a PostgreSQL and checks that it can be used: version 15 or later, UTF8, not a standby.
 *
 * @throws DatabaseConnectionError when it cannot be reached or used
 */
export async function connectDatabase(options: DatabaseOptions): Promise<Database> {
  const { url, log, connectTimeoutMs } = options;
  checkUrl(url);
  await firstContact(options);
  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000;
  const own = { statementTimeoutMs, ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }) };
  const pool = new pg.Pool({
    ...clientConfig(url, connectTimeoutMs),
    max: options.poolSize ?? 10,
    idleTimeoutMillis: 60_000,
  });
  pool.on("error", (error) => log.warn({ err: error }, "an idle database connection was lost"));
  pool.on("connect", (client) => {
    // The pool listens to idle connections only: one lost between two statements of a transaction would end the process.
    client.on("error", () => undefined);
    client.query(sessionSettings(statementTimeoutMs)).catch((error: unknown) => {
      log.warn({ err: error }, "a database connection could not be set up");
    });
  });
  const watch = new DatabaseWatch({
    open: () => openClient(url, own),
    log,
    ...(options.answerTimeoutMs === undefined ? {} : { answerTimeoutMs: options.answerTimeoutMs }),
    explain: reasonFor,
    lost: () => breakable.breakOff(),
  });
  const breakable = new BreakablePool(pool, () => watch.away);
  const kysely = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: breakable }) });
  return {
    kysely,
    openClient: (clientOptions = {}) => openClient(url, { ...own, ...clientOptions }),
    get away() {
      return watch.away;
    },
    async close() {
      await watch.close();
      await kysely.destroy();
    },
  };
}

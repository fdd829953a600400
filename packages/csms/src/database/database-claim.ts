import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import type { Logger } from "pino";
import type { Database } from "./connection.ts";

/** Another process serves stations from this database. */
export class DatabaseInUseError extends Error {
  override readonly name = "DatabaseInUseError";

  constructor(holder: string) {
    super(
      `another Polyphase uses this database${holder}; end it first, or choose another database: ` +
        "two processes would count and tell everything twice",
    );
  }
}

/** The right to be the only process that serves stations from a database. */
export interface DatabaseClaim {
  /** Gives it back. */
  release(): Promise<void>;
}

/** How {@link claimDatabase} claims. */
export interface ClaimOptions {
  readonly database: Pick<Database, "openClient">;
  readonly log: Logger;
  /**
   * How long to wait for another process, in milliseconds: the connection of one that was killed or cut off is found
   * dead after 25 s at most. Default 30 s.
   */
  readonly patienceMs?: number;
  /** Pause between attempts, in milliseconds. Default 250. */
  readonly intervalMs?: number;
  /** Told when the claim was lost with its connection and another process has taken it since. */
  readonly onLost: (error: DatabaseInUseError) => void;
}

/** Any number that no other advisory lock of this system uses. */
const CLAIM_LOCK = 7_026_003;

// A session that idles is the point; one whose process is gone without a word must not keep the claim for hours.
const SESSION_SETTINGS = `
  set idle_session_timeout = 0; set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3`;

/** A connection for the claim, and what tells its process at the server from all others. */
interface Session {
  readonly client: pg.Client;
  readonly pid: number;
  readonly since: string;
}

async function openSession(database: ClaimOptions["database"]): Promise<Session> {
  const client = await database.openClient();
  try {
    await client.query(SESSION_SETTINGS);
    const { rows } = await client.query<Pick<Session, "pid" | "since">>(
      "select pid, backend_start::text as since from pg_stat_activity where pid = pg_backend_pid()",
    );
    const [{ pid, since } = { pid: 0, since: "" }] = rows;
    return { client, pid, since };
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

async function tryLock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(`select pg_try_advisory_lock(${CLAIM_LOCK}) as locked`);
  return rows[0]?.locked === true;
}

/** Ends what is left at the server of a session whose connection is gone: it would hold the lock until that is noticed. */
async function endLost(client: pg.Client, { pid, since }: Session): Promise<void> {
  await client.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and backend_start::text = $2",
    [pid, since],
  );
}

/** Who has the claim, as far as the database tells this user. */
async function describeHolder(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ address: string | null; since: Date | null }>(`
    select host(client_addr) as address, backend_start as since
    from pg_locks left join pg_stat_activity using (pid)
    where locktype = 'advisory' and granted and classid = 0 and objid = ${CLAIM_LOCK}
      and database = (select oid from pg_database where datname = current_database())`);
  const [holder] = rows;
  const from = holder?.address == null ? "" : ` from ${holder.address}`;
  const since = holder?.since == null ? "" : ` since ${holder.since.toISOString()}`;
  return from + since;
}

/** Resolves when the connection is gone. */
function ended(client: pg.Client): Promise<void> {
  return new Promise((resolve) => {
    client.once("end", resolve);
    client.once("error", () => resolve());
  });
}

/** Waits for the lock. @throws DatabaseInUseError when another session still has it after the patience */
async function lock(client: pg.Client, options: ClaimOptions, signal?: AbortSignal): Promise<void> {
  const { log, patienceMs = 30_000, intervalMs = 250 } = options;
  const until = performance.now() + patienceMs;
  for (let isTold = false; !(await tryLock(client)); isTold = true) {
    if (!isTold) log.warn("another process uses the database; waiting for its end");
    if (performance.now() > until) throw new DatabaseInUseError(await describeHolder(client));
    await delay(intervalMs, undefined, { signal });
  }
}

class HeldClaim implements DatabaseClaim {
  readonly #options: ClaimOptions;
  readonly #released = new AbortController();
  #session: Session;
  readonly #watching: Promise<void>;

  constructor(options: ClaimOptions, session: Session) {
    this.#options = options;
    this.#session = session;
    this.#watching = this.#watch();
  }

  async release(): Promise<void> {
    this.#released.abort();
    await this.#session.client.end().catch(() => undefined);
    await this.#watching;
  }

  /** Claims again whenever the connection is lost, as long as it takes until the database is back. */
  async #watch(): Promise<void> {
    const { signal } = this.#released;
    while (!signal.aborted) {
      await ended(this.#session.client);
      while (!signal.aborted && !(await this.#claimAgain(signal))) {
        await delay(this.#options.intervalMs ?? 250, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  async #claimAgain(signal: AbortSignal): Promise<boolean> {
    const { database, log, onLost } = this.#options;
    let session: Session | undefined;
    try {
      session = await openSession(database);
      await endLost(session.client, this.#session);
      await lock(session.client, this.#options, signal);
      this.#session = session;
      // Released while the lock was under way: nobody else will end this connection.
      if (signal.aborted) await session.client.end();
      return true;
    } catch (error) {
      await session?.client.end().catch(() => undefined);
      if (error instanceof DatabaseInUseError) {
        this.#released.abort();
        onLost(error);
      } else if (!signal.aborted) log.debug({ err: error }, "the database cannot be claimed again yet");
      return false;
    }
  }
}

/**
 * Makes this process the only one that serves stations from the database, by a lock that the server gives back when
 * the connection ends: what is kept in memory, the order of events and the delivery of webhooks rest on it.
 *
 * @throws DatabaseInUseError when another process has it and does not end
 */
export async function claimDatabase(options: ClaimOptions): Promise<DatabaseClaim> {
  const session = await openSession(options.database);
  try {
    await lock(session.client, options);
  } catch (error) {
    await session.client.end().catch(() => undefined);
    throw error;
  }
  return new HeldClaim(options, session);
}

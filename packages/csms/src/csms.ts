import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import type { Timers } from "@polyphase/ocpp";
import type { Logger } from "pino";
import { keepTransactions } from "./blocks/transactions/index.ts";
import { type Clock, type ElapsedMs, systemClock } from "./clock.ts";
import { compose, migrations, type Parts, partitionedTables } from "./compose.ts";
import type { Config } from "./config.ts";
import { claimDatabase, type DatabaseInUseError } from "./database/database-claim.ts";
import type { ReadFreeSpace } from "./database/free-space.ts";
import { migrateDatabase } from "./database/migrate.ts";
import { startPartitionMaintenance } from "./database/partitions.ts";
import { EventStore, keepEvents } from "./events/index.ts";
import type { StationTls } from "./gateway/index.ts";
import { RetentionClock } from "./retention-clock.ts";
import { openStorage } from "./storage.ts";

/** The CSMS cannot start, for a reason that the operator can mend; the message says which. */
export class StartError extends Error {
  override readonly name = "StartError";
}

/** A CSMS that serves. */
export interface Csms {
  /** Base address of API, documentation and status page. */
  readonly httpUrl: string;
  readonly httpPort: number;
  /** Port for stations without TLS. */
  readonly ocppPort: number;
  /** Port for stations with TLS, when certificates are configured. */
  readonly ocppTlsPort?: number;
  /** The one-time link that creates the first administrator, where there is none. */
  readonly setupUrl?: string;
  readonly parts: Parts;
  /**
   * Resolves when another process has taken the database, which happens only after the connection to it was lost. The
   * CSMS must then be closed: what it keeps in memory is no longer true.
   */
  readonly databaseLost: Promise<DatabaseInUseError>;
  /**
   * Stops in order: no new stations and requests, answers that are under way go out, stations are closed with 1001,
   * what waits is written, the embedded database is stopped. May be called more than once.
   */
  close(): Promise<void>;
}

/** Times in milliseconds; each has a default. */
export interface DatabaseTimes {
  /** A server that says nothing for so long is away. */
  readonly answerTimeoutMs?: number;
  /** How long a connection is waited for, whether it is opened or comes free. */
  readonly connectTimeoutMs?: number;
  /** How long one attempt to store a group of writes may take. */
  readonly attemptTimeoutMs?: number;
  /** How long a write waits for a database that is away. */
  readonly patienceMs?: number;
}

/** How {@link startCsms} starts. */
export interface StartOptions {
  readonly config: Config;
  readonly log: Logger;
  /** Version of the product, as the API tells it. */
  readonly version: string;
  /** The machine's clock when absent. */
  readonly clock?: Clock;
  /** Passing time; the machine's when absent. */
  readonly elapsedMs?: ElapsedMs;
  /** Timers for what is waited for by minutes; the machine's when absent. */
  readonly timers?: Pick<Timers, "after">;
  /** How long a database that is away or slow is waited for; the defaults suit a fleet. */
  readonly databaseTimes?: DatabaseTimes;
  /** Reads the free space of the disk of the embedded database; that of the machine when absent. */
  readonly readFreeSpace?: ReadFreeSpace;
}

async function readPem(files: readonly string[]): Promise<string[]> {
  return await Promise.all(
    files.map((file) =>
      readFile(file, "utf8").catch((error: Error) => {
        throw new StartError(`the certificate file cannot be read: ${error.message}`, { cause: error });
      }),
    ),
  );
}

async function stationTls(config: Config): Promise<StationTls | undefined> {
  const { tlsCertificates, tlsKeys, tlsClientAuthorities, ocppTlsPort } = config;
  if (tlsCertificates === undefined || tlsKeys === undefined) return undefined;
  const keys = await readPem(tlsKeys);
  const certificates = (await readPem(tlsCertificates)).map((certificate, index) => ({
    certificate,
    privateKey: keys[index] ?? "",
  }));
  return {
    port: ocppTlsPort,
    certificates,
    clientAuthorities: tlsClientAuthorities === undefined ? undefined : await readPem(tlsClientAuthorities),
  };
}

function hostInUrl(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

async function listenHttp(parts: Parts, { host, httpPort }: Config): Promise<number> {
  try {
    await parts.server.listen({ host, port: httpPort });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    const why = "another process uses the port; end it or choose another one with POLYPHASE_HTTP_PORT";
    throw new StartError(`cannot listen for HTTP on ${host}:${httpPort}: ${why}`, { cause: error });
  }
  return (parts.server.server.address() as AddressInfo).port;
}

/**
 * Starts a CSMS: database, migrations, memory, listeners. What was started is stopped again when a later step fails.
 *
 * @throws StartError, ListenError, DatabaseConnectionError, EmbeddedDatabaseError, DatabaseInUseError,
 * DatabaseTooNewError, MigrationError
 *
 * @example
 * ```ts
 * const csms = await startCsms({ config: loadConfig(process.env), log: createLog(), version: "1.0.0" });
 * console.log(csms.httpUrl);
 * await csms.close();
 * ```
 */
export async function startCsms(options: StartOptions): Promise<Csms> {
  const { config, log, version, clock = systemClock } = options;
  const undo: (() => unknown)[] = [];
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    for (const step of undo.reverse()) {
      try {
        await step();
      } catch (error) {
        log.error({ err: error }, "a step of the stop failed; the others go on");
      }
    }
  };
  try {
    const tls = await stationTls(config);
    const { answerTimeoutMs, connectTimeoutMs, ...commitTimes } = options.databaseTimes ?? {};
    const { readFreeSpace } = options;
    const poolSize = config.databasePoolSize;
    const times = { answerTimeoutMs, connectTimeoutMs };
    const storage = await openStorage({ ...config, poolSize, log, ...times, readFreeSpace });
    undo.push(() => storage.close());
    const { kysely } = storage.database;
    let onLost: (error: DatabaseInUseError) => void = () => undefined;
    const databaseLost = new Promise<DatabaseInUseError>((resolve) => {
      onLost = resolve;
    });
    const claim = await claimDatabase({ database: storage.database, log, onLost });
    undo.push(() => claim.release());
    const done = await migrateDatabase(kysely, migrations);
    if (done.length > 0) log.info({ migrations: done }, "database migrated");
    const tables = partitionedTables(config);
    const lastStoredAt = await new EventStore(kysely).lastStoredAt();
    const retentionClock = new RetentionClock({ clock, log, lastStoredAt, elapsedMs: options.elapsedMs });
    const maintenance = await startPartitionMaintenance({ database: kysely, tables, clock, retentionClock, log });
    undo.push(() => maintenance.close());

    const parts = await compose({
      config,
      ...storage,
      commitTimes,
      clock,
      retentionClock,
      timers: options.timers,
      log,
      version,
    });
    undo.push(() => parts.close());
    await parts.load();
    const { eventRetentionDays, transactionRetentionDays } = config;
    if (Number.isFinite(eventRetentionDays)) {
      undo.push(keepEvents({ store: parts.eventStore, clock: retentionClock, log, retentionDays: eventRetentionDays }));
    }
    if (Number.isFinite(transactionRetentionDays)) {
      undo.push(
        keepTransactions({ database: kysely, clock: retentionClock, log, retentionDays: transactionRetentionDays }),
      );
    }

    undo.push(() => parts.server.close());
    const httpPort = await listenHttp(parts, config);
    undo.push(() => parts.gateway.close({ graceMs: config.shutdownGraceS * 1_000 }));
    const ocpp = await parts.gateway.listen({ host: config.host, port: config.ocppPort, tls });

    const httpUrl = `http://${hostInUrl(config.host)}:${httpPort}`;
    const setupUrl = config.adminToken === undefined ? parts.access.firstAdministrator.open(httpUrl) : undefined;
    return {
      httpUrl,
      httpPort,
      ocppPort: ocpp.port,
      ...(ocpp.tlsPort === undefined ? {} : { ocppTlsPort: ocpp.tlsPort }),
      ...(setupUrl === undefined ? {} : { setupUrl }),
      parts,
      databaseLost,
      close() {
        closing ??= close();
        return closing;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

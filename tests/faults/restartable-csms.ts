import { type Csms, createLog, loadConfig, startCsms } from "@polyphase/csms";
import { ManualTimers } from "@polyphase/ocpp";
import { ManualClock, startTestDatabase, type TestDatabase } from "@polyphase/testing";
import {
  type ApiAnswer,
  adminToken,
  callApi,
  patientDatabaseTimes,
  type RunningCsms,
  stationUrl,
} from "../system/running-csms.ts";

/** Where the clock of the CSMS stands when a test does not say. */
const STARTS_AT = "2026-03-10T12:00:00Z";

/** A CSMS in this process, by a clock that the test moves, that can be stopped and started again on its database. */
export class RestartableCsms implements RunningCsms {
  readonly clock: ManualClock;
  /** What transactions wait for by minutes passes when the test says so. */
  readonly timers = new ManualTimers();
  /** Its database, in which partitions are counted. */
  readonly databaseUrl: string;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #database: TestDatabase;
  #csms: Csms | undefined;
  #ready: Promise<Csms>;

  private constructor(database: TestDatabase, settings: Readonly<Record<string, string>>, clock: ManualClock) {
    this.#database = database;
    this.databaseUrl = database.url;
    this.#settings = settings;
    this.clock = clock;
    this.#ready = this.#start();
  }

  /** Starts with an empty database. `settings` are variables of the environment; `databaseOptions` are for PostgreSQL. */
  static async start(
    settings: Readonly<Record<string, string>> = {},
    options: { readonly clock?: ManualClock; readonly databaseOptions?: string } = {},
  ): Promise<RestartableCsms> {
    const database = await startTestDatabase();
    const url = new URL(database.url);
    if (options.databaseOptions !== undefined) url.searchParams.set("options", options.databaseOptions);
    const all = { DATABASE_URL: url.href, ...settings };
    const running = new RestartableCsms(database, all, options.clock ?? new ManualClock(STARTS_AT));
    await running.ready();
    return running;
  }

  get csms(): Csms {
    if (this.#csms === undefined) throw new Error("the CSMS does not run at the moment");
    return this.#csms;
  }

  /** Resolves when it serves, after a restart that is under way. */
  async ready(): Promise<void> {
    await this.#ready;
  }

  urlFor(version: Parameters<RunningCsms["urlFor"]>[0]): string {
    return stationUrl(version, this.csms.ocppPort);
  }

  async api(method: string, path: string, body?: unknown): Promise<ApiAnswer> {
    await this.ready();
    return callApi(this.csms.httpUrl, method, path, body);
  }

  /** Stops in good order and starts anew on the same database and other ports: nothing is left in memory. */
  async restart(): Promise<void> {
    const stopping = this.csms;
    this.#csms = undefined;
    this.#ready = stopping.close().then(() => this.#start());
    await this.#ready;
  }

  async close(): Promise<void> {
    await this.#ready;
    await this.csms.close();
    await this.#database.drop();
  }

  async #start(): Promise<Csms> {
    const config = loadConfig({
      POLYPHASE_OCPP_PORT: "0",
      POLYPHASE_HTTP_PORT: "0",
      POLYPHASE_ADMIN_TOKEN: adminToken,
      POLYPHASE_UNKNOWN_STATIONS: "accept",
      POLYPHASE_LOG_LEVEL: "silent",
      POLYPHASE_SHUTDOWN_GRACE_S: "1",
      ...this.#settings,
    });
    const log = createLog({ level: config.logLevel });
    const how = { clock: this.clock, timers: this.timers, databaseTimes: patientDatabaseTimes };
    this.#csms = await startCsms({ config, log, version: "0.0.0-test", ...how });
    return this.#csms;
  }
}

import { type CallsFrom, ManualTimers, type RequestOf, type ResponseOf } from "@polyphase/ocpp";
import { ManualClock, startTestDatabase, type TestDatabase } from "@polyphase/testing";
import Fastify, { type FastifyInstance } from "fastify";
import { type Kysely, sql } from "kysely";
import { pino } from "pino";
import { connectDatabase, type Database } from "../../database/connection.ts";
import { createGroupCommit, type GroupCommitter } from "../../database/group-commit.ts";
import { mergeMigrations, migrateDatabase } from "../../database/migrate.ts";
import type { GroupCommit, WriteUnit } from "../../database/write-unit.ts";
import type { DomainEvent } from "../../events/domain-event.ts";
import { EventLog, EventStore, migrations as eventMigrations } from "../../events/index.ts";
import { RegisteredRoutes } from "../../gateway/station-routes.ts";
import {
  type Authorization,
  type AuthorizationPolicy,
  migrations as authorizationMigrations,
  createAuthorization,
} from "../authorization/index.ts";
import { createMetering, type Metering, migrations as meteringMigrations } from "../metering/index.ts";
import { createTransactions, migrations, type Transactions } from "./index.ts";

const log = pino({ level: "silent" });

/** Stands between blocks and a real group commit, and makes commits fail when a test asks for it. */
class FaultyCommit implements GroupCommit {
  readonly #real: GroupCommit;
  /** Commits that will fail, before anything is stored. */
  failures = 0;

  constructor(real: GroupCommit) {
    this.#real = real;
  }

  unit(): WriteUnit {
    const unit = this.#real.unit();
    const faulty: WriteUnit = {
      add: (statement, row) => {
        unit.add(statement, row);
        return faulty;
      },
      publish: (event) => {
        unit.publish(event);
        return faulty;
      },
      commit: async () => {
        if (this.failures > 0) {
          this.failures -= 1;
          throw new Error("the commit failed, as the test wanted");
        }
        await unit.commit();
      },
    };
    return faulty;
  }
}

/** The blocks authorization, metering and transactions on a real database. */
export class TransactionBench {
  readonly clock = new ManualClock("2026-03-01T12:00:00Z");
  readonly timers = new ManualTimers();
  /** How many transactions that are over stay in memory after the next restart; undefined for the default. */
  keptAfterEnd: number | undefined;
  readonly events: DomainEvent[] = [];
  readonly #testDatabase: TestDatabase;
  readonly #database: Database;
  readonly #committer: GroupCommitter;
  readonly #eventLog: EventLog;
  readonly commits: FaultyCommit;
  readonly #policy: Partial<AuthorizationPolicy>;
  authorization: Authorization;
  metering: Metering;
  transactions: Transactions;
  #stations = 0;
  #routes = new RegisteredRoutes();
  #server: Promise<FastifyInstance> | undefined;

  private constructor(
    testDatabase: TestDatabase,
    database: Database,
    eventLog: EventLog,
    policy: Partial<AuthorizationPolicy>,
  ) {
    this.#testDatabase = testDatabase;
    this.#database = database;
    this.#eventLog = eventLog;
    this.#policy = policy;
    this.#committer = createGroupCommit({
      openClient: () => database.openClient({ pipeline: true }),
      events: eventLog,
      log,
    });
    this.commits = new FaultyCommit(this.#committer);
    eventLog.subscribe(({ event }) => this.events.push(event));
    [this.authorization, this.metering, this.transactions] = this.#compose();
  }

  /** Starts with an empty database. Unknown tokens are accepted unless the policy says otherwise. */
  static async start(policy: Partial<AuthorizationPolicy> = { unknownTokens: "accept" }): Promise<TransactionBench> {
    const testDatabase = await startTestDatabase();
    const database = await connectDatabase({ url: testDatabase.url, log });
    await migrateDatabase(
      database.kysely,
      mergeMigrations(eventMigrations, authorizationMigrations, migrations, meteringMigrations),
    );
    const eventLog = new EventLog({ store: new EventStore(database.kysely), log });
    await eventLog.load();
    const bench = new TransactionBench(testDatabase, database, eventLog, policy);
    await bench.load();
    return bench;
  }

  /** The identity of a station that no test has used. */
  newStation(): string {
    this.#stations += 1;
    return `CS-${this.#stations}`;
  }

  get kysely(): Kysely<unknown> {
    return this.#database.kysely;
  }

  /** As after a restart of the process: nothing but the database remains. */
  async restart(): Promise<void> {
    await this.transactions.settled();
    await this.transactions.close();
    this.#routes = new RegisteredRoutes();
    this.#server = undefined;
    [this.authorization, this.metering, this.transactions] = this.#compose();
    await this.load();
  }

  async stop(): Promise<void> {
    await this.transactions.close();
    await this.#committer.close();
    this.#eventLog.close();
    await this.#database.close();
    await this.#testDatabase.drop();
  }

  /** Sends a message of family 1 in words of 1.6. */
  async call1<A extends CallsFrom<"1.6", "ChargingStation">>(
    stationId: string,
    action: A,
    payload: RequestOf<"1.6", A>,
  ): Promise<ResponseOf<"1.6", A>> {
    return (await this.#call(1, stationId, action, payload)) as ResponseOf<"1.6", A>;
  }

  /** Sends a message of family 2 in words of 2.1. */
  async call2<A extends CallsFrom<"2.1", "ChargingStation">>(
    stationId: string,
    action: A,
    payload: RequestOf<"2.1", A>,
  ): Promise<ResponseOf<"2.1", A>> {
    return (await this.#call(2, stationId, action, payload)) as ResponseOf<"2.1", A>;
  }

  /** Asks the HTTP API. */
  async api(
    method: "GET" | "PUT" | "POST" | "DELETE",
    url: string,
    body?: object,
  ): Promise<{ status: number; body: Json }> {
    this.#server ??= this.#startServer();
    const server = await this.#server;
    const response = await server.inject(body === undefined ? { method, url } : { method, url, payload: body });
    return { status: response.statusCode, body: response.body === "" ? {} : response.json() };
  }

  /** The list of transactions of a station, oldest first. */
  async list(stationId: string): Promise<Json[]> {
    const { body } = await this.api("GET", `/transactions?limit=500&stationId=${encodeURIComponent(stationId)}`);
    return (body as { items: Json[] }).items.reverse();
  }

  /** The only transaction of a station, with its timeline and totals. @throws Error when it has none or several */
  async only(stationId: string): Promise<Json> {
    const all = await this.list(stationId);
    if (all.length !== 1) throw new Error(`${stationId} has ${all.length} transactions`);
    return this.detail(all[0]);
  }

  /** A transaction of a list, with its timeline and totals. */
  async detail(transaction: Json | undefined): Promise<Json> {
    return (await this.api("GET", `/transactions/${String(transaction?.id)}`)).body;
  }

  /** Counts rows of a table. */
  async count(table: string): Promise<number> {
    const { rows } = await sql<{ count: number }>`select count(*)::int as count from ${sql.table(table)}`.execute(
      this.kysely,
    );
    return rows[0]?.count ?? 0;
  }

  async load(): Promise<void> {
    await this.authorization.load();
    await this.transactions.load();
  }

  async #startServer(): Promise<FastifyInstance> {
    const server = Fastify({ routerOptions: { maxParamLength: 512 } });
    server.setErrorHandler((error: Error & { status?: number; statusCode?: number }, _request, reply) =>
      reply.status(error.status ?? error.statusCode ?? 500).send({ detail: error.message }),
    );
    for (const block of [this.authorization, this.transactions, this.metering]) await server.register(block.api);
    return server;
  }

  #compose(): [Authorization, Metering, Transactions] {
    const { clock } = this;
    const database = this.kysely;
    const groupCommit = this.commits;
    const authorization = createAuthorization({ database, groupCommit, clock, policy: this.#policy });
    const metering = createMetering({ database, clock, log });
    const transactions = createTransactions({
      database,
      groupCommit,
      authorization,
      metering,
      clock,
      timers: this.timers,
      ...(this.keptAfterEnd === undefined ? {} : { keptAfterEnd: this.keptAfterEnd }),
      log,
      pause: () => Promise.resolve(),
    });
    authorization.registerRoutes(this.#routes);
    transactions.registerRoutes(this.#routes);
    return [authorization, metering, transactions];
  }

  async #call(family: 1 | 2, stationId: string, action: string, payload: unknown): Promise<unknown> {
    const handler = this.#routes.find(family, action);
    if (handler === undefined) throw new Error(`nobody answers ${action}`);
    return await handler(payload as never, {
      stationId,
      family,
      version: family === 1 ? "1.6" : "2.1",
      messageId: "1",
      receivedAt: this.clock.now(),
      remoteAddress: "127.0.0.1",
    });
  }
}

/** A JSON object of an answer; tests look into it. */
export type Json = { readonly [Member: string]: unknown };

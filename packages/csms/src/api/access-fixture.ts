import { ManualClock, startTestDatabase, type TestDatabase } from "@polyphase/testing";
import { type Kysely, sql } from "kysely";
import { pino } from "pino";
import { Type } from "typebox";
import { connectDatabase, type Database } from "../database/connection.ts";
import { migrateDatabase } from "../database/migrate.ts";
import { type Access, createAccess } from "./access.ts";
import { Metrics } from "./metrics.ts";
import { migrations } from "./migrations.ts";
import { type ApiServer, createApi } from "./server.ts";

const log = pino({ level: "silent" });

/** The headers of whoever has a token. */
export const as = (token: string) => ({ authorization: `Bearer ${token}` });

/** The headers of the administrator whose token is configured. */
export const admin = as("the-admin-token");

/** An API key as it was answered when it was made. */
export interface CreatedKey {
  readonly id: string;
  readonly token: string;
  readonly expiresAt?: string;
}

/** Who may do what, and who did it: the server with API keys, audit log and set-up on a real database. */
export class AccessBench {
  readonly clock = new ManualClock();
  readonly #testDatabase: TestDatabase;
  readonly #database: Database;
  #running: { readonly access: Access; readonly server: ApiServer } | undefined;

  private constructor(testDatabase: TestDatabase, database: Database) {
    this.#testDatabase = testDatabase;
    this.#database = database;
  }

  /** Makes a database of its own; {@link close} removes it. */
  static async open(): Promise<AccessBench> {
    const testDatabase = await startTestDatabase();
    const database = await connectDatabase({ url: testDatabase.url, log });
    await migrateDatabase(database.kysely, migrations);
    return new AccessBench(testDatabase, database);
  }

  get database(): Kysely<unknown> {
    return this.#database.kysely;
  }

  get access(): Access {
    return this.#started.access;
  }

  get server(): ApiServer {
    return this.#started.server;
  }

  /** Forgets all keys and records, and starts with the token of {@link admin}. */
  async startEmpty(): Promise<void> {
    await sql`truncate api_key, audit_record`.execute(this.database);
    await this.start("the-admin-token");
  }

  /** Starts on what is stored. Beside its own routes it has one to ring bells, for operators. */
  async start(adminToken?: string): Promise<void> {
    const { clock } = this;
    const access = createAccess({ database: this.database, clock, log, adminToken });
    await access.load();
    const server = await createApi({
      ...{ log, clock, version: "0", credentials: access.keys, audit: access.audit, metrics: new Metrics() },
      plugins: [access.api, bells],
      rootPlugins: [access.pages],
    });
    this.#running = { access, server };
  }

  /** Ends the server; the database stays. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.server.close();
    await running?.access.close();
  }

  async close(): Promise<void> {
    await this.#database.close();
    await this.#testDatabase.drop();
  }

  /** Makes an API key as the administrator. */
  async createKey(body: object): Promise<{ status: number; key: CreatedKey }> {
    const request = { method: "POST", url: "/api/v1/api-keys", headers: admin, payload: body } as const;
    const response = await this.server.inject(request);
    return { status: response.statusCode, key: response.json() };
  }

  /** What somebody with a token is answered who lists the API keys, or rings a bell. */
  async statusWith(token: string, method: "GET" | "POST" = "GET"): Promise<number> {
    const headers = as(token);
    const response = await (method === "GET"
      ? this.server.inject({ url: "/api/v1/api-keys", headers })
      : this.server.inject({ method, url: "/api/v1/bells/1", headers, payload: { loud: true } }));
    return response.statusCode;
  }

  get #started() {
    if (this.#running === undefined) throw new Error("nothing was started");
    return this.#running;
  }
}

async function bells(app: Parameters<Access["api"]>[0]): Promise<void> {
  const schema = {
    operationId: "ringBell",
    params: Type.Object({ bellId: Type.String() }),
    body: Type.Object({ loud: Type.Boolean() }),
  };
  app.post("/bells/:bellId", { schema }, (request, reply) => {
    request.auditDetail = { loud: request.body.loud };
    return reply.status(204).send();
  });
}

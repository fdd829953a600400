import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import pg from "pg";

/** Where the tests of a run ask for their database server; set by {@link offerTestDatabases}. */
const ADDRESS_VARIABLE = "POLYPHASE_TEST_DATABASES";

/** A database server for tests. */
export interface TestDatabaseServer {
  /** Connection string of a role that may create databases. */
  readonly url: string;
  stop(): Promise<void>;
}

/** A database that belongs to one test file. */
export interface TestDatabase {
  readonly url: string;
  /** Breaks off what is still connected and removes it. May be called more than once. */
  drop(): Promise<void>;
}

/**
 * Called once for a whole test run: makes one database server available to every worker. It starts at the
 * first {@link startTestDatabase}, so that runs without a database do not pay for it.
 *
 * @returns the function that stops it
 */
export async function offerTestDatabases(start: () => Promise<TestDatabaseServer>): Promise<() => Promise<void>> {
  const secret = randomBytes(16).toString("hex");
  let started: Promise<TestDatabaseServer> | undefined;
  const server = createServer((request, response) => {
    if (request.url !== `/${secret}`) {
      response.writeHead(404).end();
      return;
    }
    started ??= start();
    started.then(
      ({ url }) => response.writeHead(200).end(url),
      (error: unknown) => response.writeHead(500).end(error instanceof Error ? error.message : String(error)),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  server.unref();
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the offer of test databases has no port");
  process.env[ADDRESS_VARIABLE] = `http://127.0.0.1:${address.port}/${secret}`;
  return async () => {
    delete process.env[ADDRESS_VARIABLE];
    server.closeAllConnections();
    server.close();
    await started?.then(
      (running) => running.stop(),
      () => undefined,
    );
  };
}

async function findServer(): Promise<string> {
  const address = process.env[ADDRESS_VARIABLE];
  if (address === undefined) throw new Error("no test run offers databases: vitest's globalSetup has not run");
  const response = await fetch(address, { headers: { connection: "close" } });
  const text = await response.text();
  if (!response.ok) throw new Error(`the test database server did not start: ${text}`);
  return text;
}

async function asAdministrator(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/**
 * Creates an empty database on the run's PostgreSQL (one server per run, started at the first call).
 *
 * @example
 * const database = await startTestDatabase();
 * afterAll(() => database.drop());
 */
export async function startTestDatabase(): Promise<TestDatabase> {
  const administratorUrl = await findServer();
  const name = `test_${randomBytes(8).toString("hex")}`;
  await asAdministrator(administratorUrl, `create database ${name}`);
  const url = new URL(administratorUrl);
  url.pathname = `/${name}`;
  let dropped: Promise<void> | undefined;
  return {
    url: url.href,
    drop() {
      dropped ??= asAdministrator(administratorUrl, `drop database if exists ${name} with (force)`);
      return dropped;
    },
  };
}

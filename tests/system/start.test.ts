import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CsmsProcess, freePort } from "./csms-process.ts";

let database: TestDatabase;
let folder: string;

beforeAll(async () => {
  database = await startTestDatabase();
  folder = await mkdtemp(join(tmpdir(), "polyphase start "));
});

afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

async function failure(settings: Readonly<Record<string, string>>): Promise<string> {
  const csms = await CsmsProcess.create({ DATABASE_URL: database.url, ...settings });
  expect(await csms.startAndFail()).toBe(1);
  // What explains itself has no stack.
  expect(csms.output).not.toMatch(/^\s+at /m);
  return csms.output;
}

async function occupy(): Promise<{ server: Server; port: number }> {
  const port = await freePort();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { server, port };
}

describe("a CSMS that cannot start says why", () => {
  it("when another process has the port for stations", async () => {
    const { server, port } = await occupy();
    expect(await failure({ POLYPHASE_OCPP_PORT: String(port) })).toMatch(
      new RegExp(`127\\.0\\.0\\.1:${port}.*another process uses the port`),
    );
    server.close();
  });

  it("when another process has the port for HTTP", async () => {
    const { server, port } = await occupy();
    expect(await failure({ POLYPHASE_HTTP_PORT: String(port) })).toMatch(
      new RegExp(`HTTP on 127\\.0\\.0\\.1:${port}.*another process uses the port`),
    );
    server.close();
  });

  it("when the configuration is wrong, all mistakes at once", async () => {
    const output = await failure({ POLYPHASE_OCPP_PORT: "70000", POLYPHASE_UNKNOWN_STATIONS: "maybe" });
    expect(output).toContain("POLYPHASE_OCPP_PORT must be a whole number from 0 to 65535");
    expect(output).toContain("POLYPHASE_UNKNOWN_STATIONS must be one of reject, pending, accept");
  });

  it("when the database cannot be reached, without telling the password", async () => {
    const output = await failure({ DATABASE_URL: `postgres://user:hidden@127.0.0.1:${await freePort()}/none` });
    expect(output).toMatch(/database.*nothing listens there/i);
    expect(output).not.toContain("hidden");
  });

  it("when the database was written by a newer version", async () => {
    const own = await startTestDatabase();
    const client = new pg.Client({ connectionString: own.url });
    await client.connect();
    await client.query(
      "create table schema_migration (name varchar(255) primary key, timestamp varchar(255) not null)",
    );
    await client.query("insert into schema_migration values ('9999-from-the-future', now()::text)");
    await client.end();
    expect(await failure({ DATABASE_URL: own.url })).toContain("9999-from-the-future");
    await own.drop();
  });

  it("when a certificate file is missing", async () => {
    const missing = join(folder, "missing.pem");
    expect(await failure({ POLYPHASE_TLS_CERT: missing, POLYPHASE_TLS_KEY: missing })).toContain(missing);
  });
});

describe("a CSMS without an administrator", () => {
  it("prints a link that creates the first one, once", async () => {
    const csms = await CsmsProcess.create({ DATABASE_URL: database.url, POLYPHASE_ADMIN_TOKEN: "" });
    await csms.start();
    const [, base, token] = /first administrator: open once (http:\S+)\/setup#(\S+)/.exec(csms.output) ?? [];
    const create = () =>
      fetch(`${base}/api/v1/setup`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ token, name: "first" }),
      });
    const created = await create();
    expect(created.status).toBe(201);
    const { token: apiKey } = (await created.json()) as { token: string };
    const stations = await fetch(`${base}/api/v1/stations`, { headers: { authorization: `Bearer ${apiKey}` } });
    expect(stations.status).toBe(200);
    expect((await create()).status).toBe(403);
    expect(await csms.end("SIGINT")).toBe(0);
  });
});

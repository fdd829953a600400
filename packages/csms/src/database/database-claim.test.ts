import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import { sql } from "kysely";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connectDatabase, type Database } from "./connection.ts";
import { type ClaimOptions, claimDatabase, DatabaseInUseError } from "./database-claim.ts";

const log = pino({ level: "silent" });
let testDatabase: TestDatabase;
let database: Database;

beforeEach(async () => {
  testDatabase = await startTestDatabase();
  database = await connectDatabase({ url: testDatabase.url, log });
});

afterEach(async () => {
  await database.close();
  await testDatabase.drop();
});

function claim(more: Partial<ClaimOptions> = {}) {
  const onLost = () => {
    throw new Error("the claim was lost");
  };
  return claimDatabase({ database, log, patienceMs: 0, intervalMs: 5, onLost, ...more });
}

/** Ends the connections that hold or wait for a claim, as a restart of the server does. */
async function cutConnections(): Promise<void> {
  const client = await database.openClient();
  // Other tests claim databases of the same server.
  await client.query(
    `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid = 7026003
       and database = (select oid from pg_database where datname = current_database())`,
  );
  await client.end();
}

/** Process of the server that holds the claim. */
async function holder(): Promise<number | undefined> {
  const { rows } = await sql<{ pid: number }>`
    select pid from pg_locks where locktype = 'advisory' and objid = 7026003 and granted
      and database = (select oid from pg_database where datname = current_database())`.execute(database.kysely);
  return rows[0]?.pid;
}

test("a second process is refused, and told since when the database is in use", async () => {
  const first = await claim();
  const second = claim();
  await expect(second).rejects.toBeInstanceOf(DatabaseInUseError);
  await expect(second).rejects.toThrow(/another Polyphase uses this database.* since \d{4}-\d\d-\d\dT/);
  await first.release();
  await (await claim()).release();
});

test("a second process waits for the end of the first, which may have been killed", async () => {
  const first = await claim();
  const second = claim({ patienceMs: 60_000 });
  await first.release();
  await (await second).release();
});

test("another database of the same server is free", async () => {
  const first = await claim();
  const otherDatabase = await startTestDatabase();
  const other = await connectDatabase({ url: otherDatabase.url, log });
  await (await claim({ database: other })).release();
  await first.release();
  await other.close();
  await otherDatabase.drop();
});

test("a claim whose connection is lost is taken again and kept from others", async () => {
  const held = await claim({ patienceMs: 60_000 });
  for (let round = 0; round < 3; round++) {
    await cutConnections();
    // The claim is free for a moment only.
    for (;;) {
      const taken = await claim().catch((error: unknown) => error);
      if (taken instanceof DatabaseInUseError) break;
      await (taken as { release(): Promise<void> }).release();
    }
  }
  await held.release();
  await (await claim()).release();
});

test("a claim is taken again although the server has not noticed yet that its connection is gone", async () => {
  const relay = createServer();
  const halves: Socket[] = [];
  const { hostname, port } = new URL(testDatabase.url);
  relay.on("connection", (near) => {
    const far = connect({ host: hostname, port: Number(port) });
    halves.push(near, far);
    // As a firewall that forgets: one side is told of the end, the other is not.
    near.on("data", (chunk) => far.write(chunk)).on("error", () => undefined);
    far.on("data", (chunk) => near.write(chunk)).on("error", () => undefined);
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  const url = new URL(testDatabase.url);
  url.host = `127.0.0.1:${(relay.address() as AddressInfo).port}`;
  const relayed = await connectDatabase({ url: url.href, log });
  let lost: DatabaseInUseError | undefined;
  const onLost = (error: DatabaseInUseError) => {
    lost = error;
  };
  const held = await claim({ database: relayed, onLost, patienceMs: 60_000 });
  const before = await holder();
  expect(before).toBeGreaterThan(0);
  halves.at(-2)?.destroy();
  while (lost === undefined && [before, undefined].includes(await holder())) await new Promise(setImmediate);
  expect(lost).toBeUndefined();
  await held.release();
  await relayed.close();
  for (const half of halves) half.destroy();
  relay.close();
});

test("a process that lost its claim to another one is told", async () => {
  let openings = 0;
  let letAgain = () => {};
  const mayOpen = new Promise<void>((resolve) => {
    letAgain = resolve;
  });
  // The first opening is for the first claim, the next one comes when its connection is lost.
  const slow = {
    openClient: async () => {
      openings += 1;
      if (openings > 1) await mayOpen;
      return database.openClient();
    },
  };
  let tell: (error: DatabaseInUseError) => void = () => {};
  const lost = new Promise<DatabaseInUseError>((resolve) => {
    tell = resolve;
  });
  await claim({ database: slow, onLost: tell });
  await expect(claim()).rejects.toBeInstanceOf(DatabaseInUseError);
  await cutConnections();
  const thief = await claim({ patienceMs: 60_000 });
  letAgain();
  expect(await lost).toBeInstanceOf(DatabaseInUseError);
  await thief.release();
});

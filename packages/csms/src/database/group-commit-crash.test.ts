import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import pg from "pg";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DomainEvent } from "../events/domain-event.ts";
import { EventLog, EventStore, migrations } from "../events/index.ts";
import { connectDatabase, type Database } from "./connection.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded-postgres.ts";
import { createGroupCommit } from "./group-commit.ts";
import { migrateDatabase } from "./migrate.ts";
import { identifyProcess } from "./process-identity.ts";

const log = pino({ level: "silent" });
let root: string;
let postgres: EmbeddedPostgres;
let database: Database;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "polyphase-crash-"));
  // Nothing but a commit brings the log of changes to the disk, so that a crash loses what was not committed.
  const settings = { wal_writer_delay: "10s", autovacuum: "off" };
  postgres = await startEmbeddedPostgres({ directory: path.join(root, "postgres"), settings });
  database = await connectDatabase({ url: postgres.url, log });
  await migrateDatabase(database.kysely, migrations);
});

afterAll(async () => {
  await database.close();
  await postgres.stop();
  await rm(root, { recursive: true, force: true });
});

async function ended(pid: number): Promise<void> {
  await expect.poll(() => identifyProcess(pid), { interval: 10 }).toBeUndefined();
}

/** Connects as soon as the server is back. */
async function reconnect(): Promise<pg.Client> {
  for (;;) {
    const client = new pg.Client({ connectionString: postgres.url, pipeline: true });
    client.on("error", () => undefined);
    try {
      await client.connect();
      return client;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Lets other transactions commit until one of them has had a number; tells whether it came up again. */
async function useUp(transactionId: bigint): Promise<boolean> {
  const client = await reconnect();
  try {
    for (;;) {
      const { rows } = await client.query<{ id: string }>("select pg_current_xact_id()::text as id");
      const id = BigInt(rows[0]?.id ?? 0);
      if (id >= transactionId) return id === transactionId;
    }
  } finally {
    await client.end();
  }
}

/** Opens a client whose server crashes when it is told to commit, before anything of the transaction is on the disk. */
async function openDoomed(told: (transactionId: bigint) => void): Promise<pg.Client> {
  const client = await reconnect();
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  const send = client.query.bind(client) as (...given: readonly unknown[]) => Promise<unknown>;
  const query = async (...given: readonly unknown[]): Promise<unknown> => {
    if (given[0] !== "commit") {
      const result = await send(...given);
      const last = (Array.isArray(result) ? result.at(-1) : undefined) as pg.QueryResult<{ xid?: string }> | undefined;
      const xid = last?.rows[0]?.xid;
      if (xid !== undefined) told(BigInt(xid));
      return result;
    }
    const server = postgres.pid;
    process.kill(server, "SIGKILL");
    process.kill(rows[0]?.pid ?? 0, "SIGKILL");
    await ended(server);
    throw new Error("Connection terminated unexpectedly");
  };
  return Object.assign(client, { query });
}

test("a group that a crash of the server lost is stored again, also when its transaction number was given to another", async () => {
  const store = new EventStore(database.kysely);
  const events = new EventLog({ store, log });
  await events.load();
  let transactionId = 0n;
  let attempts = 0;
  let cameUpAgain = false;
  const groupCommit = createGroupCommit({
    async openClient() {
      attempts++;
      if (attempts === 1) return openDoomed((id) => (transactionId = id));
      if (attempts === 2) cameUpAgain = await useUp(transactionId);
      return reconnect();
    },
    events,
    log,
    patienceMs: 60_000,
  });
  const delivered: string[] = [];
  events.subscribe(({ event }) => delivered.push(event.stationId));
  const event: DomainEvent = { type: "station.deleted", stationId: "CS1", timestamp: new Date(0), data: {} };
  await groupCommit.unit().publish(event).commit();
  expect(cameUpAgain).toBe(true);
  const stored = await store.list({ limit: 10 });
  expect(stored.map(({ event: { stationId } }) => stationId)).toEqual(["CS1"]);
  expect(delivered).toEqual(["CS1"]);
  await groupCommit.close();
  events.close();
});

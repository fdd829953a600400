import type { WireMessage } from "@polyphase/ocpp";
import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import { type Kysely, sql } from "kysely";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { connectDatabase, type Database } from "../../database/connection.ts";
import { migrateDatabase } from "../../database/migrate.ts";
import { maintainPartitions } from "../../database/partitions.ts";
import { migrations } from "../migrations.ts";
import { MessageLog, messageLogTable } from "./message-log.ts";
import { readMessages } from "./message-page.ts";

const log = pino({ level: "silent" });
const clock = { now: () => new Date("2024-05-01T10:00:00Z") };
let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  database = await connectDatabase({ url: testDatabase.url, log });
  await migrateDatabase(database.kysely, migrations);
  await maintainPartitions(database.kysely, messageLogTable(), clock.now());
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

const message = (identity: string, messageId: string, text = "[]"): WireMessage => ({
  identity,
  version: "1.6",
  transport: "OCPP-J",
  direction: "received",
  kind: "CALL",
  action: "StatusNotification",
  messageId,
  text,
});

it("keeps the order of thousands of messages, and pages through them", async () => {
  const messages = new MessageLog({ database: database.kysely, clock, log });
  for (let index = 0; index < 2_500; index += 1) messages.record(message("CP1", String(index)));
  await messages.close();
  const newest = await readMessages(database.kysely, { stationId: "CP1", limit: 3 });
  expect(newest.map(({ messageId }) => messageId)).toEqual(["2499", "2498", "2497"]);
  const beforeId = newest.at(-1)?.id;
  const next = await readMessages(database.kysely, { stationId: "CP1", beforeId, limit: 2_600 });
  expect(next).toHaveLength(2_497);
  expect(next.at(-1)?.messageId).toBe("0");
});

it("stores texts that PostgreSQL would refuse, and cuts endless ones", async () => {
  const messages = new MessageLog({ database: database.kysely, clock, log });
  messages.record(message("CP2", "nul\0", 'a\0b "\\ \ud800 é'));
  messages.record(message("CP2", "long", "x".repeat(300_000)));
  await messages.close();
  const [long, odd] = await readMessages(database.kysely, { stationId: "CP2", limit: 5 });
  expect(odd).toMatchObject({ messageId: "nul\uFFFD", text: 'a\uFFFDb "\\ \uFFFD é' });
  expect(long?.text.length).toBeLessThan(263_000);
  expect(long?.text).toContain("300000 characters");
});

it("stores a CALL and its answer as one, and lists and filters them as two", async () => {
  let atMs = Date.parse("2024-05-01T10:00:00Z");
  const messages = new MessageLog({ database: database.kysely, clock: { now: () => new Date(atMs) }, log });
  const answer = (identity: string, messageId: string): WireMessage => ({
    ...message(identity, messageId, `[3,"${messageId}",{}]`),
    direction: "sent",
    kind: "CALLRESULT",
  });
  messages.record(message("CP5", "1"));
  messages.record(message("CP5", "2"));
  messages.record(message("CP6", "1"));
  atMs += 50;
  messages.record({ ...answer("CP5", "1"), kind: "CALLERROR", errorCode: "InternalError" });
  messages.record(answer("CP5", "2"));
  messages.record(answer("CP5", "2"));
  messages.record({ ...answer("CP6", "1"), direction: "received" });
  await messages.close();
  const read = async (filter: object) =>
    (await readMessages(database.kysely, { stationId: "CP5", limit: 9, ...filter })).map(
      ({ direction, kind, messageId }) => `${direction} ${kind} ${messageId}`,
    );
  expect(await read({})).toEqual([
    "sent CALLRESULT 2",
    "sent CALLRESULT 2",
    "received CALL 2",
    "sent CALLERROR 1",
    "received CALL 1",
  ]);
  const { rows } = await sql`select from station_message where station_id = 'CP5'`.execute(database.kysely);
  expect(rows).toHaveLength(3);
  expect(await read({ stationId: "CP6" })).toEqual(["received CALLRESULT 1", "received CALL 1"]);
  expect(await read({ kind: "CALLERROR" })).toEqual(["sent CALLERROR 1"]);
  expect(await read({ direction: "received", limit: 1 })).toEqual(["received CALL 2"]);
  expect(await read({ from: "2024-05-01T10:00:00.010Z" })).toHaveLength(3);
  expect(await read({ to: "2024-05-01T10:00:00.010Z" })).toEqual(["received CALL 2", "received CALL 1"]);
  const errors = await readMessages(database.kysely, { stationId: "CP5", messageId: "1", limit: 9 });
  expect(errors.map(({ errorCode, text }) => [errorCode, text])).toEqual([
    ["InternalError", '[3,"1",{}]'],
    [null, "[]"],
  ]);
  const paged: string[] = [];
  let beforeId: number | undefined;
  for (;;) {
    const [next] = await readMessages(database.kysely, { stationId: "CP5", limit: 1, beforeId });
    if (next === undefined) break;
    paged.push(`${next.direction} ${next.kind} ${next.messageId}`);
    beforeId = next.id;
  }
  expect(paged).toEqual(await read({}));
});

it("stores an answer by itself when its CALL was written before", async () => {
  const messages = new MessageLog({ database: database.kysely, clock, log });
  messages.record(message("CP8", "1"));
  await messages.flush();
  messages.record({ ...message("CP8", "1"), direction: "sent", kind: "CALLRESULT" });
  await messages.close();
  const found = await readMessages(database.kysely, { stationId: "CP8", limit: 9 });
  expect(found.map(({ kind }) => kind)).toEqual(["CALLRESULT", "CALL"]);
});

it("filters by time, kind and message id", async () => {
  const messages = new MessageLog({ database: database.kysely, clock, log });
  messages.record(message("CP3", "1"));
  messages.record({ ...message("CP3", "2"), kind: "CALLERROR", errorCode: "InternalError" });
  await messages.close();
  const read = async (filter: object) =>
    (await readMessages(database.kysely, { stationId: "CP3", limit: 5, ...filter })).map(({ messageId }) => messageId);
  expect(await read({ kind: "CALLERROR" })).toEqual(["2"]);
  expect(await read({ messageId: "1" })).toEqual(["1"]);
  expect(await read({ from: "2024-05-01T10:00:00Z" })).toEqual(["2", "1"]);
  expect(await read({ to: "2024-05-01T10:00:00Z" })).toEqual([]);
});

it("keeps messages while the database is away and writes them later, but not without bound", async () => {
  let isAway = true;
  const dropped: number[] = [];
  const flaky = {
    executeQuery: (query: Parameters<Kysely<unknown>["executeQuery"]>[0]) =>
      isAway ? Promise.reject(new Error("away")) : database.kysely.executeQuery(query),
  } as unknown as Kysely<unknown>;
  const messages = new MessageLog({
    ...{ database: flaky, clock, log, maxWaitingLength: 30 },
    dropped: (count) => dropped.push(count),
  });
  for (let index = 0; index < 5; index += 1) messages.record(message("CP4", String(index), "ten chars."));
  await messages.flush();
  expect(dropped).toEqual([2]);
  isAway = false;
  await messages.close();
  const stored = await readMessages(database.kysely, { stationId: "CP4", limit: 9 });
  expect(stored.map(({ messageId }) => messageId)).toEqual(["2", "1", "0"]);
});

it("waits for no sync of the disk, and leaves that to itself", async () => {
  const durable = await connectDatabase({ url: `${testDatabase.url}?options=-c%20synchronous_commit%3Don`, log });
  await sql`
    create table seen (synchronous_commit text);
    create function see() returns trigger language plpgsql as
      $$ begin insert into seen values (current_setting('synchronous_commit')); return null; end $$;
    create constraint trigger see after insert on station_message deferrable initially deferred
      for each row execute function see()
  `.execute(database.kysely);
  const messages = new MessageLog({ database: durable.kysely, clock, log });
  messages.record(message("CP7", "1"));
  await messages.close();
  expect((await sql`select synchronous_commit from seen`.execute(database.kysely)).rows).toEqual([
    { synchronous_commit: "off" },
  ]);
  expect((await sql`show synchronous_commit`.execute(durable.kysely)).rows).toEqual([{ synchronous_commit: "on" }]);
  await durable.close();
});

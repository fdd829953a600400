import { EventEmitter, on } from "node:events";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import type pg from "pg";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../clock.ts";
import { connectDatabase, type Database } from "../../database/connection.ts";
import { BEGIN_GROUP } from "../../database/group-scope.ts";
import { migrateDatabase } from "../../database/migrate.ts";
import type { DomainEvent } from "../../events/domain-event.ts";
import { EventLog } from "../../events/event-log.ts";
import { EventStore } from "../../events/event-store.ts";
import { migrations } from "../../events/migrations.ts";
import { Metrics } from "../metrics.ts";
import { type ApiServer, createApi } from "../server.ts";
import { eventRoutes } from "./routes.ts";

const logged = new EventEmitter();
const log = pino({ level: "debug" }, { write: (line) => logged.emit("line", line) });
let testDatabase: TestDatabase;
let database: Database;
let store: EventStore;
let writer: pg.Client;

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  database = await connectDatabase({ url: testDatabase.url, log });
  await migrateDatabase(database.kysely, migrations);
  store = new EventStore(database.kysely);
  writer = await database.openClient();
});
afterAll(async () => {
  await writer?.end();
  await database?.close();
  await testDatabase?.drop();
});

let events: EventLog;
let server: ApiServer;
let port: number;
let isAllowed: boolean;
const opened: ClientRequest[] = [];

async function start(
  settings: { recentEvents?: number; keepAliveMs?: number; stallMs?: number; maxStreams?: number } = {},
) {
  isAllowed = true;
  events = new EventLog({ store, log, recentEvents: settings.recentEvents ?? 10 });
  await events.load();
  server = await createApi({
    log,
    clock: systemClock,
    version: "0",
    credentials: { callerOfKey: () => ({ name: "n", role: "viewer" }), callerOfAdminToken: () => undefined },
    audit: { isBehind: false, append: async () => undefined },
    metrics: new Metrics(),
    plugins: [eventRoutes({ events, store, isStillAllowed: () => isAllowed, ...settings })],
  });
  await server.listen({ host: "127.0.0.1", port: 0 });
  port = (server.server.address() as AddressInfo).port;
}

beforeEach(() => start());
afterEach(async () => {
  for (const request of opened.splice(0)) request.destroy();
  await server.close();
});

async function commit(...group: readonly DomainEvent[]): Promise<void> {
  await writer.query(BEGIN_GROUP);
  const { rows } = await writer.query<{ id: number }>(events.insert(group));
  const reserved = events.reserve(group, rows);
  await writer.query("commit");
  reserved.committed();
}

function booted(stationId: string, reason = "PowerUp"): DomainEvent {
  const timestamp = new Date("2026-03-01T12:00:00Z");
  return { type: "station.booted", stationId, timestamp, data: { reason, vendorName: "V", model: "M" } };
}

const headers = { authorization: "Bearer key" };

/** Opens the stream as a program would, over a socket. */
function open(query = "", extra: Record<string, string> = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      port,
      host: "127.0.0.1",
      path: `/api/v1/events${query}`,
      headers: { ...headers, ...extra },
    });
    opened.push(request);
    request.on("response", resolve).on("error", reject).end();
  });
}

interface Message {
  id?: string;
  event?: string;
  data?: { id: number; stationId: string };
  comment?: string;
}

/** Reads messages of a stream as the standard says. */
async function* messages(response: IncomingMessage): AsyncGenerator<Message> {
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) {
    text += String(chunk);
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
      const message: Message = {};
      for (const line of text.slice(0, end).split("\n")) {
        const [, name = "", value = ""] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
        if (name === "data") message.data = JSON.parse(value);
        else if (name === "") message.comment = value;
        else if (name === "id" || name === "event") message[name] = value;
      }
      text = text.slice(end + 2);
      if (Object.keys(message).length > 0) yield message;
    }
  }
}

async function take(response: IncomingMessage, count: number): Promise<Message[]> {
  const taken: Message[] = [];
  for await (const message of messages(response)) {
    taken.push(message);
    if (taken.length === count) break;
  }
  return taken;
}

async function isLogged(text: string): Promise<void> {
  for await (const [line] of on(logged, "line")) if (String(line).includes(text)) return;
}

const stations = (list: readonly Message[]) => list.map(({ data }) => data?.stationId);

describe("the event stream", () => {
  it("begins with the next event and tells id, type and the event", async () => {
    await commit(booted("before"));
    const response = await open();
    expect(response.statusCode).toBe(200);
    expect(response.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
    expect(response.headers["content-security-policy"]).toContain("default-src 'none'");
    await commit(booted("A"));
    const [message] = await take(response, 1);
    expect(message).toEqual({
      id: String(events.newestId),
      event: "station.booted",
      data: {
        id: events.newestId,
        type: "station.booted",
        stationId: "A",
        timestamp: "2026-03-01T12:00:00.000Z",
        data: { reason: "PowerUp", vendorName: "V", model: "M" },
      },
    });
  });

  it("resumes after Last-Event-ID without gap or repeat between history and live, while events keep coming", async () => {
    const before = events.newestId;
    const total = 300;
    let written = 0;
    const write = async (count: number) => {
      for (let index = 0; index < count; index += 1) await commit(booted(`S${written++}`));
    };
    await write(50);
    const writing = write(total - 50);
    const seen: string[] = [];
    let last = String(before);
    while (seen.length < total) {
      // Every connection is lost after some messages, the way a mobile client loses it.
      const response = await open("", { "last-event-id": last });
      const taken = await take(response, Math.min(37, total - seen.length));
      seen.push(...taken.map(({ data }) => data?.stationId ?? ""));
      last = taken.at(-1)?.id ?? last;
      response.destroy();
    }
    await writing;
    expect(seen).toEqual(Array.from({ length: total }, (_, index) => `S${index}`));
  });

  it("begins where after or since say, and prefers the header", async () => {
    const before = events.newestId;
    await commit(booted("1"), booted("2"));
    expect(stations(await take(await open(`?after=${before}`), 2))).toEqual(["1", "2"]);
    expect(stations(await take(await open(`?after=0`, { "last-event-id": String(before + 1) }), 1))).toEqual(["2"]);
    const since = new Date(Date.now() - 86_400_000).toISOString();
    expect((await take(await open(`?since=${since}`), 1))[0]?.data?.id).toBeLessThanOrEqual(before + 1);
  });

  it("does not wait for an id that another database gave", async () => {
    const response = await open("", { "last-event-id": "999999999" });
    await commit(booted("A"));
    expect(stations(await take(response, 1))).toEqual(["A"]);
  });

  it("filters by station and type", async () => {
    const response = await open("?stationId=B&type=station.booted,station.deleted");
    await commit(
      booted("A"),
      { ...booted("B"), type: "station.connected", data: { version: "1.6", remoteAddress: "" } },
      booted("B"),
    );
    expect(await take(response, 1)).toMatchObject([{ event: "station.booted", data: { stationId: "B" } }]);
  });

  it("writes a comment with the reached id when nothing happens", async () => {
    await server.close();
    await start({ keepAliveMs: 5 });
    const response = await open("?stationId=nobody");
    expect(await take(response, 1)).toEqual([{ comment: "keep-alive", id: String(events.newestId) }]);
  });

  it.each([
    ["while nothing happens", { keepAliveMs: 5 }],
    ["before the next event", { keepAliveMs: 60_000 }],
  ])("ends when the key it was opened with is deleted, %s", async (_name, settings) => {
    await server.close();
    await start(settings);
    const response = await open();
    isAllowed = false;
    if (settings.keepAliveMs === 60_000) await commit(booted("secret"));
    const seen = [];
    for await (const message of messages(response)) if (message.data !== undefined) seen.push(message);
    expect(seen).toEqual([]);
  });

  it("ends when the server closes, so that closing does not hang", async () => {
    const response = await open();
    const ended = new Promise((resolve) => response.on("end", resolve));
    response.resume();
    await server.close();
    await ended;
  });

  it("cuts a reader that takes nothing, and keeps no more than a batch for it", async () => {
    await server.close();
    await start({ stallMs: 3_000, recentEvents: 100 });
    const response = await open(`?after=${events.newestId}`);
    const cut = isLogged('"end":"stalled"');
    const filler = "x".repeat(20_000);
    const others = take(await open(), 600);
    for (let round = 0; round < 12; round += 1) {
      await commit(...Array.from({ length: 50 }, (_, index) => booted(`R${round}-${index}`, filler)));
    }
    expect(stations(await others).at(-1)).toBe("R11-49");
    await cut;
    const lost = new Promise((resolve) => response.on("error", resolve));
    response.resume();
    await lost;
    expect(response.complete).toBe(false);
  });

  it("refuses more streams than it is made for", async () => {
    await server.close();
    await start({ maxStreams: 1 });
    await open();
    const second = await open();
    expect(second.statusCode).toBe(503);
    expect(second.headers["content-type"]).toContain("application/problem+json");
  });

  it("says first that history was deleted", async () => {
    await commit(booted("old"));
    await store.deleteBefore(new Date(Date.now() + 60_000), 1_000_000);
    await commit(booted("new"));
    const [first, second] = await take(await open("?after=1"), 2);
    expect(first?.event).toBe("history.truncated");
    expect(second?.data?.stationId).toBe("new");
  });
});

describe("the list of events", () => {
  it("gives pages newest first until the end", async () => {
    const since = new Date();
    await commit(...["1", "2", "3", "4", "5"].map((id) => booted(`list-${id}`)));
    const seen: string[] = [];
    let cursor = "";
    do {
      const page: { items: { stationId: string }[]; nextCursor: string | null } = (
        await server.inject({
          url: `/api/v1/events?limit=2&type=station.booted&since=${since.toISOString()}${cursor}`,
          headers,
        })
      ).json();
      seen.push(...page.items.map(({ stationId }) => stationId));
      cursor = page.nextCursor === null ? "" : `&cursor=${page.nextCursor}`;
    } while (cursor !== "");
    expect(seen).toEqual(["list-5", "list-4", "list-3", "list-2", "list-1"]);
  });

  it("is chosen by Accept", async () => {
    const response = await server.inject({
      url: "/api/v1/events",
      headers: { ...headers, accept: "application/json" },
    });
    expect(response.headers["content-type"]).toContain("application/json");
    expect(response.json().items.length).toBeGreaterThan(0);
  });

  it("refuses a cursor that it did not give", async () => {
    for (const cursor of [
      "nonsense",
      Buffer.from('["x"]').toString("base64url"),
      Buffer.from("[1,2]").toString("base64url"),
    ]) {
      const response = await server.inject({ url: `/api/v1/events?cursor=${cursor}`, headers });
      expect(response.statusCode).toBe(400);
      expect(response.json().errors).toMatchObject([{ in: "query", field: "/cursor" }]);
    }
  });
});

import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ManualClock, startTestDatabase, type TestDatabase } from "@polyphase/testing";
import fc from "fast-check";
import { sql } from "kysely";
import type pg from "pg";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connectDatabase, type Database } from "../../database/connection.ts";
import { BEGIN_GROUP } from "../../database/group-scope.ts";
import { migrateDatabase } from "../../database/migrate.ts";
import type { DomainEvent } from "../../events/domain-event.ts";
import { EventLog } from "../../events/event-log.ts";
import { EventStore } from "../../events/event-store.ts";
import { migrations as eventMigrations } from "../../events/migrations.ts";
import { Metrics } from "../metrics.ts";
import { type ApiServer, createApi } from "../server.ts";
import { migrations } from "./migrations.ts";
import { GIVE_UP_AFTER_MS, LONGEST_WAIT_MS, retryWaitMs } from "./retry-schedule.ts";
import { webhookRoutes } from "./routes.ts";
import { createSecret, isSecret, sign } from "./signature.ts";
import { WebhookStore } from "./webhook-store.ts";
import { Webhooks } from "./webhooks.ts";

const log = pino({ level: "silent" });
let testDatabase: TestDatabase;
let database: Database;
let writer: pg.Client;

interface Delivery {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly event: { id: number; type: string; stationId: string };
}

/** A receiver on loopback that answers what the test says. */
let receiver: Server;
let url: string;
let deliveries: Delivery[];
let answers: ({ status: number; headers?: Record<string, string> } | "hang" | "reset")[];
let arrived: () => void = () => undefined;

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  database = await connectDatabase({ url: testDatabase.url, log });
  await migrateDatabase(database.kysely, { ...eventMigrations, ...migrations });
  writer = await database.openClient();
  receiver = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    deliveries.push({ headers: request.headers, body, event: JSON.parse(body) });
    const answer = answers.shift() ?? { status: 204 };
    arrived();
    if (answer === "hang") return;
    if (answer === "reset") return void request.socket.destroy();
    response.writeHead(answer.status, answer.headers).end("x");
  }).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
});
afterAll(async () => {
  receiver?.closeAllConnections();
  receiver?.close();
  await writer?.end();
  await database?.close();
  await testDatabase?.drop();
});

const clock = new ManualClock();
let events: EventLog;
let webhooks: Webhooks;
let server: ApiServer;
let waits: number[];
let onWait: () => void;
/** How much longer than asked for a wait takes, as on a machine that sleeps. */
let lateness: number;

async function start(): Promise<void> {
  events = new EventLog({ store: new EventStore(database.kysely), log });
  await events.load();
  webhooks = new Webhooks({
    store: new WebhookStore(database.kysely),
    events,
    clock,
    log,
    random: () => 1,
    wait: async (timeMs) => {
      waits.push(timeMs);
      clock.advance(timeMs * lateness);
      onWait();
    },
  });
  await webhooks.load();
  server = await createApi({
    log,
    clock,
    version: "0",
    credentials: {
      callerOfKey: (token) => ({ name: token, role: token === "boss" ? "administrator" : "operator" }),
      callerOfAdminToken: () => undefined,
    },
    audit: { isBehind: false, append: async () => undefined },
    metrics: new Metrics(),
    plugins: [webhookRoutes(webhooks)],
  });
}

async function stop(): Promise<void> {
  await server.close();
  await webhooks.close();
}

beforeEach(async () => {
  await sql`truncate webhook cascade`.execute(database.kysely);
  deliveries = [];
  answers = [];
  waits = [];
  lateness = 1;
  onWait = () => undefined;
  await start();
});
afterEach(stop);

async function commit(...stationIds: readonly string[]): Promise<void> {
  const group = stationIds.map(
    (stationId): DomainEvent => ({
      type: "station.booted",
      stationId,
      timestamp: new Date("2026-03-01T12:00:00Z"),
      data: { reason: "PowerUp", vendorName: "V", model: "M" },
    }),
  );
  await writer.query(BEGIN_GROUP);
  const { rows } = await writer.query<{ id: number }>(events.insert(group));
  const reserved = events.reserve(group, rows);
  await writer.query("commit");
  reserved.committed();
}

async function received(count: number): Promise<void> {
  while (deliveries.length < count) {
    await new Promise<void>((resolve) => {
      arrived = resolve;
    });
  }
}

const headers = { authorization: "Bearer boss" };
const stations = () => deliveries.map(({ event }) => event.stationId);

async function create(body: Record<string, unknown> = {}): Promise<{ id: string; secret: string }> {
  const response = await server.inject({ method: "POST", url: "/api/v1/webhooks", headers, payload: { url, ...body } });
  expect(response.statusCode).toBe(201);
  return response.json();
}

async function show(id: string) {
  return (await server.inject({ url: `/api/v1/webhooks/${id}`, headers })).json();
}

/** Waits for what a worker does on its own by asking the API as a user would. */
async function shows(id: string, expected: Record<string, unknown>): Promise<void> {
  for (;;) {
    const found = await show(id);
    if (Object.entries(expected).every(([name, value]) => found[name] === value)) return;
    await new Promise(setImmediate);
  }
}

/** Waits until so many attempts are stored. */
async function attemptsOf(id: string, count: number): Promise<readonly unknown[]> {
  for (;;) {
    const { items } = (await server.inject({ url: `/api/v1/webhooks/${id}/attempts`, headers })).json();
    if (items.length >= count) return items;
    await new Promise(setImmediate);
  }
}

describe("delivery", () => {
  it("posts each event from the next on, in order, signed as Standard Webhooks says", async () => {
    await commit("before");
    const { secret } = await create({ description: "billing" });
    await commit("A", "B");
    await commit("C");
    await received(3);
    expect(stations()).toEqual(["A", "B", "C"]);
    for (const { headers: given, body, event } of deliveries) {
      expect(given["content-type"]).toBe("application/json; charset=utf-8");
      expect(given["webhook-id"]).toBe(`event_${event.id}`);
      expect(given["webhook-timestamp"]).toBe(String(Math.floor(clock.now().getTime() / 1000)));
      const key = Buffer.from(secret.slice("whsec_".length), "base64");
      const text = `${given["webhook-id"]}.${given["webhook-timestamp"]}.${body}`;
      expect(given["webhook-signature"]).toBe(`v1,${createHmac("sha256", key).update(text).digest("base64")}`);
    }
  });

  it("tries an event again until it is taken, before any later one, and keeps its id", async () => {
    answers = [{ status: 500 }, "reset", { status: 302, headers: { location: url } }, { status: 200 }];
    const { id } = await create();
    await commit("A", "B");
    await received(5);
    expect(stations()).toEqual(["A", "A", "A", "A", "B"]);
    expect(new Set(deliveries.slice(0, 4).map((one) => one.headers["webhook-id"])).size).toBe(1);
    expect(waits).toEqual([5_000, 10_000, 20_000]);
    // The worker shows how far it came before it stores the attempts.
    const attempts = await attemptsOf(id, 5);
    expect(attempts).toMatchObject([
      { attempt: 1, status: 204 },
      { attempt: 4, status: 200 },
      { attempt: 3, status: 302, error: "answered 302" },
      { attempt: 2, error: expect.stringContaining("fetch failed") },
      { attempt: 1, status: 500, error: "answered 500" },
    ]);
    const page = (await server.inject({ url: `/api/v1/webhooks/${id}/attempts?limit=2`, headers })).json();
    const rest = await server.inject({ url: `/api/v1/webhooks/${id}/attempts?cursor=${page.nextCursor}`, headers });
    expect(rest.json().items).toHaveLength(3);
  });

  it("waits as long as the receiver asks with Retry-After", async () => {
    answers = [{ status: 429, headers: { "retry-after": "120" } }];
    await create();
    await commit("A");
    await received(2);
    expect(waits).toEqual([120_000]);
  });

  it("gives each webhook only what it asked for", async () => {
    await create({ types: ["station.deleted"] });
    await create({ stationId: "B", types: ["station.booted"] });
    await commit("A", "B", "C");
    await commit("B");
    await received(2);
    expect(stations()).toEqual(["B", "B"]);
  });

  it("goes on after a restart where it stopped, and delivers what came in between", async () => {
    const { id } = await create();
    await commit("A");
    await received(1);
    await shows(id, { lastEventId: deliveries[0]?.event.id });
    await stop();
    await commit("B");
    await start();
    await commit("C");
    await received(3);
    expect(stations()).toEqual(["A", "B", "C"]);
  });

  it("delivers again what was under way when the process died", async () => {
    answers = ["hang"];
    await create();
    await commit("A");
    await received(1);
    await stop();
    await start();
    await received(2);
    expect(stations()).toEqual(["A", "A"]);
    expect(deliveries[1]?.headers["webhook-id"]).toBe(deliveries[0]?.headers["webhook-id"]);
  });

  it("remembers over a restart how often it failed", async () => {
    answers = [{ status: 500 }, "hang", "hang"];
    const { id } = await create();
    await commit("A");
    await received(2);
    await stop();
    await start();
    expect((await show(id)).failure).toMatchObject({ attempts: 1 });
    await received(3);
  });
});

describe("giving up", () => {
  it("disables a webhook whose deliveries fail for days, and goes on with the same event when it is enabled", async () => {
    answers = Array.from({ length: 100 }, () => ({ status: 503 }));
    lateness = 24;
    const { id } = await create();
    const started = clock.now().getTime();
    await commit("A");
    await shows(id, { enabled: false });
    expect(clock.now().getTime() - started).toBeGreaterThanOrEqual(GIVE_UP_AFTER_MS);
    expect((await show(id)).disabledReason).toBe("deliveries failed for 5 days");
    const before = deliveries.length;
    await commit("B");
    answers = [];
    const change = { method: "PATCH", url: `/api/v1/webhooks/${id}`, headers, payload: { enabled: true } } as const;
    const enabled = (await server.inject(change)).json();
    expect(enabled).toMatchObject({ enabled: true });
    expect(enabled).not.toHaveProperty("failure");
    expect(enabled).not.toHaveProperty("disabledReason");
    await received(before + 2);
    expect(stations().slice(before)).toEqual(["A", "B"]);
  });

  it("is not hurried by a clock that is set ahead, nor put off by one that is set back", async () => {
    answers = Array.from({ length: 4 }, () => ({ status: 503 }));
    // The first wait sets the clock ahead by weeks, the second sets it back by years.
    const jumpsMs = [30 * 86_400_000, -3 * 365 * 86_400_000];
    onWait = () => clock.advance(jumpsMs.shift() ?? 0);
    const { id } = await create();
    await commit("A");
    await received(5);
    expect(Math.max(...waits)).toBeLessThanOrEqual(LONGEST_WAIT_MS);
    await shows(id, { enabled: true });
    expect(stations().at(-1)).toBe("A");
  });

  it("disables a webhook at once when the receiver answers 410", async () => {
    answers = [{ status: 410 }];
    const { id } = await create();
    await commit("A");
    await shows(id, { enabled: false, disabledReason: "the receiver answered 410 Gone" });
    await stop();
    await start();
    await shows(id, { enabled: false });
    expect(deliveries).toHaveLength(1);
  });
});

describe("the routes", () => {
  it("show a secret when it is made, and never again", async () => {
    const { id, secret } = await create();
    expect(isSecret(secret)).toBe(true);
    const list = await server.inject({ url: "/api/v1/webhooks", headers });
    expect(list.json().items).toMatchObject([{ id, url, types: [], enabled: true, createdBy: "boss" }]);
    expect(list.body).not.toContain(secret.slice(6));
  });

  it("change address, filter and secret", async () => {
    const { id } = await create({ types: ["station.deleted"], stationId: "X" });
    const secret = createSecret();
    const payload = { types: [], stationId: null, secret, description: "new" };
    const changed = await server.inject({ method: "PATCH", url: `/api/v1/webhooks/${id}`, headers, payload });
    expect(changed.json()).toMatchObject({ types: [], description: "new" });
    expect(changed.json()).not.toHaveProperty("stationId");
    await commit("A");
    await received(1);
    const [one] = deliveries;
    const time = new Date(Number(one?.headers["webhook-timestamp"]) * 1000);
    expect(one?.headers["webhook-signature"]).toBe(
      sign(secret, String(one?.headers["webhook-id"]), time, one?.body ?? "")["webhook-signature"],
    );
  });

  it("delete a webhook", async () => {
    const { id } = await create();
    const gone = await server.inject({ method: "DELETE", url: `/api/v1/webhooks/${id}`, headers });
    expect(gone.statusCode).toBe(204);
    expect((await server.inject({ url: `/api/v1/webhooks/${id}`, headers })).statusCode).toBe(404);
    await create({ stationId: "B" });
    await commit("A", "B");
    await received(1);
    expect(stations()).toEqual(["B"]);
  });

  it("post a test event and tell what came of it", async () => {
    const { id } = await create();
    answers = [{ status: 418 }];
    const response = await server.inject({ method: "POST", url: `/api/v1/webhooks/${id}/test`, headers });
    expect(response.json()).toMatchObject({ status: 418, error: "answered 418" });
    expect(deliveries[0]?.event.type).toBe("webhook.test");
  });

  it.each([
    ["an address that is none", { url: "hook" }, "/url"],
    ["another scheme", { url: "file:///etc/passwd" }, "/url"],
    ["credentials in the address", { url: "http://user:password@host/" }, "/url"],
    ["a short secret", { url: "http://host/", secret: "whsec_c2hvcnQ=" }, "/secret"],
    ["something unknown", { url: "http://host/", colour: "red" }, "/colour"],
  ])("refuse %s", async (_name, payload, field) => {
    const response = await server.inject({ method: "POST", url: "/api/v1/webhooks", headers, payload });
    expect(response.statusCode).toBe(400);
    expect(response.json().errors[0].field).toBe(field);
  });

  it("are for administrators only", async () => {
    const response = await server.inject({
      method: "POST",
      url: "/api/v1/webhooks",
      headers: { authorization: "Bearer desk" },
      payload: { url },
    });
    expect(response.statusCode).toBe(403);
  });
});

describe("the parts", () => {
  it("signs as the example of Standard Webhooks", () => {
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const body = '{"test": 2432232314}';
    const time = new Date(1_614_265_330_000);
    expect(sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", time, body)["webhook-signature"]).toBe(
      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    );
  });

  it("waits longer after each failure, never more than an hour, and varies", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        (attempts, random) => {
          const waitMs = retryWaitMs(attempts, random);
          expect(waitMs).toBeGreaterThanOrEqual(2_500);
          expect(waitMs).toBeLessThanOrEqual(3_600_000);
          expect(retryWaitMs(attempts + 1, random)).toBeGreaterThanOrEqual(waitMs);
          expect(retryWaitMs(attempts, random, 7_200)).toBe(3_600_000);
        },
      ),
    );
  });
});

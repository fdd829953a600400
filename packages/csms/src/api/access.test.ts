import { ManualClock, startTestDatabase, type TestDatabase } from "@polyphase/testing";
import fc from "fast-check";
import { sql } from "kysely";
import { pino } from "pino";
import { Type } from "typebox";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connectDatabase, type Database } from "../database/connection.ts";
import { migrateDatabase } from "../database/migrate.ts";
import { type Access, createAccess } from "./access.ts";
import { AuditLog } from "./audit/audit-log.ts";
import { type AuditEntry, chainAfter, hashOf } from "./audit/audit-record.ts";
import { AuditStore } from "./audit/audit-store.ts";
import { Metrics } from "./metrics.ts";
import { migrations } from "./migrations.ts";
import { type ApiServer, createApi } from "./server.ts";

const log = pino({ level: "silent" });
let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  database = await connectDatabase({ url: testDatabase.url, log });
  await migrateDatabase(database.kysely, migrations);
});
afterAll(async () => {
  await database?.close();
  await testDatabase?.drop();
});

const clock = new ManualClock();
let access: Access;
let server: ApiServer;

async function start(adminToken?: string): Promise<void> {
  access = createAccess({ database: database.kysely, clock, log, adminToken });
  await access.load();
  server = await createApi({
    log,
    clock,
    version: "0",
    credentials: access.keys,
    audit: access.audit,
    metrics: new Metrics(),
    plugins: [
      access.api,
      async (app) => {
        app.post(
          "/bells/:bellId",
          {
            schema: {
              operationId: "ringBell",
              params: Type.Object({ bellId: Type.String() }),
              body: Type.Object({ loud: Type.Boolean() }),
            },
          },
          (request, reply) => {
            request.auditDetail = { loud: (request.body as { loud: boolean }).loud };
            return reply.status(204).send();
          },
        );
      },
    ],
    rootPlugins: [access.pages],
  });
}

async function stop(): Promise<void> {
  await server.close();
  await access.close();
}

beforeEach(async () => {
  await sql`truncate api_key, audit_record`.execute(database.kysely);
  await start("the-admin-token");
});
afterEach(stop);

const as = (token: string) => ({ authorization: `Bearer ${token}` });
const admin = as("the-admin-token");

async function createKey(body: Record<string, unknown>) {
  const response = await server.inject({ method: "POST", url: "/api/v1/api-keys", headers: admin, payload: body });
  return { status: response.statusCode, key: response.json() as { id: string; token: string; expiresAt?: string } };
}

async function statusWith(token: string, method: "GET" | "POST" = "GET"): Promise<number> {
  const response = await server.inject({
    method,
    url: method === "GET" ? "/api/v1/api-keys" : "/api/v1/bells/1",
    headers: as(token),
    ...(method === "POST" ? { payload: { loud: true } } : {}),
  });
  return response.statusCode;
}

describe("API keys", () => {
  it("work with the role they were created for, and survive a restart", async () => {
    const { status, key } = await createKey({ name: "desk", role: "operator" });
    expect(status).toBe(201);
    expect(key.token).toMatch(/^ppk_[\w-]{43}$/);
    expect(await statusWith(key.token, "POST")).toBe(204);
    expect(await statusWith(key.token)).toBe(403);
    await stop();
    await start("the-admin-token");
    expect(await statusWith(key.token, "POST")).toBe(204);
  });

  it("are stored as hashes only", async () => {
    const { key } = await createKey({ name: "desk", role: "viewer" });
    const { rows } = await sql<{ row: string }>`select api_key::text as row from api_key`.execute(database.kysely);
    expect(rows).toHaveLength(1);
    expect(rows[0]?.row).not.toContain(key.token);
    expect(rows[0]?.row).not.toContain(key.token.slice(4));
  });

  it("are listed without their tokens, with the time of last use", async () => {
    const { key } = await createKey({ name: "desk", role: "operator" });
    clock.advance(60_000);
    await statusWith(key.token, "POST");
    const list = await server.inject({ url: "/api/v1/api-keys", headers: admin });
    expect(list.json()).toEqual({
      items: [
        {
          id: key.id,
          name: "desk",
          role: "operator",
          createdAt: new Date(clock.now().getTime() - 60_000).toISOString(),
          createdBy: "admin-token",
          lastUsedAt: clock.now().toISOString(),
        },
      ],
      nextCursor: null,
    });
    await stop();
    await start("the-admin-token");
    const again = await server.inject({ url: "/api/v1/api-keys", headers: admin });
    expect(again.json()).toEqual(list.json());
  });

  it("are paged in order of creation", async () => {
    for (const name of ["a", "b", "c"]) {
      await createKey({ name, role: "viewer" });
      clock.advance(1);
    }
    const first = (await server.inject({ url: "/api/v1/api-keys?limit=2", headers: admin })).json();
    const second = (
      await server.inject({ url: `/api/v1/api-keys?limit=2&cursor=${first.nextCursor}`, headers: admin })
    ).json();
    expect([...first.items, ...second.items].map((key: { name: string }) => key.name)).toEqual(["a", "b", "c"]);
    expect(second.nextCursor).toBeNull();
  });

  it("are refused after they expire", async () => {
    const expiresAt = new Date(clock.now().getTime() + 1_000).toISOString();
    const { key } = await createKey({ name: "temp", role: "operator", expiresAt });
    expect(await statusWith(key.token, "POST")).toBe(204);
    expect(access.keys.isStillAllowed({ name: "temp", role: "operator", keyId: key.id })).toBe(true);
    clock.advance(1_000);
    expect(await statusWith(key.token, "POST")).toBe(401);
    expect(access.keys.isStillAllowed({ name: "temp", role: "operator", keyId: key.id })).toBe(false);
    const past = await server.inject({
      method: "POST",
      url: "/api/v1/api-keys",
      headers: admin,
      payload: { name: "x", role: "viewer", expiresAt },
    });
    expect(past.json().errors).toMatchObject([{ field: "/expiresAt", rule: "future" }]);
  });

  it("are refused once deleted, also after a restart", async () => {
    const { key } = await createKey({ name: "desk", role: "operator" });
    const gone = await server.inject({ method: "DELETE", url: `/api/v1/api-keys/${key.id}`, headers: admin });
    expect(gone.statusCode).toBe(204);
    expect(await statusWith(key.token, "POST")).toBe(401);
    const again = await server.inject({ method: "DELETE", url: `/api/v1/api-keys/${key.id}`, headers: admin });
    expect(again.statusCode).toBe(404);
    await stop();
    await start("the-admin-token");
    expect(await statusWith(key.token, "POST")).toBe(401);
  });

  it("cannot be created, listed or deleted by an operator", async () => {
    const { key } = await createKey({ name: "desk", role: "operator" });
    const post = await server.inject({
      method: "POST",
      url: "/api/v1/api-keys",
      headers: as(key.token),
      payload: { name: "x", role: "administrator" },
    });
    expect(post.statusCode).toBe(403);
    const gone = await server.inject({ method: "DELETE", url: `/api/v1/api-keys/${key.id}`, headers: as(key.token) });
    expect(gone.statusCode).toBe(403);
  });
});

describe("the first administrator", () => {
  const post = (token: string, name = "first") =>
    server.inject({ method: "POST", url: "/api/v1/setup", payload: { token, name } });

  beforeEach(async () => {
    await stop();
    await start();
  });

  it("is created by the one-time link, which is dead afterwards", async () => {
    const link = access.firstAdministrator.open("http://127.0.0.1:8080");
    expect(link).toMatch(/^http:\/\/127\.0\.0\.1:8080\/setup#[\w-]{43}$/);
    const token = link?.split("#")[1] ?? "";
    expect((await server.inject({ url: "/setup" })).statusCode).toBe(200);
    expect((await post("wrong")).statusCode).toBe(403);
    const created = await post(token);
    expect(created.statusCode).toBe(201);
    expect(await statusWith(created.json().token)).toBe(200);
    expect((await post(token)).statusCode).toBe(403);
    expect((await server.inject({ url: "/setup" })).statusCode).toBe(410);
    expect(access.firstAdministrator.open("http://x")).toBeUndefined();
    const records = await new AuditStore(database.kysely).list({ limit: 10 });
    expect(records).toMatchObject([{ actor: "setup", action: "createFirstAdministrator" }]);
  });

  it("is created once when two requests use the link at the same time", async () => {
    const token = access.firstAdministrator.open("")?.split("#")[1] ?? "";
    const outcomes = await Promise.all([post(token), post(token)]);
    expect(outcomes.map(({ statusCode }) => statusCode).sort()).toEqual([201, 403]);
  });

  it("cannot be created after a restart with the old link", async () => {
    const token = access.firstAdministrator.open("")?.split("#")[1] ?? "";
    await stop();
    await start();
    expect((await post(token)).statusCode).toBe(403);
    access.firstAdministrator.open("");
    expect((await post(token)).statusCode).toBe(403);
  });

  it("slows down guessing", async () => {
    access.firstAdministrator.open("");
    for (let attempt = 0; attempt < 10; attempt += 1) expect((await post("guess")).statusCode).toBe(403);
    const limited = await post("guess");
    expect(limited.statusCode).toBe(429);
    expect(limited.json().type).toBe("/api/problems/too-many-attempts");
    expect(Number(limited.headers["retry-after"])).toBeGreaterThan(0);
  });

  it("cannot delete the last two administrator keys at once", async () => {
    const create = (name: string) => access.keys.create({ name, role: "administrator", createdBy: "test" });
    const keys = [await create("one"), await create("two")];
    const outcomes = await Promise.allSettled(keys.map(({ key }) => access.keys.delete(key.id)));
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(access.keys.hasAdministrator()).toBe(true);
  });

  it("cannot delete the last administrator key", async () => {
    const token = access.firstAdministrator.open("")?.split("#")[1] ?? "";
    const first = (await post(token)).json();
    const remove = (id: string) =>
      server.inject({ method: "DELETE", url: `/api/v1/api-keys/${id}`, headers: as(first.token) });
    expect((await remove(first.id)).statusCode).toBe(409);
    const second = await server.inject({
      method: "POST",
      url: "/api/v1/api-keys",
      headers: as(first.token),
      payload: { name: "second", role: "administrator" },
    });
    expect(second.statusCode).toBe(201);
    expect((await remove(first.id)).statusCode).toBe(204);
  });

  it("is set up on a page with labels and no inline script", async () => {
    access.firstAdministrator.open("");
    const page = await server.inject({ url: "/setup" });
    expect(page.body).toContain('<label for="token">');
    expect(page.body).not.toMatch(/<script(?![^>]*\bsrc=)|\son\w+=|style=/);
    expect((await server.inject({ url: "/setup.js" })).headers["content-type"]).toContain("text/javascript");
  });
});

describe("the audit log", () => {
  it("tells who did what with which outcome, also what was refused, but not what was read", async () => {
    const { key } = await createKey({ name: "desk", role: "operator" });
    await statusWith(key.token, "POST");
    await statusWith(key.token);
    await server.inject({ method: "POST", url: "/api/v1/api-keys?x=1", headers: as(key.token), payload: {} });
    await server.inject({ method: "POST", url: "/api/v1/bells/2", headers: admin, payload: { loud: "very" } });
    await server.inject({ method: "POST", url: "/api/v1/bells/3", payload: {} });
    const page = (await server.inject({ url: "/api/v1/audit", headers: admin })).json();
    expect(page.items).toMatchObject([
      { sequence: 4, actor: "admin-token", action: "ringBell", target: "/api/v1/bells/2", status: 400 },
      { sequence: 3, actor: "desk", action: "createApiKey", target: "/api/v1/api-keys", status: 403, keyId: key.id },
      {
        sequence: 2,
        actor: "desk",
        action: "ringBell",
        target: "/api/v1/bells/1",
        status: 204,
        detail: { loud: true },
        role: "operator",
      },
      {
        sequence: 1,
        actor: "admin-token",
        action: "createApiKey",
        status: 201,
        detail: { keyId: key.id, name: "desk", role: "operator" },
      },
    ]);
    const filtered = (await server.inject({ url: "/api/v1/audit?actor=desk&limit=1", headers: admin })).json();
    expect(filtered.items.map((record: { sequence: number }) => record.sequence)).toEqual([3]);
    const rest = (
      await server.inject({ url: `/api/v1/audit?actor=desk&limit=1&cursor=${filtered.nextCursor}`, headers: admin })
    ).json();
    expect(rest.items.map((record: { sequence: number }) => record.sequence)).toEqual([2]);
    expect((await server.inject({ url: "/api/v1/audit", headers: as(key.token) })).statusCode).toBe(403);
  });

  it("stays intact with text that PostgreSQL stores differently", async () => {
    await access.audit.append({
      at: new Date(),
      actor: "half \ud83d",
      role: "nul \0",
      action: "",
      target: "\u0085\u00ff",
      status: 200,
      requestId: "😀",
      remoteAddress: "::1",
      detail: { "nul \0": "half \udc00", number: 1e21, nested: { undefined, null: null } },
    });
    expect(await verdict()).toMatchObject({ isIntact: true, records: 1 });
  });

  async function verdict() {
    return (await server.inject({ url: "/api/v1/audit/verification", headers: admin })).json();
  }

  async function ring(times: number): Promise<void> {
    for (let count = 0; count < times; count += 1) await statusWith("the-admin-token", "POST");
  }

  it("is intact when nobody touched it, also when many actions come at once", async () => {
    await Promise.all(Array.from({ length: 20 }, () => ring(3)));
    expect(await verdict()).toMatchObject({
      isIntact: true,
      records: 60,
      lastHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it.each([
    ["a changed actor", sql`update audit_record set actor = 'somebody' where sequence = 2`, 2],
    ["a changed outcome", sql`update audit_record set status = 500 where sequence = 2`, 2],
    ["a changed time", sql`update audit_record set at = at + interval '1 millisecond' where sequence = 2`, 2],
    ["a changed detail", sql`update audit_record set detail = '{}' where sequence = 2`, 2],
    ["a removed record", sql`delete from audit_record where sequence = 2`, 3],
    ["a removed first record", sql`delete from audit_record where sequence = 1`, 2],
    [
      "swapped records",
      sql`update audit_record set sequence = case sequence when 2 then -3 else -2 end where sequence in (2, 3)`,
      4,
    ],
  ])("shows %s", async (_name, tampering, brokenAt) => {
    await createKey({ name: "desk", role: "operator" });
    await server.inject({ method: "POST", url: "/api/v1/bells/2", headers: admin, payload: { loud: false } });
    await server.inject({ method: "POST", url: "/api/v1/bells/2", headers: admin, payload: { loud: "very" } });
    await ring(2);
    expect((await verdict()).isIntact).toBe(true);
    await tampering.execute(database.kysely);
    await sql`update audit_record set sequence = -sequence where sequence < 0`.execute(database.kysely);
    const { isIntact, ...found } = await verdict();
    expect(isIntact).toBe(false);
    expect(found.brokenAt).toBeLessThanOrEqual(brokenAt);
  });

  it("hashes every value of a record: any change of any entry changes the hash", () => {
    const entry = fc.record({
      at: fc.date({ noInvalidDate: true, min: new Date(0), max: new Date("2100-01-01") }),
      actor: fc.string(),
      keyId: fc.option(fc.string(), { nil: undefined }),
      role: fc.string(),
      action: fc.string(),
      target: fc.string(),
      status: fc.integer(),
      requestId: fc.string(),
      remoteAddress: fc.string(),
      detail: fc.dictionary(fc.string(), fc.jsonValue() as fc.Arbitrary<unknown>),
    });
    fc.assert(
      fc.property(entry, entry, (first: AuditEntry, second: AuditEntry) => {
        const record = chainAfter(undefined, first);
        const changed = chainAfter(undefined, second);
        const { hash: _, ...same } = record;
        expect(hashOf(same).equals(record.hash)).toBe(true);
        const isSame =
          JSON.stringify({ ...first, keyId: first.keyId ?? null }) ===
          JSON.stringify({ ...second, keyId: second.keyId ?? null });
        expect(changed.hash.equals(record.hash)).toBe(isSame);
      }),
    );
  });

  it("refuses changes while it cannot be written, and catches up afterwards", async () => {
    let isDown = true;
    const stored: AuditEntry[] = [];
    const failing = {
      append: async (entries: readonly AuditEntry[]) => {
        if (isDown) throw new Error("down");
        stored.push(...entries);
        return [];
      },
    } as unknown as AuditStore;
    const audit = new AuditLog({ store: failing, log, retryMs: 1 });
    const entry: AuditEntry = {
      at: clock.now(),
      actor: "a",
      role: "r",
      action: "x",
      target: "t",
      status: 200,
      requestId: "1",
      remoteAddress: "",
      detail: {},
    };
    const first = audit.append(entry);
    const second = audit.append({ ...entry, requestId: "2" });
    while (!audit.isBehind) await new Promise(setImmediate);
    isDown = false;
    await Promise.all([first, second]);
    expect(audit.isBehind).toBe(false);
    expect(stored.map(({ requestId }) => requestId)).toEqual(["1", "2"]);
    await audit.close();
  });

  it("answers 503 to a change while it is behind, and still serves reads", async () => {
    const behind = await createApi({
      log,
      clock,
      version: "0",
      credentials: access.keys,
      audit: { isBehind: true, append: async () => undefined },
      metrics: new Metrics(),
      plugins: [access.api],
    });
    const change = await behind.inject({
      method: "POST",
      url: "/api/v1/api-keys",
      headers: admin,
      payload: { name: "x", role: "viewer" },
    });
    expect(change.statusCode).toBe(503);
    expect(change.json().type).toBe("/api/problems/database-unavailable");
    expect((await behind.inject({ url: "/api/v1/api-keys", headers: admin })).statusCode).toBe(200);
    await behind.close();
  });
});

import fc from "fast-check";
import { sql } from "kysely";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AccessBench, admin, as } from "../access-fixture.ts";
import { Metrics } from "../metrics.ts";
import { createApi } from "../server.ts";
import { AuditLog } from "./audit-log.ts";
import { type AuditEntry, chainAfter, hashOf } from "./audit-record.ts";
import type { AuditStore } from "./audit-store.ts";

const log = pino({ level: "silent" });
let bench: AccessBench;

beforeAll(async () => {
  bench = await AccessBench.open();
});
afterAll(() => bench.close());
beforeEach(() => bench.startEmpty());
afterEach(() => bench.stop());

describe("the audit log", () => {
  it("tells who did what with which outcome, also what was refused, but not what was read", async () => {
    const { key } = await bench.createKey({ name: "desk", role: "operator" });
    await bench.statusWith(key.token, "POST");
    await bench.statusWith(key.token);
    await bench.server.inject({ method: "POST", url: "/api/v1/api-keys?x=1", headers: as(key.token), payload: {} });
    await bench.server.inject({ method: "POST", url: "/api/v1/bells/2", headers: admin, payload: { loud: "very" } });
    await bench.server.inject({ method: "POST", url: "/api/v1/bells/3", payload: {} });
    const page = (await bench.server.inject({ url: "/api/v1/audit", headers: admin })).json();
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
    const filtered = (await bench.server.inject({ url: "/api/v1/audit?actor=desk&limit=1", headers: admin })).json();
    expect(filtered.items.map((record: { sequence: number }) => record.sequence)).toEqual([3]);
    const rest = (
      await bench.server.inject({
        url: `/api/v1/audit?actor=desk&limit=1&cursor=${filtered.nextCursor}`,
        headers: admin,
      })
    ).json();
    expect(rest.items.map((record: { sequence: number }) => record.sequence)).toEqual([2]);
    expect((await bench.server.inject({ url: "/api/v1/audit", headers: as(key.token) })).statusCode).toBe(403);
  });

  it("stays intact with text that PostgreSQL stores differently", async () => {
    await bench.access.audit.append({
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
    return (await bench.server.inject({ url: "/api/v1/audit/verification", headers: admin })).json();
  }

  async function ring(times: number): Promise<void> {
    for (let count = 0; count < times; count += 1) await bench.statusWith("the-admin-token", "POST");
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
    await bench.createKey({ name: "desk", role: "operator" });
    await bench.server.inject({ method: "POST", url: "/api/v1/bells/2", headers: admin, payload: { loud: false } });
    await bench.server.inject({ method: "POST", url: "/api/v1/bells/2", headers: admin, payload: { loud: "very" } });
    await ring(2);
    expect((await verdict()).isIntact).toBe(true);
    await tampering.execute(bench.database);
    await sql`update audit_record set sequence = -sequence where sequence < 0`.execute(bench.database);
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
      at: bench.clock.now(),
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
      clock: bench.clock,
      version: "0",
      credentials: bench.access.keys,
      audit: { isBehind: true, append: async () => undefined },
      metrics: new Metrics(),
      plugins: [bench.access.api],
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

import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AccessBench, admin, as } from "../access-fixture.ts";

let bench: AccessBench;

beforeAll(async () => {
  bench = await AccessBench.open();
});
afterAll(() => bench.close());
beforeEach(() => bench.startEmpty());
afterEach(() => bench.stop());

describe("API keys", () => {
  it("work with the role they were created for, and survive a restart", async () => {
    const { status, key } = await bench.createKey({ name: "desk", role: "operator" });
    expect(status).toBe(201);
    expect(key.token).toMatch(/^ppk_[\w-]{43}$/);
    expect(await bench.statusWith(key.token, "POST")).toBe(204);
    expect(await bench.statusWith(key.token)).toBe(403);
    await bench.stop();
    await bench.start("the-admin-token");
    expect(await bench.statusWith(key.token, "POST")).toBe(204);
  });

  it("are stored as hashes only", async () => {
    const { key } = await bench.createKey({ name: "desk", role: "viewer" });
    const { rows } = await sql<{ row: string }>`select api_key::text as row from api_key`.execute(bench.database);
    expect(rows).toHaveLength(1);
    expect(rows[0]?.row).not.toContain(key.token);
    expect(rows[0]?.row).not.toContain(key.token.slice(4));
  });

  it("are listed without their tokens, with the time of last use", async () => {
    const { key } = await bench.createKey({ name: "desk", role: "operator" });
    bench.clock.advance(60_000);
    await bench.statusWith(key.token, "POST");
    const list = await bench.server.inject({ url: "/api/v1/api-keys", headers: admin });
    expect(list.json()).toEqual({
      items: [
        {
          id: key.id,
          name: "desk",
          role: "operator",
          createdAt: new Date(bench.clock.now().getTime() - 60_000).toISOString(),
          createdBy: "admin-token",
          lastUsedAt: bench.clock.now().toISOString(),
        },
      ],
      nextCursor: null,
    });
    await bench.stop();
    await bench.start("the-admin-token");
    const again = await bench.server.inject({ url: "/api/v1/api-keys", headers: admin });
    expect(again.json()).toEqual(list.json());
  });

  it("are paged in order of creation", async () => {
    for (const name of ["a", "b", "c"]) {
      await bench.createKey({ name, role: "viewer" });
      bench.clock.advance(1);
    }
    const first = (await bench.server.inject({ url: "/api/v1/api-keys?limit=2", headers: admin })).json();
    const second = (
      await bench.server.inject({ url: `/api/v1/api-keys?limit=2&cursor=${first.nextCursor}`, headers: admin })
    ).json();
    expect([...first.items, ...second.items].map((key: { name: string }) => key.name)).toEqual(["a", "b", "c"]);
    expect(second.nextCursor).toBeNull();
  });

  it("are refused after they expire", async () => {
    const expiresAt = new Date(bench.clock.now().getTime() + 1_000).toISOString();
    const { key } = await bench.createKey({ name: "temp", role: "operator", expiresAt });
    expect(await bench.statusWith(key.token, "POST")).toBe(204);
    expect(bench.access.keys.isStillAllowed({ name: "temp", role: "operator", keyId: key.id })).toBe(true);
    bench.clock.advance(1_000);
    expect(await bench.statusWith(key.token, "POST")).toBe(401);
    expect(bench.access.keys.isStillAllowed({ name: "temp", role: "operator", keyId: key.id })).toBe(false);
    const past = await bench.server.inject({
      method: "POST",
      url: "/api/v1/api-keys",
      headers: admin,
      payload: { name: "x", role: "viewer", expiresAt },
    });
    expect(past.json().errors).toMatchObject([{ field: "/expiresAt", rule: "future" }]);
  });

  it("are refused once deleted, also after a restart", async () => {
    const { key } = await bench.createKey({ name: "desk", role: "operator" });
    const gone = await bench.server.inject({ method: "DELETE", url: `/api/v1/api-keys/${key.id}`, headers: admin });
    expect(gone.statusCode).toBe(204);
    expect(await bench.statusWith(key.token, "POST")).toBe(401);
    const again = await bench.server.inject({ method: "DELETE", url: `/api/v1/api-keys/${key.id}`, headers: admin });
    expect(again.statusCode).toBe(404);
    await bench.stop();
    await bench.start("the-admin-token");
    expect(await bench.statusWith(key.token, "POST")).toBe(401);
  });

  it("cannot be created, listed or deleted by an operator", async () => {
    const { key } = await bench.createKey({ name: "desk", role: "operator" });
    const post = await bench.server.inject({
      method: "POST",
      url: "/api/v1/api-keys",
      headers: as(key.token),
      payload: { name: "x", role: "administrator" },
    });
    expect(post.statusCode).toBe(403);
    const gone = await bench.server.inject({
      method: "DELETE",
      url: `/api/v1/api-keys/${key.id}`,
      headers: as(key.token),
    });
    expect(gone.statusCode).toBe(403);
  });
});

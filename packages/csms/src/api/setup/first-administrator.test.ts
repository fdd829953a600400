import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AccessBench, as } from "../access-fixture.ts";
import { AuditStore } from "../audit/audit-store.ts";

let bench: AccessBench;

beforeAll(async () => {
  bench = await AccessBench.open();
});
afterAll(() => bench.close());
beforeEach(() => bench.startEmpty());
afterEach(() => bench.stop());

describe("the first administrator", () => {
  const post = (token: string, name = "first") =>
    bench.server.inject({ method: "POST", url: "/api/v1/setup", payload: { token, name } });

  beforeEach(async () => {
    await bench.stop();
    await bench.start();
  });

  it("is created by the one-time link, which is dead afterwards", async () => {
    const link = bench.access.firstAdministrator.open("http://127.0.0.1:8080");
    expect(link).toMatch(/^http:\/\/127\.0\.0\.1:8080\/setup#[\w-]{43}$/);
    const token = link?.split("#")[1] ?? "";
    expect((await bench.server.inject({ url: "/setup" })).statusCode).toBe(200);
    expect((await post("wrong")).statusCode).toBe(403);
    const created = await post(token);
    expect(created.statusCode).toBe(201);
    expect(await bench.statusWith(created.json().token)).toBe(200);
    expect((await post(token)).statusCode).toBe(403);
    expect((await bench.server.inject({ url: "/setup" })).statusCode).toBe(410);
    expect(bench.access.firstAdministrator.open("http://x")).toBeUndefined();
    const records = await new AuditStore(bench.database).list({ limit: 10 });
    expect(records).toMatchObject([{ actor: "setup", action: "createFirstAdministrator" }]);
  });

  it("is created once when two requests use the link at the same time", async () => {
    const token = bench.access.firstAdministrator.open("")?.split("#")[1] ?? "";
    const outcomes = await Promise.all([post(token), post(token)]);
    expect(outcomes.map(({ statusCode }) => statusCode).sort()).toEqual([201, 403]);
  });

  it("cannot be created after a restart with the old link", async () => {
    const token = bench.access.firstAdministrator.open("")?.split("#")[1] ?? "";
    await bench.stop();
    await bench.start();
    expect((await post(token)).statusCode).toBe(403);
    bench.access.firstAdministrator.open("");
    expect((await post(token)).statusCode).toBe(403);
  });

  it("slows down guessing", async () => {
    bench.access.firstAdministrator.open("");
    for (let attempt = 0; attempt < 10; attempt += 1) expect((await post("guess")).statusCode).toBe(403);
    const limited = await post("guess");
    expect(limited.statusCode).toBe(429);
    expect(limited.json().type).toBe("/api/problems/too-many-attempts");
    expect(Number(limited.headers["retry-after"])).toBeGreaterThan(0);
  });

  it("cannot delete the last two administrator keys at once", async () => {
    const create = (name: string) => bench.access.keys.create({ name, role: "administrator", createdBy: "test" });
    const keys = [await create("one"), await create("two")];
    const outcomes = await Promise.allSettled(keys.map(({ key }) => bench.access.keys.delete(key.id)));
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(bench.access.keys.hasAdministrator()).toBe(true);
  });

  it("cannot delete the last administrator key", async () => {
    const token = bench.access.firstAdministrator.open("")?.split("#")[1] ?? "";
    const first = (await post(token)).json();
    const remove = (id: string) =>
      bench.server.inject({ method: "DELETE", url: `/api/v1/api-keys/${id}`, headers: as(first.token) });
    expect((await remove(first.id)).statusCode).toBe(409);
    const second = await bench.server.inject({
      method: "POST",
      url: "/api/v1/api-keys",
      headers: as(first.token),
      payload: { name: "second", role: "administrator" },
    });
    expect(second.statusCode).toBe(201);
    expect((await remove(first.id)).statusCode).toBe(204);
  });

  it("is set up on a page with labels and no inline script", async () => {
    bench.access.firstAdministrator.open("");
    const page = await bench.server.inject({ url: "/setup" });
    expect(page.body).toContain('<label for="token">');
    expect(page.body).not.toMatch(/<script(?![^>]*\bsrc=)|\son\w+=|style=/);
    expect((await bench.server.inject({ url: "/setup.js" })).headers["content-type"]).toContain("text/javascript");
  });
});

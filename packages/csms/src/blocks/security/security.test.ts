import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "../../clock.ts";
import type { CommandRegistry } from "../../gateway/commands.ts";
import { MemoryStations } from "../../gateway/fixture.ts";
import { RegisteredRoutes } from "../../gateway/station-routes.ts";
import { type BlockDatabase, openBlockDatabase, serveBlocks, silentLog } from "../fixture.ts";
import { StoredCredentials } from "./credentials.ts";
import { createSecurity, migrations, type Security } from "./index.ts";
import { hashPassword, matchesHash } from "./password-hash.ts";

let testDatabase: TestDatabase;
let stored: BlockDatabase;
const stations = new MemoryStations();

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  stored = await openBlockDatabase(testDatabase.url, migrations);
});

afterAll(async () => {
  await stored.close();
  await testDatabase.drop();
});

async function security(): Promise<Security> {
  const { database, groupCommit } = stored;
  const made = createSecurity({ database, groupCommit, clock: systemClock, log: silentLog, stations });
  await made.load();
  return made;
}

const password = "correct horse battery";
const bytes = Buffer.from(password);

it("A00.FR.207: sets a password by HTTP, verifies it, and still does after a restart", async () => {
  stations.put("CP1");
  const block = await security();
  const api = await serveBlocks(block.api);
  const url = "/api/v1/stations/CP1/credentials";
  const early = await api.inject({ method: "PUT", url, payload: { securityProfile: 1 } });
  expect([early.statusCode, early.json().type]).toEqual([409, "/api/problems/conflict"]);
  const set = await api.inject({ method: "PUT", url, payload: { password, securityProfile: 2 } });
  expect([set.statusCode, set.json()]).toMatchObject([200, { hasPassword: true, securityProfile: 2 }]);
  expect(set.body).not.toContain("argon2");
  expect(block.credentials.isVerified("CP1", bytes)).toBeUndefined();
  expect(await block.credentials.verifyPassword("CP1", Buffer.from("wrong horse battery"))).toBe(false);
  expect(await block.credentials.verifyPassword("CP1", bytes)).toBe(true);
  expect(block.credentials.isVerified("CP1", bytes)).toBe(true);
  expect(block.credentials.isVerified("CP1", Buffer.from("wrong horse battery"))).toBeUndefined();
  expect((await api.inject({ method: "DELETE", url })).statusCode).toBe(409);
  const again = await security();
  expect(await again.credentials.verifyPassword("CP1", bytes)).toBe(true);
  await api.close();
});

it("takes the bytes of an AuthorizationKey of 1.6, and forgets the verified one when it changes", async () => {
  stations.put("CP2");
  const block = await security();
  const api = await serveBlocks(block.api);
  const url = "/api/v1/stations/CP2/credentials";
  const key = "00ff3a80aabbccddeeff00112233445566778899";
  await api.inject({ method: "PUT", url, payload: { passwordHex: key } });
  const binary = Buffer.from(key, "hex");
  expect(await block.credentials.verifyPassword("CP2", binary)).toBe(true);
  await api.inject({ method: "PUT", url, payload: { password } });
  expect(block.credentials.isVerified("CP2", binary)).toBeUndefined();
  expect(await block.credentials.verifyPassword("CP2", binary)).toBe(false);
  expect((await api.inject({ method: "PUT", url, payload: { password, passwordHex: key } })).statusCode).toBe(400);
  expect((await api.inject({ method: "PUT", url, payload: { password: "short" } })).statusCode).toBe(400);
  expect((await api.inject({ method: "DELETE", url })).statusCode).toBe(204);
  expect(await block.credentials.verifyPassword("CP2", bytes)).toBe(false);
  await api.close();
});

it("A01: takes the old password until the station has used the new one that it accepted", async () => {
  stations.put("CP3");
  const block = await security();
  const api = await serveBlocks(block.api);
  await api.inject({ method: "PUT", url: "/api/v1/stations/CP3/credentials", payload: { password } });
  type Step = (stationId: string, request: object, response: object) => Promise<void>;
  let completed: Step | undefined;
  block.registerCommands({
    completed: (_action: string, step: Step) => {
      completed = step;
    },
  } as unknown as CommandRegistry);
  const at = { component: { name: "SecurityCtrlr" }, variable: { name: "BasicAuthPassword" } };
  const request = { setVariableData: [{ ...at, attributeValue: "a new password of 2.1" }] };
  await completed?.("CP3", request, { setVariableResult: [{ ...at, attributeStatus: "Rejected" }] });
  const fresh = Buffer.from("a new password of 2.1");
  expect(await block.credentials.verifyPassword("CP3", fresh)).toBe(false);
  await completed?.("CP3", request, { setVariableResult: [{ ...at, attributeStatus: "Accepted" }] });
  expect(await block.credentials.verifyPassword("CP3", bytes)).toBe(true);
  expect(await block.credentials.verifyPassword("CP3", fresh)).toBe(true);
  expect(await block.credentials.verifyPassword("CP3", bytes)).toBe(false);
  await api.close();
});

it("A01: keeps what an administrator changes while the station shows its new password for the first time", async () => {
  stations.put("CP5");
  const { database, groupCommit } = stored;
  const credentials = new StoredCredentials({ database, groupCommit, clock: systemClock });
  await credentials.change("CP5", { password: bytes });
  const fresh = Buffer.from("a new password of 2.1");
  await credentials.change("CP5", { password: fresh, keepsPrevious: true });
  const shown = credentials.verifyPassword("CP5", fresh);
  await credentials.change("CP5", { certificateCommonName: "CN5" });
  expect(await shown).toBe(true);
  expect(await credentials.verifyPassword("CP5", bytes)).toBe(false);
  for (const one of [credentials, (await security()).credentials]) {
    expect(one.certificateCommonName("CP5")).toBe("CN5");
  }
});

it("A04: stores and publishes a security event of either family, once however often it is sent", async () => {
  const block = await security();
  const routes = new RegisteredRoutes();
  block.registerRoutes(routes);
  const context = { stationId: "CP4", receivedAt: new Date("2024-05-01T00:00:05Z") } as never;
  const request = { type: "InvalidFirmwareSignature", timestamp: "2024-05-01T00:00:00Z", techInfo: "a\0b" } as never;
  for (const family of [1, 2, 2] as const) {
    expect(await routes.find(family, "SecurityEventNotification")?.(request, context)).toEqual({});
  }
  expect(stored.events.filter(({ stationId }) => stationId === "CP4")).toHaveLength(1);
  const leap = { type: "ClockSet", timestamp: "2016-12-31T23:59:60Z" } as never;
  expect(await routes.find(2, "SecurityEventNotification")?.(leap, context)).toEqual({});
  const api = await serveBlocks(block.api);
  const first = await api.inject({ method: "GET", url: "/api/v1/security-events?stationId=CP4&limit=1" });
  const { items, nextCursor } = first.json();
  expect(items).toMatchObject([{ type: "InvalidFirmwareSignature", techInfo: "a\uFFFDb" }]);
  const second = await api.inject({ method: "GET", url: `/api/v1/security-events?stationId=CP4&cursor=${nextCursor}` });
  expect(second.json()).toMatchObject({ items: [{ type: "ClockSet", techInfo: null }], nextCursor: null });
  await api.close();
});

it("hashes what is shorter than OCPP asks at a higher cost, and verifies hashes of every cost", async () => {
  const [short, long] = [Buffer.from("fifteen letters"), Buffer.from("sixteen letters!")];
  const [shortHash, longHash] = await Promise.all([hashPassword(short), hashPassword(long)]);
  const memoryOf = (hash: string) => Number(/\$argon2id\$.*m=(\d+)/.exec(hash)?.[1]);
  expect(memoryOf(shortHash)).toBeGreaterThan(memoryOf(longHash));
  for (const [hash, of] of [
    [shortHash, short],
    [longHash, long],
  ] as const) {
    expect(await matchesHash(hash, of)).toBe(true);
    expect(await matchesHash(hash, Buffer.from("another password"))).toBe(false);
  }
});

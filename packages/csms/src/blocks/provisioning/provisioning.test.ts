import { ManualClock, startTestDatabase, type TestDatabase } from "@polyphase/testing";
import type { FastifyInstance } from "fastify";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Metrics } from "../../api/metrics.ts";
import {
  type BlockDatabase,
  ManualTimers,
  openBlockDatabase,
  serveBlocks,
  silentLog,
  TestGateway,
} from "../fixture.ts";
import { createProvisioning, migrations, type Provisioning, type ProvisioningDependencies } from "./index.ts";

let testDatabase: TestDatabase;
let blocks: BlockDatabase;
let clock: ManualClock;
let timers: ManualTimers;
let gateway: TestGateway;
let provisioning: Provisioning;
let server: FastifyInstance;

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  blocks = await openBlockDatabase(testDatabase.url, migrations);
});
afterAll(async () => {
  await blocks.close();
  await testDatabase.drop();
});

function create(options: Partial<ProvisioningDependencies> = {}): Provisioning {
  const { database, groupCommit } = blocks;
  return createProvisioning({ database, groupCommit, clock, timers, log: silentLog, random: () => 0.5, ...options });
}

async function start(options: Partial<ProvisioningDependencies> = {}): Promise<void> {
  provisioning = create(options);
  gateway = new TestGateway(clock, blocks.groupCommit);
  provisioning.registerRoutes(gateway.routes);
  provisioning.registerCommands(gateway.commands, gateway.stations);
  server = await serveBlocks(provisioning.api);
}

beforeEach(async () => {
  await blocks.database.deleteFrom("station" as never).execute();
  await blocks.database.deleteFrom("variable" as never).execute();
  blocks.events.length = 0;
  clock = new ManualClock("2026-03-01T12:00:00Z");
  timers = new ManualTimers();
  await start();
});
afterEach(async () => {
  provisioning.close();
  await server.close();
});

const boot16 = { chargePointVendor: "Acme", chargePointModel: "One", firmwareVersion: "1.0" };
const boot21 = {
  reason: "PowerUp",
  chargingStation: { vendorName: "Acme", model: "Two", serialNumber: "S-2", modem: { iccid: "89", imsi: "26" } },
};
const eventTypes = () => blocks.events.map(({ type }) => type);
const put = (id: string, body: object = {}) =>
  server.inject({ method: "PUT", url: `/api/v1/stations/${id}`, payload: body });
const get = async (id: string) => (await server.inject(`/api/v1/stations/${id}`)).json();

describe("BootNotification", () => {
  test("B01.FR.02: an accepted station is told Accepted, the time and the heartbeat interval", async () => {
    await put("CS1");
    expect(await gateway.receive("2.1", "CS1", "BootNotification", boot21)).toEqual({
      status: "Accepted",
      currentTime: "2026-03-01T12:00:00.000Z",
      interval: 300,
    });
    expect(await get("CS1")).toMatchObject({
      vendorName: "Acme",
      model: "Two",
      serialNumber: "S-2",
      iccid: "89",
      imsi: "26",
      version: "2.1",
      lastBootAt: "2026-03-01T12:00:00.000Z",
      lastBootReason: "PowerUp",
    });
    expect(eventTypes()).toEqual(["station.registered", "station.booted"]);
  });

  test("OCPP 1.6 §4.2: what a station of family 1 tells when it boots outlives the process", async () => {
    await put("CS1");
    await gateway.receive("1.6", "CS1", "BootNotification", { ...boot16, meterType: "M", chargeBoxSerialNumber: "B" });
    await start();
    await provisioning.load();
    expect(provisioning.station("CS1")).toMatchObject({
      registrationStatus: "Accepted",
      vendorName: "Acme",
      model: "One",
      firmwareVersion: "1.0",
      serialNumber: "B",
      meterType: "M",
      version: "1.6",
      lastBootReason: "Unknown",
    });
  });

  test("a fact that a station does not tell any more is forgotten", async () => {
    await put("CS1");
    await gateway.receive("1.6", "CS1", "BootNotification", { ...boot16, iccid: "89" });
    await gateway.receive("1.6", "CS1", "BootNotification", boot16);
    expect(await get("CS1")).not.toHaveProperty("iccid");
  });

  test("B02: a station that waits for approval is told Pending and when to ask again", async () => {
    await provisioning.knownStations.handleUnknown("CS1", { remoteAddress: "10.0.0.1" });
    const answer = await gateway.receive("1.6", "CS1", "BootNotification", boot16);
    expect(answer).toEqual({ status: "Pending", currentTime: "2026-03-01T12:00:00.000Z", interval: 66 });
    expect(provisioning.knownStations.find("CS1")).toMatchObject({ registrationStatus: "Pending" });
  });

  test("a Pending station that repeats its boot writes nothing, until it has news", async () => {
    await provisioning.knownStations.handleUnknown("CS1", { remoteAddress: "10.0.0.1" });
    await gateway.receive("1.6", "CS1", "BootNotification", boot16);
    await gateway.receive("1.6", "CS1", "BootNotification", boot16);
    expect(eventTypes()).toEqual(["station.registered", "station.booted"]);
    await gateway.receive("1.6", "CS1", "BootNotification", { ...boot16, firmwareVersion: "1.1" });
    expect(eventTypes()).toEqual(["station.registered", "station.booted", "station.booted"]);
  });

  test("B03: a rejected station is told Rejected", async () => {
    await put("CS1", { registrationStatus: "Rejected" });
    expect(await gateway.receive("2.0.1", "CS1", "BootNotification", boot21)).toMatchObject({
      status: "Rejected",
      interval: 660,
    });
  });

  test("a station that was deleted while connected is told Rejected", async () => {
    expect(await gateway.receive("2.1", "GONE", "BootNotification", boot21)).toMatchObject({ status: "Rejected" });
  });

  test("stations that are put off return within a minute although our clock was set back by years", async () => {
    await start({ rules: { bootsAtOnce: 1, bootsInLine: 0, bootsBackPerS: 1 } });
    const ids = Array.from({ length: 8 }, (_, index) => `CS${index}`);
    await Promise.all(ids.map((id) => put(id)));
    const boot = async () => {
      const boots = ids.map((id) => gateway.receive("2.1", id, "BootNotification", boot21));
      return (await Promise.all(boots)) as { status: string; interval: number }[];
    };
    await boot();
    clock.set("2020-01-01T00:00:00Z");
    const putOff = (await boot()).filter(({ status }) => status === "Pending");
    expect(putOff).toHaveLength(7);
    expect(Math.max(...putOff.map(({ interval }) => interval))).toBeLessThan(60);
  });

  test("B02 objective 3: beyond the boots that are handled at once, stations are put off and spread", async () => {
    const shown: string[] = [];
    await start({
      rules: { bootsAtOnce: 4, bootsInLine: 0, bootsBackPerS: 1 },
      deviations: { tolerates: () => true, showed: (_stationId, deviation) => shown.push(deviation) },
    });
    const ids = Array.from({ length: 40 }, (_, index) => `CS${index}`);
    await Promise.all(ids.map((id) => put(id)));
    blocks.events.length = 0;
    const answers = (await Promise.all(ids.map((id) => gateway.receive("2.1", id, "BootNotification", boot21)))) as {
      status: string;
      interval: number;
    }[];
    const accepted = answers.filter(({ status }) => status === "Accepted");
    const putOff = answers.filter(({ status }) => status === "Pending");
    expect(accepted).toHaveLength(4);
    expect(putOff).toHaveLength(36);
    expect(shown).toEqual(Array(36).fill("boot-put-off"));
    expect(eventTypes()).toHaveLength(4);
    const intervals = putOff.map(({ interval }) => interval);
    expect(Math.min(...intervals)).toBeLessThanOrEqual(7);
    expect(Math.max(...intervals)).toBeGreaterThanOrEqual(40);
    expect(new Set(intervals).size).toBeGreaterThan(20);
    // B02.FR.09: until it boots again the gateway must treat it as Pending, although it is approved.
    expect(provisioning.knownStations.find("CS39")).toMatchObject({ registrationStatus: "Pending" });
    expect(await gateway.receive("2.1", "CS39", "BootNotification", boot21)).toMatchObject({ status: "Accepted" });
    expect(provisioning.knownStations.find("CS39")).toMatchObject({ registrationStatus: "Accepted" });
  });

  test("B02 objective 3: a boot that cannot be stored is put off, and changes nothing", async () => {
    await put("CS1");
    await blocks.groupCommit.close();
    expect(await gateway.receive("2.1", "CS1", "BootNotification", boot21)).toMatchObject({ status: "Pending" });
    expect(provisioning.station("CS1")?.lastBootAt).toBeUndefined();
    expect(provisioning.knownStations.find("CS1")).toMatchObject({ registrationStatus: "Pending" });
    await blocks.close();
    blocks = await openBlockDatabase(testDatabase.url, migrations);
  });
});

describe("Heartbeat", () => {
  test("G02.FR.03: is answered with the time, at once and without the database", () => {
    for (const family of [1, 2] as const) {
      const handler = gateway.routes.find(family, "Heartbeat");
      expect(handler?.({} as never, {} as never)).toEqual({ currentTime: "2026-03-01T12:00:00.000Z" });
    }
  });
});

describe("unknown stations", () => {
  test("are turned away by the policy reject", async () => {
    await start({ rules: { unknownStations: "reject" } });
    expect(await provisioning.knownStations.handleUnknown("X", { remoteAddress: "10.0.0.1" })).toBeUndefined();
    expect((await server.inject("/api/v1/stations/X")).statusCode).toBe(404);
  });

  test("may do business at once by the policy accept", async () => {
    await start({ rules: { unknownStations: "accept" } });
    const known = await provisioning.knownStations.handleUnknown("X", { remoteAddress: "10.0.0.1" });
    expect(known).toMatchObject({ registrationStatus: "Accepted", securityProfile: 0 });
  });

  test("are registered once although they connect twice at the same time", async () => {
    const both = [1, 2].map(() => provisioning.knownStations.handleUnknown("X", { remoteAddress: "10.0.0.1" }));
    expect(await Promise.all(both)).toMatchObject([{ stationId: "X" }, { stationId: "X" }]);
    expect(eventTypes()).toEqual(["station.registered"]);
  });

  test("are turned away when too many wait for approval already, and let in again when some are approved", async () => {
    await start({ rules: { mostPendingStations: 2 } });
    for (const id of ["A", "B"]) await provisioning.knownStations.handleUnknown(id, { remoteAddress: "10.0.0.1" });
    expect(await provisioning.knownStations.handleUnknown("C", { remoteAddress: "10.0.0.1" })).toBeUndefined();
    await server.inject({ method: "POST", url: "/api/v1/stations/A/approve" });
    expect(await provisioning.knownStations.handleUnknown("C", { remoteAddress: "10.0.0.1" })).toBeDefined();
  });
});

describe("places of unknown stations", () => {
  const crowd = "203.0.113.7";
  const installer = "198.51.100.1";
  const arrive = (stationId: string, remoteAddress: string) =>
    provisioning.knownStations.handleUnknown(stationId, { remoteAddress });
  const isKnown = (stationId: string) => provisioning.station(stationId) !== undefined;
  const metric = async (metrics: Metrics, name: string) =>
    (await metrics.registry.getSingleMetric(`polyphase_unknown_stations_${name}`)?.get())?.values[0]?.value;

  async function fill(places: number, metrics = new Metrics()): Promise<void> {
    await start({ metrics, rules: { mostPendingStations: places } });
    for (let index = 0; index < places; index++) await arrive(`CROWD-${index}`, crowd);
  }

  test("that one address has filled are given to stations of another, up to as many as it keeps itself", async () => {
    const metrics = new Metrics();
    await fill(8, metrics);
    const arrived = await Promise.all(["I1", "I2", "I3", "I4", "I5"].map((id) => arrive(id, installer)));
    expect(arrived.map((station) => station?.registrationStatus)).toEqual([...Array(4).fill("Pending"), undefined]);
    expect([0, 1, 2, 3, 4, 5, 6, 7].map((index) => isKnown(`CROWD-${index}`))).toEqual([
      ...Array(4).fill(false),
      ...Array(4).fill(true),
    ]);
    expect(await arrive("CROWD-8", crowd)).toBeUndefined();
    expect(await metric(metrics, "waiting")).toBe(8);
    expect(await metric(metrics, "networks")).toBe(2);
    expect(await metric(metrics, "of_one_network")).toBe(4);
    expect(await metric(metrics, "turned_away_total")).toBe(2);
    expect(await metric(metrics, "displaced_total")).toBe(4);
  });

  test("are never taken from a station that an operator approved, described or looks at", async () => {
    await fill(6);
    await server.inject({ method: "POST", url: "/api/v1/stations/CROWD-0/approve" });
    await server.inject({ method: "PATCH", url: "/api/v1/stations/CROWD-1", payload: { notes: "comes on Monday" } });
    await get("CROWD-2");
    await arrive("CROWD-6", crowd);
    expect(await arrive("I1", installer)).toBeDefined();
    expect([0, 1, 2, 3, 4].map((index) => isKnown(`CROWD-${index}`))).toEqual([true, true, true, false, true]);
  });

  test("are free for as many as come from one address", async () => {
    await start({ rules: { mostPendingStations: 300 } });
    const all = Array.from({ length: 300 }, (_, index) => arrive(`CROWD-${index}`, crowd));
    for (const station of await Promise.all(all)) expect(station).toMatchObject({ registrationStatus: "Pending" });
  });

  test("are as fair after a restart", async () => {
    await fill(6);
    await arrive("I1", installer);
    provisioning.close();
    await server.close();
    const from = (stationId: string) => [stationId, stationId.startsWith("I") ? installer : crowd] as const;
    const addresses = async () => new Map(["I1", "CROWD-1", "CROWD-2", "CROWD-3", "CROWD-4", "CROWD-5"].map(from));
    const lastSeen = async () => new Map<string, Date>();
    await start({ rules: { mostPendingStations: 6 }, lastSeen: { lastSeen, addresses } });
    await provisioning.load();
    expect(await arrive("I2", installer)).toBeDefined();
    expect(isKnown("I1")).toBe(true);
    expect(await arrive("CROWD-6", crowd)).toBeUndefined();
  });

  test("that are taken from a station end its connection", async () => {
    await fill(3);
    const all = ["CROWD-0", "CROWD-1", "CROWD-2"].map((id) => gateway.stations.connect(id, "1.6", () => ({})));
    expect(all).toHaveLength(3);
    await arrive("I1", installer);
    expect(["CROWD-0", "CROWD-1"].map((id) => gateway.stations.session(id) !== undefined)).toEqual([false, true]);
  });
});

describe("approval", () => {
  for (const version of ["1.6", "2.0.1", "2.1"] as const) {
    test(`takes effect at once: a connected station of ${version} is asked to boot`, async () => {
      await provisioning.knownStations.handleUnknown("CS1", { remoteAddress: "10.0.0.1" });
      const station = gateway.stations.connect("CS1", version, () => ({ status: "Accepted" }));
      const response = await server.inject({ method: "POST", url: "/api/v1/stations/CS1/approve" });
      expect(response.json()).toMatchObject({ stationId: "CS1", registrationStatus: "Accepted", connected: true });
      expect(station.calls).toEqual([{ action: "TriggerMessage", payload: { requestedMessage: "BootNotification" } }]);
      expect(blocks.events.at(-1)).toMatchObject({ type: "station.approved", data: { by: "tester" } });
    });
  }

  test("of a station that is approved already changes nothing and triggers nothing", async () => {
    await put("CS1");
    const station = gateway.stations.connect("CS1", "1.6", () => ({ status: "Accepted" }));
    blocks.events.length = 0;
    const response = await server.inject({ method: "POST", url: "/api/v1/stations/CS1/approve" });
    expect(response.statusCode).toBe(200);
    expect(station.calls).toEqual([]);
    expect(eventTypes()).toEqual([]);
  });

  test("of a station that nobody knows is a 404", async () => {
    const response = await server.inject({ method: "POST", url: "/api/v1/stations/NONE/approve" });
    expect(response.statusCode).toBe(404);
  });

  test("and rejection disconnects the station", async () => {
    await put("CS1");
    gateway.stations.connect("CS1", "2.1", () => ({}));
    const response = await server.inject({ method: "POST", url: "/api/v1/stations/CS1/reject" });
    expect(response.json()).toMatchObject({ registrationStatus: "Rejected" });
    expect(gateway.stations.disconnected).toEqual(["CS1"]);
  });
});

describe("settings", () => {
  test("are stored, read back after a restart, and changed one by one", async () => {
    const created = await put("CS1", { site: "North", tags: ["fast"], notes: "by the door", securityProfile: 2 });
    expect(created.statusCode).toBe(201);
    expect(created.json()).toMatchObject({ registrationStatus: "Accepted", securityProfile: 2, site: "North" });
    const patched = await server.inject({
      method: "PATCH",
      url: "/api/v1/stations/CS1",
      payload: { site: "South", notes: null },
    });
    expect(patched.json()).toMatchObject({ site: "South", tags: ["fast"], securityProfile: 2 });
    expect(patched.json()).not.toHaveProperty("notes");
    await provisioning.load();
    expect(provisioning.station("CS1")).toMatchObject({ site: "South", tags: ["fast"], securityProfile: 2 });
    expect(provisioning.station("CS1")?.notes).toBeUndefined();
  });

  test("PUT replaces them and keeps the registration that was decided", async () => {
    await provisioning.knownStations.handleUnknown("CS1", { remoteAddress: "10.0.0.1" });
    const replaced = await put("CS1", { site: "North" });
    expect(replaced.statusCode).toBe(200);
    expect(replaced.json()).toMatchObject({ registrationStatus: "Pending", site: "North" });
  });

  test("A05.FR.07: a higher security profile is stored", async () => {
    await put("CS1", { securityProfile: 1 });
    await provisioning.knownStations.setSecurityProfile("CS1", 2);
    await provisioning.load();
    expect(provisioning.knownStations.find("CS1")).toMatchObject({ securityProfile: 2 });
  });

  test("A05.FR.07: PUT without a security profile leaves the one that the station has reached", async () => {
    await put("CS1", { securityProfile: 1 });
    await provisioning.knownStations.setSecurityProfile("CS1", 2);
    expect((await put("CS1", { site: "North" })).json()).toMatchObject({ securityProfile: 2, site: "North" });
    expect((await put("CS1", { securityProfile: 1 })).json()).toMatchObject({ securityProfile: 1 });
  });

  test("an operator, who may not set credentials, cannot make a station do without them either", async () => {
    const asOperator = await serveBlocks(async (api) => {
      api.addHook("onRequest", async (request) => {
        request.caller = { name: "desk", role: "operator" };
      });
      await api.register(provisioning.api);
    });
    const url = "/api/v1/stations/CS1";
    await put("CS1", { securityProfile: 2 });
    for (const method of ["PUT", "PATCH"] as const) {
      const lowered = await asOperator.inject({ method, url, payload: { securityProfile: 1 } });
      expect([lowered.statusCode, lowered.json().type]).toEqual([403, "/api/problems/forbidden"]);
      const raised = await asOperator.inject({ method, url, payload: { securityProfile: 2, site: method } });
      expect(raised.json()).toMatchObject({ securityProfile: 2, site: method });
    }
    expect((await put("CS1", { securityProfile: 1 })).json()).toMatchObject({ securityProfile: 1 });
    await asOperator.close();
  });

  test("PUT does not undo an approval that is being stored", async () => {
    await provisioning.knownStations.handleUnknown("CS1", { remoteAddress: "10.0.0.1" });
    const approve = server.inject({ method: "POST", url: "/api/v1/stations/CS1/approve" });
    const [, replaced] = await Promise.all([approve, put("CS1", { site: "North" })]);
    expect(replaced.json()).toMatchObject({ registrationStatus: "Accepted", site: "North" });
  });

  test("changes at the same time are all kept", async () => {
    await put("CS1");
    await Promise.all([
      server.inject({ method: "PATCH", url: "/api/v1/stations/CS1", payload: { site: "North" } }),
      provisioning.knownStations.setSecurityProfile("CS1", 1),
      server.inject({ method: "PATCH", url: "/api/v1/stations/CS1", payload: { tags: ["a"] } }),
    ]);
    await provisioning.load();
    expect(provisioning.station("CS1")).toMatchObject({ site: "North", securityProfile: 1, tags: ["a"] });
  });

  test("an identity that no station can have is refused", async () => {
    expect((await put("%20")).statusCode).toBe(400);
    expect((await put("CS1", { registrationStatus: "Perhaps" })).statusCode).toBe(400);
    expect((await put("CS1", { colour: "red" })).statusCode).toBe(400);
  });
});

describe("deletion", () => {
  test("removes the station and what blocks keep of it, and disconnects it", async () => {
    const forgotten: string[] = [];
    provisioning.onDeletion((stationId) => () => forgotten.push(stationId));
    await put("CS1");
    gateway.stations.connect("CS1", "2.1", () => ({}));
    const response = await server.inject({ method: "DELETE", url: "/api/v1/stations/CS1" });
    expect(response.statusCode).toBe(204);
    expect(forgotten).toEqual(["CS1"]);
    expect(gateway.stations.disconnected).toEqual(["CS1"]);
    expect(eventTypes().at(-1)).toBe("station.deleted");
    await provisioning.load();
    expect(provisioning.station("CS1")).toBeUndefined();
    expect((await server.inject({ method: "DELETE", url: "/api/v1/stations/CS1" })).statusCode).toBe(404);
  });
});

describe("the list of stations", () => {
  const list = async (query = "") => (await server.inject(`/api/v1/stations${query}`)).json();
  const ids = (page: { items: { stationId: string }[] }) => page.items.map(({ stationId }) => stationId);

  beforeEach(async () => {
    for (const id of ["C", "A", "B", "E", "D"]) await put(id, id < "C" ? { site: "North", tags: ["fast"] } : {});
    await put("B", { site: "North", registrationStatus: "Rejected" });
    gateway.stations.connect("C", "1.6", () => ({}));
    await gateway.receive("2.1", "D", "BootNotification", boot21);
  });

  test("comes in pages in the order of ids", async () => {
    const first = await list("?limit=2");
    const second = await list(`?limit=2&cursor=${first.nextCursor}`);
    const third = await list(`?limit=2&cursor=${second.nextCursor}`);
    expect([first, second, third].map(ids)).toEqual([["A", "B"], ["C", "D"], ["E"]]);
    expect(third.nextCursor).toBeNull();
  });

  test("is filtered", async () => {
    expect(ids(await list("?connected=true"))).toEqual(["C"]);
    expect(ids(await list("?connected=false&limit=2"))).toEqual(["A", "B"]);
    expect(ids(await list("?registrationStatus=Rejected"))).toEqual(["B"]);
    expect(ids(await list("?version=1.6"))).toEqual(["C"]);
    expect(ids(await list("?version=2.1"))).toEqual(["D"]);
    expect(ids(await list("?site=North"))).toEqual(["A", "B"]);
    expect(ids(await list("?tag=fast"))).toEqual(["A"]);
    expect(ids(await list("?search=acme"))).toEqual(["D"]);
  });

  test("tells of stations that are not connected when they were last heard of", async () => {
    const lastSeenAt = new Date("2026-02-01T00:00:00Z");
    const lastSeen = async (wanted: readonly string[]) => new Map(wanted.map((id) => [id, lastSeenAt]));
    await start({ lastSeen: { lastSeen, addresses: async () => new Map() } });
    await provisioning.load();
    expect(await get("A")).toMatchObject({ connected: false, lastSeenAt: "2026-02-01T00:00:00.000Z" });
  });
});

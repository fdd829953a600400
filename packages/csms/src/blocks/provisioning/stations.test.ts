import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { serveBlocks } from "../fixture.ts";
import { ProvisioningBench } from "./fixture.ts";

let bench: ProvisioningBench;

beforeAll(async () => {
  bench = await ProvisioningBench.open();
});
afterAll(() => bench.close());
beforeEach(async () => {
  await bench.empty();
  await bench.start();
});
afterEach(() => bench.end());

const boot21 = {
  reason: "PowerUp",
  chargingStation: { vendorName: "Acme", model: "Two", serialNumber: "S-2", modem: { iccid: "89", imsi: "26" } },
};
const eventTypes = () => bench.blocks.events.map(({ type }) => type);
const get = async (id: string) => (await bench.server.inject(`/api/v1/stations/${id}`)).json();

describe("approval", () => {
  for (const version of ["1.6", "2.0.1", "2.1"] as const) {
    test(`takes effect at once: a connected station of ${version} is asked to boot`, async () => {
      await bench.provisioning.knownStations.handleUnknown("CS1", { remoteAddress: "10.0.0.1" });
      const station = bench.gateway.stations.connect("CS1", version, () => ({ status: "Accepted" }));
      const response = await bench.server.inject({ method: "POST", url: "/api/v1/stations/CS1/approve" });
      expect(response.json()).toMatchObject({ stationId: "CS1", registrationStatus: "Accepted", connected: true });
      expect(station.calls).toEqual([{ action: "TriggerMessage", payload: { requestedMessage: "BootNotification" } }]);
      expect(bench.blocks.events.at(-1)).toMatchObject({ type: "station.approved", data: { by: "tester" } });
    });
  }

  test("of a station that is approved already changes nothing and triggers nothing", async () => {
    await bench.put("CS1");
    const station = bench.gateway.stations.connect("CS1", "1.6", () => ({ status: "Accepted" }));
    bench.blocks.events.length = 0;
    const response = await bench.server.inject({ method: "POST", url: "/api/v1/stations/CS1/approve" });
    expect(response.statusCode).toBe(200);
    expect(station.calls).toEqual([]);
    expect(eventTypes()).toEqual([]);
  });

  test("of a station that nobody knows is a 404", async () => {
    const response = await bench.server.inject({ method: "POST", url: "/api/v1/stations/NONE/approve" });
    expect(response.statusCode).toBe(404);
  });

  test("and rejection disconnects the station", async () => {
    await bench.put("CS1");
    bench.gateway.stations.connect("CS1", "2.1", () => ({}));
    const response = await bench.server.inject({ method: "POST", url: "/api/v1/stations/CS1/reject" });
    expect(response.json()).toMatchObject({ registrationStatus: "Rejected" });
    expect(bench.gateway.stations.disconnected).toEqual(["CS1"]);
  });
});

describe("settings", () => {
  test("are stored, read back after a restart, and changed one by one", async () => {
    const created = await bench.put("CS1", { site: "North", tags: ["fast"], notes: "by the door", securityProfile: 2 });
    expect(created.statusCode).toBe(201);
    expect(created.json()).toMatchObject({ registrationStatus: "Accepted", securityProfile: 2, site: "North" });
    const patched = await bench.server.inject({
      method: "PATCH",
      url: "/api/v1/stations/CS1",
      payload: { site: "South", notes: null },
    });
    expect(patched.json()).toMatchObject({ site: "South", tags: ["fast"], securityProfile: 2 });
    expect(patched.json()).not.toHaveProperty("notes");
    await bench.provisioning.load();
    expect(bench.provisioning.station("CS1")).toMatchObject({ site: "South", tags: ["fast"], securityProfile: 2 });
    expect(bench.provisioning.station("CS1")?.notes).toBeUndefined();
  });

  test("PUT replaces them and keeps the registration that was decided", async () => {
    await bench.provisioning.knownStations.handleUnknown("CS1", { remoteAddress: "10.0.0.1" });
    const replaced = await bench.put("CS1", { site: "North" });
    expect(replaced.statusCode).toBe(200);
    expect(replaced.json()).toMatchObject({ registrationStatus: "Pending", site: "North" });
  });

  test("A05.FR.07: a higher security profile is stored", async () => {
    await bench.put("CS1", { securityProfile: 1 });
    await bench.provisioning.knownStations.setSecurityProfile("CS1", 2);
    await bench.provisioning.load();
    expect(bench.provisioning.knownStations.find("CS1")).toMatchObject({ securityProfile: 2 });
  });

  test("A05.FR.07: PUT without a security profile leaves the one that the station has reached", async () => {
    await bench.put("CS1", { securityProfile: 1 });
    await bench.provisioning.knownStations.setSecurityProfile("CS1", 2);
    expect((await bench.put("CS1", { site: "North" })).json()).toMatchObject({ securityProfile: 2, site: "North" });
    expect((await bench.put("CS1", { securityProfile: 1 })).json()).toMatchObject({ securityProfile: 1 });
  });

  test("an operator, who may not set credentials, cannot make a station do without them either", async () => {
    const asOperator = await serveBlocks(async (api) => {
      api.addHook("onRequest", async (request) => {
        request.caller = { name: "desk", role: "operator" };
      });
      await api.register(bench.provisioning.api);
    });
    const url = "/api/v1/stations/CS1";
    await bench.put("CS1", { securityProfile: 2 });
    for (const method of ["PUT", "PATCH"] as const) {
      const lowered = await asOperator.inject({ method, url, payload: { securityProfile: 1 } });
      expect([lowered.statusCode, lowered.json().type]).toEqual([403, "/api/problems/forbidden"]);
      const raised = await asOperator.inject({ method, url, payload: { securityProfile: 2, site: method } });
      expect(raised.json()).toMatchObject({ securityProfile: 2, site: method });
    }
    expect((await bench.put("CS1", { securityProfile: 1 })).json()).toMatchObject({ securityProfile: 1 });
    await asOperator.close();
  });

  test("PUT does not undo an approval that is being stored", async () => {
    await bench.provisioning.knownStations.handleUnknown("CS1", { remoteAddress: "10.0.0.1" });
    const approve = bench.server.inject({ method: "POST", url: "/api/v1/stations/CS1/approve" });
    const [, replaced] = await Promise.all([approve, bench.put("CS1", { site: "North" })]);
    expect(replaced.json()).toMatchObject({ registrationStatus: "Accepted", site: "North" });
  });

  test("changes at the same time are all kept", async () => {
    await bench.put("CS1");
    await Promise.all([
      bench.server.inject({ method: "PATCH", url: "/api/v1/stations/CS1", payload: { site: "North" } }),
      bench.provisioning.knownStations.setSecurityProfile("CS1", 1),
      bench.server.inject({ method: "PATCH", url: "/api/v1/stations/CS1", payload: { tags: ["a"] } }),
    ]);
    await bench.provisioning.load();
    expect(bench.provisioning.station("CS1")).toMatchObject({ site: "North", securityProfile: 1, tags: ["a"] });
  });

  test("an identity that no station can have is refused", async () => {
    expect((await bench.put("%20")).statusCode).toBe(400);
    expect((await bench.put("CS1", { registrationStatus: "Perhaps" })).statusCode).toBe(400);
    expect((await bench.put("CS1", { colour: "red" })).statusCode).toBe(400);
  });
});

describe("deletion", () => {
  test("removes the station and what blocks keep of it, and disconnects it", async () => {
    const forgotten: string[] = [];
    bench.provisioning.onDeletion((stationId) => () => forgotten.push(stationId));
    await bench.put("CS1");
    bench.gateway.stations.connect("CS1", "2.1", () => ({}));
    const response = await bench.server.inject({ method: "DELETE", url: "/api/v1/stations/CS1" });
    expect(response.statusCode).toBe(204);
    expect(forgotten).toEqual(["CS1"]);
    expect(bench.gateway.stations.disconnected).toEqual(["CS1"]);
    expect(eventTypes().at(-1)).toBe("station.deleted");
    await bench.provisioning.load();
    expect(bench.provisioning.station("CS1")).toBeUndefined();
    expect((await bench.server.inject({ method: "DELETE", url: "/api/v1/stations/CS1" })).statusCode).toBe(404);
  });
});

describe("the list of stations", () => {
  const list = async (query = "") => (await bench.server.inject(`/api/v1/stations${query}`)).json();
  const ids = (page: { items: { stationId: string }[] }) => page.items.map(({ stationId }) => stationId);

  beforeEach(async () => {
    for (const id of ["C", "A", "B", "E", "D"]) await bench.put(id, id < "C" ? { site: "North", tags: ["fast"] } : {});
    await bench.put("B", { site: "North", registrationStatus: "Rejected" });
    bench.gateway.stations.connect("C", "1.6", () => ({}));
    await bench.gateway.receive("2.1", "D", "BootNotification", boot21);
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
    await bench.start({ lastSeen: { lastSeen, addresses: async () => new Map() } });
    await bench.provisioning.load();
    expect(await get("A")).toMatchObject({ connected: false, lastSeenAt: "2026-02-01T00:00:00.000Z" });
  });
});

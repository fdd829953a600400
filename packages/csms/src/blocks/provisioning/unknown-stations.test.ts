import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Metrics } from "../../api/metrics.ts";
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

const get = async (id: string) => (await bench.server.inject(`/api/v1/stations/${id}`)).json();
const eventTypes = () => bench.blocks.events.map(({ type }) => type);

describe("unknown stations", () => {
  test("are turned away by the policy reject", async () => {
    await bench.start({ rules: { unknownStations: "reject" } });
    expect(await bench.provisioning.knownStations.handleUnknown("X", { remoteAddress: "10.0.0.1" })).toBeUndefined();
    expect((await bench.server.inject("/api/v1/stations/X")).statusCode).toBe(404);
  });

  test("may do business at once by the policy accept", async () => {
    await bench.start({ rules: { unknownStations: "accept" } });
    const known = await bench.provisioning.knownStations.handleUnknown("X", { remoteAddress: "10.0.0.1" });
    expect(known).toMatchObject({ registrationStatus: "Accepted", securityProfile: 0 });
  });

  test("are registered once although they connect twice at the same time", async () => {
    const both = [1, 2].map(() => bench.provisioning.knownStations.handleUnknown("X", { remoteAddress: "10.0.0.1" }));
    expect(await Promise.all(both)).toMatchObject([{ stationId: "X" }, { stationId: "X" }]);
    expect(eventTypes()).toEqual(["station.registered"]);
  });

  test("are turned away when too many wait for approval already, and let in again when some are approved", async () => {
    await bench.start({ rules: { mostPendingStations: 2 } });
    for (const id of ["A", "B"])
      await bench.provisioning.knownStations.handleUnknown(id, { remoteAddress: "10.0.0.1" });
    expect(await bench.provisioning.knownStations.handleUnknown("C", { remoteAddress: "10.0.0.1" })).toBeUndefined();
    await bench.server.inject({ method: "POST", url: "/api/v1/stations/A/approve" });
    expect(await bench.provisioning.knownStations.handleUnknown("C", { remoteAddress: "10.0.0.1" })).toBeDefined();
  });
});

describe("places of unknown stations", () => {
  const crowd = "203.0.113.7";
  const installer = "198.51.100.1";
  const arrive = (stationId: string, remoteAddress: string) =>
    bench.provisioning.knownStations.handleUnknown(stationId, { remoteAddress });
  const isKnown = (stationId: string) => bench.provisioning.station(stationId) !== undefined;
  const metric = async (metrics: Metrics, name: string) =>
    (await metrics.registry.getSingleMetric(`polyphase_unknown_stations_${name}`)?.get())?.values[0]?.value;

  async function fill(places: number, metrics = new Metrics()): Promise<void> {
    await bench.start({ metrics, rules: { mostPendingStations: places } });
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
    await bench.server.inject({ method: "POST", url: "/api/v1/stations/CROWD-0/approve" });
    await bench.server.inject({
      method: "PATCH",
      url: "/api/v1/stations/CROWD-1",
      payload: { notes: "comes on Monday" },
    });
    await get("CROWD-2");
    await arrive("CROWD-6", crowd);
    expect(await arrive("I1", installer)).toBeDefined();
    expect([0, 1, 2, 3, 4].map((index) => isKnown(`CROWD-${index}`))).toEqual([true, true, true, false, true]);
  });

  test("are free for as many as come from one address", async () => {
    await bench.start({ rules: { mostPendingStations: 300 } });
    const all = Array.from({ length: 300 }, (_, index) => arrive(`CROWD-${index}`, crowd));
    for (const station of await Promise.all(all)) expect(station).toMatchObject({ registrationStatus: "Pending" });
  });

  test("are as fair after a restart", async () => {
    await fill(6);
    await arrive("I1", installer);
    const from = (stationId: string) => [stationId, stationId.startsWith("I") ? installer : crowd] as const;
    const addresses = async () => new Map(["I1", "CROWD-1", "CROWD-2", "CROWD-3", "CROWD-4", "CROWD-5"].map(from));
    const lastSeen = async () => new Map<string, Date>();
    await bench.start({ rules: { mostPendingStations: 6 }, lastSeen: { lastSeen, addresses } });
    await bench.provisioning.load();
    expect(await arrive("I2", installer)).toBeDefined();
    expect(isKnown("I1")).toBe(true);
    expect(await arrive("CROWD-6", crowd)).toBeUndefined();
  });

  test("that are taken from a station end its connection", async () => {
    await fill(3);
    const all = ["CROWD-0", "CROWD-1", "CROWD-2"].map((id) => bench.gateway.stations.connect(id, "1.6", () => ({})));
    expect(all).toHaveLength(3);
    await arrive("I1", installer);
    expect(["CROWD-0", "CROWD-1"].map((id) => bench.gateway.stations.session(id) !== undefined)).toEqual([false, true]);
  });
});

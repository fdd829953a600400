import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
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

const boot16 = { chargePointVendor: "Acme", chargePointModel: "One", firmwareVersion: "1.0" };
const boot21 = {
  reason: "PowerUp",
  chargingStation: { vendorName: "Acme", model: "Two", serialNumber: "S-2", modem: { iccid: "89", imsi: "26" } },
};
const eventTypes = () => bench.blocks.events.map(({ type }) => type);
const get = async (id: string) => (await bench.server.inject(`/api/v1/stations/${id}`)).json();

describe("BootNotification", () => {
  test("B01.FR.02: an accepted station is told Accepted, the time and the heartbeat interval", async () => {
    await bench.put("CS1");
    expect(await bench.gateway.receive("2.1", "CS1", "BootNotification", boot21)).toEqual({
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
    await bench.put("CS1");
    await bench.gateway.receive("1.6", "CS1", "BootNotification", {
      ...boot16,
      meterType: "M",
      chargeBoxSerialNumber: "B",
    });
    await bench.start();
    await bench.provisioning.load();
    expect(bench.provisioning.station("CS1")).toMatchObject({
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
    await bench.put("CS1");
    await bench.gateway.receive("1.6", "CS1", "BootNotification", { ...boot16, iccid: "89" });
    await bench.gateway.receive("1.6", "CS1", "BootNotification", boot16);
    expect(await get("CS1")).not.toHaveProperty("iccid");
  });

  test("B02: a station that waits for approval is told Pending and when to ask again", async () => {
    await bench.provisioning.knownStations.handleUnknown("CS1", { remoteAddress: "10.0.0.1" });
    const answer = await bench.gateway.receive("1.6", "CS1", "BootNotification", boot16);
    expect(answer).toEqual({ status: "Pending", currentTime: "2026-03-01T12:00:00.000Z", interval: 66 });
    expect(bench.provisioning.knownStations.find("CS1")).toMatchObject({ registrationStatus: "Pending" });
  });

  test("a Pending station that repeats its boot writes nothing, until it has news", async () => {
    await bench.provisioning.knownStations.handleUnknown("CS1", { remoteAddress: "10.0.0.1" });
    await bench.gateway.receive("1.6", "CS1", "BootNotification", boot16);
    await bench.gateway.receive("1.6", "CS1", "BootNotification", boot16);
    expect(eventTypes()).toEqual(["station.registered", "station.booted"]);
    await bench.gateway.receive("1.6", "CS1", "BootNotification", { ...boot16, firmwareVersion: "1.1" });
    expect(eventTypes()).toEqual(["station.registered", "station.booted", "station.booted"]);
  });

  test("B03: a rejected station is told Rejected", async () => {
    await bench.put("CS1", { registrationStatus: "Rejected" });
    expect(await bench.gateway.receive("2.0.1", "CS1", "BootNotification", boot21)).toMatchObject({
      status: "Rejected",
      interval: 660,
    });
  });

  test("a station that was deleted while connected is told Rejected", async () => {
    expect(await bench.gateway.receive("2.1", "GONE", "BootNotification", boot21)).toMatchObject({
      status: "Rejected",
    });
  });

  test("stations that are put off return within a minute although our clock was set back by years", async () => {
    await bench.start({ rules: { bootsAtOnce: 1, bootsInLine: 0, bootsBackPerS: 1 } });
    const ids = Array.from({ length: 8 }, (_, index) => `CS${index}`);
    await Promise.all(ids.map((id) => bench.put(id)));
    const boot = async () => {
      const boots = ids.map((id) => bench.gateway.receive("2.1", id, "BootNotification", boot21));
      return (await Promise.all(boots)) as { status: string; interval: number }[];
    };
    await boot();
    bench.clock.set("2020-01-01T00:00:00Z");
    const putOff = (await boot()).filter(({ status }) => status === "Pending");
    expect(putOff).toHaveLength(7);
    expect(Math.max(...putOff.map(({ interval }) => interval))).toBeLessThan(60);
  });

  test("B02 objective 3: beyond the boots that are handled at once, stations are put off and spread", async () => {
    const shown: string[] = [];
    await bench.start({
      rules: { bootsAtOnce: 4, bootsInLine: 0, bootsBackPerS: 1 },
      deviations: { tolerates: () => true, showed: (_stationId, deviation) => shown.push(deviation) },
    });
    const ids = Array.from({ length: 40 }, (_, index) => `CS${index}`);
    await Promise.all(ids.map((id) => bench.put(id)));
    bench.blocks.events.length = 0;
    const answers = (await Promise.all(
      ids.map((id) => bench.gateway.receive("2.1", id, "BootNotification", boot21)),
    )) as {
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
    expect(bench.provisioning.knownStations.find("CS39")).toMatchObject({ registrationStatus: "Pending" });
    expect(await bench.gateway.receive("2.1", "CS39", "BootNotification", boot21)).toMatchObject({
      status: "Accepted",
    });
    expect(bench.provisioning.knownStations.find("CS39")).toMatchObject({ registrationStatus: "Accepted" });
  });

  test("B02 objective 3: a boot that cannot be stored is put off, and changes nothing", async () => {
    await bench.put("CS1");
    await bench.blocks.groupCommit.close();
    expect(await bench.gateway.receive("2.1", "CS1", "BootNotification", boot21)).toMatchObject({ status: "Pending" });
    expect(bench.provisioning.station("CS1")?.lastBootAt).toBeUndefined();
    expect(bench.provisioning.knownStations.find("CS1")).toMatchObject({ registrationStatus: "Pending" });
    await bench.reconnect();
  });
});

describe("Heartbeat", () => {
  test("G02.FR.03: is answered with the time, at once and without the database", () => {
    for (const family of [1, 2] as const) {
      const handler = bench.gateway.routes.find(family, "Heartbeat");
      expect(handler?.({} as never, {} as never)).toEqual({ currentTime: "2026-03-01T12:00:00.000Z" });
    }
  });
});

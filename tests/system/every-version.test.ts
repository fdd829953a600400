import { ManualClock, SimulatedStation, stationVersions } from "@polyphase/station";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually, type RunningCsms, runCsms } from "./running-csms.ts";

const MINUTE_MS = 60_000;
let running: RunningCsms;

beforeAll(async () => {
  running = await runCsms({ POLYPHASE_UNKNOWN_STATIONS: "pending" });
  await running.api("PUT", "/id-tokens/TAG1", { type: "ISO14443", status: "Accepted" });
  await running.api("PUT", "/id-tokens/BLOCKED", { type: "ISO14443", status: "Blocked" });
});

afterAll(() => running.close());

/** Lets simulated time pass in steps, so that messages and timers take turns. */
async function pass(clock: ManualClock, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) await clock.advance(MINUTE_MS);
}

describe.each(stationVersions.map((version) => ({ version })))("a station of OCPP $version", ({ version }) => {
  const id = `SYSTEM-${version}`;
  const clock = new ManualClock(Date.UTC(2026, 2, 1, 12));
  let station: SimulatedStation;

  beforeAll(() => {
    station = new SimulatedStation({
      id,
      version,
      csmsUrl: running.urlFor(version),
      evses: 2,
      clock,
      settings: { txUpdatedIntervalS: 60 },
    });
  });

  afterAll(() => station.stop());

  async function transactions() {
    const { body } = await running.api("GET", `/transactions?stationId=${id}`);
    return body.items ?? [];
  }

  it("is listed for approval, and charges nothing before (B02.FR.02; OCPP 1.6 §4.2)", async () => {
    await station.start({ untilRegistered: false });
    const listed = await eventually("the station in the list", async () => {
      const { body } = await running.api("GET", "/stations?registrationStatus=Pending");
      return body.items?.find(({ stationId }) => stationId === id);
    });
    expect(listed).toMatchObject({ stationId: id, registrationStatus: "Pending" });
    expect(await transactions()).toEqual([]);
  });

  it("is accepted once it is approved", async () => {
    const { status } = await running.api("POST", `/stations/${id}/approve`);
    expect(status).toBe(200);
    await eventually("registration", async () => {
      if (station.registrationStatus === "Accepted") return true;
      await pass(clock, 1);
      return undefined;
    });
    const { body } = await running.api("GET", `/stations/${id}`);
    expect(body).toMatchObject({
      registrationStatus: "Accepted",
      connected: true,
      version: version === "1.6S" ? "1.6" : version,
      transport: station.transport,
      vendorName: "Polyphase",
    });
  });

  it("charges by local token, to the watt-hour", async () => {
    const before = station.evse(1).meterWh;
    station.plugIn(1);
    expect(await station.presentIdToken(1, "TAG1")).toBe("Authorized");
    await pass(clock, 10);
    await station.presentIdToken(1, "TAG1");
    station.unplug(1);
    await pass(clock, 1);
    await station.drained();
    const energyWh = station.evse(1).meterWh - before;
    expect(energyWh).toBeGreaterThan(1_000);
    expect(await transactions()).toMatchObject([
      { status: "Ended", evseId: 1, idToken: { idToken: "TAG1" }, energyWh },
    ]);
  });

  it("refuses a blocked token", async () => {
    station.plugIn(1);
    expect(await station.presentIdToken(1, "BLOCKED")).toBe("Refused");
    station.unplug(1);
    await pass(clock, 1);
  });

  it("starts and stops when the API asks it to", async () => {
    station.plugIn(2);
    await pass(clock, 1);
    const start = await running.api("POST", `/stations/${id}/commands/requestStartTransaction`, {
      evseId: 2,
      remoteStartId: 4711,
      idToken: { idToken: "TAG1", type: "Central" },
    });
    expect(start).toMatchObject({ status: 200, body: { status: "Accepted" } });
    const open = await eventually("the transaction", async () => {
      await pass(clock, 1);
      return (await transactions()).find(({ status, evseId }) => status === "Open" && Number(evseId) === 2);
    });
    await pass(clock, 5);
    const stop = await running.api("POST", `/stations/${id}/commands/requestStopTransaction`, {
      transactionId: open.transactionId,
    });
    expect(stop).toMatchObject({ status: 200, body: { status: "Accepted" } });
    const ended = await eventually("the end of the transaction", async () => {
      await pass(clock, 1);
      const { body } = await running.api("GET", `/transactions/${open.id}`);
      return String(body.status) === "Ended" ? body : undefined;
    });
    // StopTransaction has a reason since 1.6; Local is what an absent one means.
    const stoppedReason = version === "1.2" || version === "1.5" ? "Local" : "Remote";
    expect(ended).toMatchObject({ stoppedReason, remoteStartId: 4711 });
    station.unplug(2);
    await pass(clock, 1);
    await station.drained();
  });

  it("answers a raw call of its own version", async () => {
    const { status, body } = await running.api("POST", `/stations/${id}/calls`, { action: "ClearCache", payload: {} });
    expect(status).toBe(200);
    expect(body).toHaveProperty("status");
  });

  it("is not sent a raw call that breaks the schema", async () => {
    const { status, body } = await running.api("POST", `/stations/${id}/calls`, {
      action: "ClearCache",
      payload: { surprise: 1 },
    });
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toContain("surprise");
  });

  it("leaves its messages in the log", async () => {
    const message = await eventually("the log", async () => {
      const { body } = await running.api("GET", `/stations/${id}/messages?limit=200`);
      return body.items?.find(({ action }) => String(action) === "BootNotification");
    });
    expect(message).toMatchObject({ transport: station.transport });
  });
});

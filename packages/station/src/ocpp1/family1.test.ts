import { once } from "node:events";
import { OcppError } from "@polyphase/ocpp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Bench } from "../counterpart-csms.testing.ts";
import { MemoryJournalStorage } from "../storage/journal-storage.ts";

let bench: Bench;

beforeEach(async () => {
  bench = new Bench("1.6", { evses: 2 });
  await bench.start();
});

afterEach(async () => {
  await bench.stop();
});

async function status(action: string, payload: unknown): Promise<unknown> {
  return (await bench.csms.call(action, payload)).status;
}

async function statuses(): Promise<unknown[]> {
  await bench.station.settled();
  return bench.csms
    .all("StatusNotification")
    .filter((payload) => payload.connectorId === 1)
    .map((payload) => payload.status);
}

async function charge(): Promise<void> {
  bench.station.plugIn(1, { socPercent: 20 });
  await bench.station.presentIdToken(1, "TAG1");
  await bench.station.settled();
}

describe("a station of OCPP 1.6", () => {
  it("goes Available, Preparing, Charging, SuspendedEV, Finishing, Available (§4.9)", async () => {
    await charge();
    bench.station.pauseVehicle(1);
    await bench.station.presentIdToken(1, "TAG1");
    bench.station.unplug(1);
    expect(await statuses()).toEqual(["Available", "Preparing", "Charging", "SuspendedEV", "Finishing", "Available"]);
  });

  it("starts nothing for a token that the CSMS refuses (§4.1)", async () => {
    bench.csms.answers.set("Authorize", () => ({ idTagInfo: { status: "Blocked" } }));
    bench.station.plugIn(1);
    expect(await bench.station.presentIdToken(1, "BAD")).toBe("Refused");
    await bench.station.settled();
    expect(bench.csms.all("StartTransaction")).toEqual([]);
  });

  it("lets only the same token or its group stop a transaction (parentIdTag)", async () => {
    bench.csms.answers.set("Authorize", ({ idTag }) => ({
      idTagInfo: { status: "Accepted", ...(idTag === "STRANGER" ? {} : { parentIdTag: "FAMILY" }) },
    }));
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "MOTHER");
    expect(await bench.station.presentIdToken(1, "STRANGER")).toBe("Refused");
    expect(await bench.station.presentIdToken(1, "FATHER")).toBe("Stopped");
    await bench.station.settled();
    expect(bench.csms.all("StopTransaction")).toMatchObject([{ idTag: "FATHER" }]);
  });

  it("forgets an authorization when nobody plugs in within ConnectionTimeOut", async () => {
    expect(await bench.station.presentIdToken(1, "TAG1")).toBe("Authorized");
    await bench.clock.advance(121_000);
    expect(await statuses()).toEqual(["Available", "Preparing", "Available"]);
    bench.station.plugIn(1);
    await bench.station.settled();
    expect(bench.csms.all("StartTransaction")).toEqual([]);
  });

  it("stops with DeAuthorized when StartTransaction is answered Invalid and StopTransactionOnInvalidId is true", async () => {
    bench.csms.answers.set("StartTransaction", () => ({ transactionId: 5, idTagInfo: { status: "Invalid" } }));
    await charge();
    expect(bench.csms.all("StopTransaction")).toMatchObject([{ transactionId: 5, reason: "DeAuthorized" }]);
  });

  it("only suspends the energy when StopTransactionOnInvalidId is false, after MaxEnergyOnInvalidId", async () => {
    await status("ChangeConfiguration", { key: "StopTransactionOnInvalidId", value: "false" });
    await status("ChangeConfiguration", { key: "MaxEnergyOnInvalidId", value: "500" });
    bench.csms.answers.set("StartTransaction", () => ({ transactionId: 5, idTagInfo: { status: "Expired" } }));
    const before = bench.station.evse(1).meterWh;
    await charge();
    expect(bench.station.evse(1).status).toBe("Charging");
    await bench.minutes(10);
    expect(bench.station.evse(1).status).toBe("SuspendedEVSE");
    const takenWh = bench.station.evse(1).meterWh - before;
    expect(takenWh).toBeGreaterThanOrEqual(500);
    expect(takenWh).toBeLessThan(600);
    expect(bench.csms.all("StopTransaction")).toEqual([]);
  });

  it("ends with EVDisconnected when the vehicle is unplugged, or waits when StopTransactionOnEVSideDisconnect is false", async () => {
    await charge();
    bench.station.unplug(1);
    await bench.station.settled();
    expect(bench.csms.all("StopTransaction")).toMatchObject([{ reason: "EVDisconnected" }]);
    await status("ChangeConfiguration", { key: "StopTransactionOnEVSideDisconnect", value: "false" });
    bench.csms.forget();
    await charge();
    bench.station.unplug(1);
    bench.station.plugIn(1);
    expect(await statuses()).toEqual(["Preparing", "Charging", "SuspendedEV", "Charging"]);
    expect(bench.csms.all("StopTransaction")).toEqual([]);
  });

  it("sends sampled and clock-aligned values with the configured measurands (MeterValuesSampledData, MeterValuesAlignedData)", async () => {
    expect(await status("ChangeConfiguration", { key: "MeterValueSampleInterval", value: "30" })).toBe("Accepted");
    expect(await status("ChangeConfiguration", { key: "MeterValuesSampledData", value: "Voltage,SoC" })).toBe(
      "Accepted",
    );
    expect(await status("ChangeConfiguration", { key: "ClockAlignedDataInterval", value: "300" })).toBe("Accepted");
    expect(
      await status("ChangeConfiguration", { key: "StopTxnSampledData", value: "Energy.Active.Import.Register" }),
    ).toBe("Accepted");
    await charge();
    bench.csms.forget();
    await bench.minutes(5);
    const values = bench.csms.all("MeterValues");
    const sampled = values.filter((payload) => JSON.stringify(payload).includes("Sample.Periodic"));
    expect(sampled).toHaveLength(10);
    const measurands = JSON.stringify(sampled[0]).match(/"measurand":"[^"]+"/g);
    expect(measurands).toEqual([..."VVV"].map(() => '"measurand":"Voltage"').concat('"measurand":"SoC"'));
    const aligned = values.filter((payload) => JSON.stringify(payload).includes("Sample.Clock"));
    expect(aligned.map((payload) => [payload.connectorId, payload.transactionId]).sort()).toEqual([
      [1, 1],
      [2, undefined],
    ]);
    const samples = (aligned[0]?.meterValue ?? []) as { timestamp: string }[];
    expect(samples.map(({ timestamp }) => Date.parse(timestamp) % 300_000)).toEqual([0]);
    await bench.station.presentIdToken(1, "TAG1");
    await bench.station.settled();
    const [stop] = bench.csms.all("StopTransaction");
    const data = (stop?.transactionData ?? []) as { sampledValue: { context: string }[] }[];
    const contexts = data.map((sample) => sample.sampledValue[0]?.context);
    expect(contexts.at(0)).toBe("Transaction.Begin");
    expect(contexts.at(-1)).toBe("Transaction.End");
    expect(contexts.filter((context) => context === "Sample.Periodic")).toHaveLength(10);
  });

  it("answers GetConfiguration with what is known and unknown, and never shows AuthorizationKey (§5.8)", async () => {
    const some = await bench.csms.call("GetConfiguration", {
      key: ["heartbeatinterval", "Nonsense", "NumberOfConnectors"],
    });
    expect(some).toEqual({
      configurationKey: [
        { key: "HeartbeatInterval", readonly: false, value: "300" },
        { key: "NumberOfConnectors", readonly: true, value: "2" },
      ],
      unknownKey: ["Nonsense"],
    });
    const all = (await bench.csms.call("GetConfiguration", {})).configurationKey as { key: string; value?: string }[];
    expect(all.length).toBeGreaterThan(35);
    expect(all.find((entry) => entry.key === "AuthorizationKey")?.value).toBeUndefined();
  });

  it("refuses unknown keys, read-only keys and impossible values (§5.3)", async () => {
    expect(await status("ChangeConfiguration", { key: "Nonsense", value: "1" })).toBe("NotSupported");
    expect(await status("ChangeConfiguration", { key: "NumberOfConnectors", value: "3" })).toBe("Rejected");
    expect(await status("ChangeConfiguration", { key: "HeartbeatInterval", value: "soon" })).toBe("Rejected");
    expect(await status("ChangeConfiguration", { key: "HeartbeatInterval", value: "-1" })).toBe("Rejected");
    expect(await status("ChangeConfiguration", { key: "MeterValuesSampledData", value: "Voltage,Nonsense" })).toBe(
      "Rejected",
    );
    expect(await status("ChangeConfiguration", { key: "LocalPreAuthorize", value: "TRUE" })).toBe("Accepted");
    expect(bench.station.settings.localPreAuthorize).toBe(true);
  });

  it("repeats a transaction message that fails, after the interval times the attempts so far, then gives it up", async () => {
    await status("ChangeConfiguration", { key: "TransactionMessageAttempts", value: "3" });
    await status("ChangeConfiguration", { key: "TransactionMessageRetryInterval", value: "10" });
    const sentAt: number[] = [];
    let refused = 0;
    bench.station.on("message", ({ direction, kind, action }) => {
      if (direction === "sent" && action === "StartTransaction") sentAt.push(bench.clock.now());
      if (direction === "received" && kind === "CALLERROR") refused++;
    });
    bench.csms.answers.set("StartTransaction", () => {
      throw new OcppError("InternalError", "out of order");
    });
    bench.station.plugIn(1);
    const discarded = once(bench.station, "messageDiscarded");
    const first = bench.csms.next("StartTransaction");
    await bench.station.presentIdToken(1, "TAG1");
    await first;
    // What follows waits for its turn, so the station is not settled before the message is given up.
    for (let second = 0; second < 40 && sentAt.length < 3; second++) {
      // The interval begins with the answer: no time passes while one is on its way.
      while (refused < sentAt.length) await new Promise((resolve) => setImmediate(resolve));
      await tick(1_000);
    }
    await discarded;
    expect(sentAt.map((at) => Math.round((at - (sentAt[0] ?? 0)) / 1000))).toEqual([0, 10, 30]);
    // OCPP 1.6 errata: what belongs to the lost StartTransaction goes out with the id -1.
    const stopped = bench.csms.next("StopTransaction");
    await bench.station.presentIdToken(1, "TAG1");
    expect((await stopped).transactionId).toBe(-1);
    expect(bench.station.ledger[0]).toMatchObject({ action: "StartTransaction", outcome: "discarded", attempts: 3 });
  });

  it("finishes the transaction before it unlocks (§5.18)", async () => {
    await charge();
    expect(await status("UnlockConnector", { connectorId: 1 })).toBe("Unlocked");
    await bench.station.settled();
    expect(bench.csms.all("StopTransaction")).toMatchObject([{ reason: "UnlockCommand" }]);
    expect(await status("UnlockConnector", { connectorId: 9 })).toBe("NotSupported");
  });

  it("becomes Unavailable at once when idle, after the transaction when not, and stays so over a restart (§5.2)", async () => {
    await bench.stop();
    const storage = new MemoryJournalStorage();
    bench = new Bench("1.6", { evses: 2, storage });
    await bench.start();
    await charge();
    expect(await status("ChangeAvailability", { connectorId: 1, type: "Inoperative" })).toBe("Scheduled");
    expect(await status("ChangeAvailability", { connectorId: 2, type: "Inoperative" })).toBe("Accepted");
    expect(await status("ChangeAvailability", { connectorId: 7, type: "Inoperative" })).toBe("Rejected");
    expect(bench.station.evse(1).status).toBe("Charging");
    await bench.station.presentIdToken(1, "TAG1");
    bench.station.unplug(1);
    await bench.clock.advance(0);
    expect(bench.station.evse(1).status).toBe("Unavailable");
    expect(await bench.station.presentIdToken(1, "TAG1")).toBe("Refused");
    await bench.station.stop();
    await bench.makeStation().start();
    expect([bench.station.evse(1).status, bench.station.evse(2).status]).toEqual(["Unavailable", "Unavailable"]);
    expect(await status("ChangeAvailability", { connectorId: 0, type: "Operative" })).toBe("Accepted");
    expect([bench.station.evse(1).status, bench.station.evse(2).status]).toEqual(["Available", "Available"]);
  });

  it("holds a reserved connector for its token, until it expires (§5.13)", async () => {
    const expiryDate = new Date(bench.clock.now() + 600_000).toISOString();
    const reserve = { connectorId: 1, expiryDate, idTag: "VIP", reservationId: 3 };
    expect(await status("ReserveNow", reserve)).toBe("Accepted");
    expect(bench.station.evse(1).status).toBe("Reserved");
    expect(await status("ReserveNow", { ...reserve, reservationId: 4 })).toBe("Occupied");
    expect(await status("ReserveNow", { ...reserve, connectorId: 0 })).toBe("Rejected");
    expect(await status("RemoteStartTransaction", { connectorId: 1, idTag: "OTHER" })).toBe("Rejected");
    expect(await bench.station.presentIdToken(1, "OTHER")).toBe("Refused");
    expect(await bench.station.presentIdToken(1, "VIP")).toBe("Authorized");
    bench.station.plugIn(1);
    await bench.station.settled();
    expect(bench.csms.all("StartTransaction")).toMatchObject([{ idTag: "VIP", reservationId: 3 }]);
    expect(await status("ReserveNow", { ...reserve, connectorId: 2 })).toBe("Accepted");
    expect(await status("CancelReservation", { reservationId: 3 })).toBe("Accepted");
    expect(await status("CancelReservation", { reservationId: 3 })).toBe("Rejected");
    expect(await status("ReserveNow", { ...reserve, connectorId: 2 })).toBe("Accepted");
    await bench.minutes(11);
    expect(bench.station.evse(2).status).toBe("Available");
  });

  it("charges by its local list while offline (§3.5.2)", async () => {
    expect((await bench.csms.call("GetLocalListVersion", {})).listVersion).toBe(0);
    const localAuthorizationList = [
      { idTag: "LISTED", idTagInfo: { status: "Accepted" } },
      { idTag: "BANNED", idTagInfo: { status: "Blocked" } },
    ];
    const full = { listVersion: 4, updateType: "Full", localAuthorizationList };
    expect(await status("SendLocalList", full)).toBe("Accepted");
    expect(await status("SendLocalList", { listVersion: 4, updateType: "Differential" })).toBe("VersionMismatch");
    expect((await bench.csms.call("GetLocalListVersion", {})).listVersion).toBe(4);
    await bench.station.goOffline();
    expect(await bench.station.presentIdToken(1, "UNKNOWN")).toBe("Refused");
    expect(await bench.station.presentIdToken(1, "BANNED")).toBe("Refused");
    expect(await bench.station.presentIdToken(1, "LISTED")).toBe("Authorized");
  });

  it("sends what TriggerMessage asks for, after its answer (§5.17)", async () => {
    const { csms } = bench;
    const heartbeat = csms.next("Heartbeat");
    expect(await status("TriggerMessage", { requestedMessage: "Heartbeat" })).toBe("Accepted");
    await heartbeat;
    const boot = csms.next("BootNotification");
    expect(await status("TriggerMessage", { requestedMessage: "BootNotification" })).toBe("Accepted");
    await boot;
    const meter = csms.next("MeterValues", (payload) => payload.connectorId === 2);
    expect(await status("TriggerMessage", { requestedMessage: "MeterValues", connectorId: 2 })).toBe("Accepted");
    expect(JSON.stringify(await meter)).toContain('"Trigger"');
    const connector = csms.next("StatusNotification");
    expect(await status("TriggerMessage", { requestedMessage: "StatusNotification", connectorId: 2 })).toBe("Accepted");
    expect((await connector).connectorId).toBe(2);
    const firmware = csms.next("FirmwareStatusNotification");
    expect(await status("TriggerMessage", { requestedMessage: "FirmwareStatusNotification" })).toBe("Accepted");
    expect((await firmware).status).toBe("Idle");
    expect(await status("TriggerMessage", { requestedMessage: "Heartbeat", connectorId: 9 })).toBe("Rejected");
    const log = csms.next("LogStatusNotification");
    expect(await status("ExtendedTriggerMessage", { requestedMessage: "LogStatusNotification" })).toBe("Accepted");
    expect((await log).status).toBe("Idle");
    expect(await status("ExtendedTriggerMessage", { requestedMessage: "SignChargePointCertificate" })).toBe(
      "NotImplemented",
    );
  });

  it("tells honestly that files were not moved", async () => {
    const { csms, clock } = bench;
    const retrieveDate = new Date(clock.now() + 60_000).toISOString();
    const began = csms.next("DiagnosticsStatusNotification");
    expect(await csms.call("GetDiagnostics", { location: "ftp://127.0.0.1/" })).toHaveProperty("fileName");
    await tick(1);
    await began;
    await csms.call("UpdateFirmware", { location: "ftp://127.0.0.1/f", retrieveDate });
    await tick(0);
    await bench.minutes(2);
    expect(csms.all("DiagnosticsStatusNotification")).toEqual([{ status: "Uploading" }, { status: "UploadFailed" }]);
    expect(csms.all("FirmwareStatusNotification")).toEqual([{ status: "Downloading" }, { status: "DownloadFailed" }]);
  });

  it("obeys charging profiles: TxProfile before TxDefaultProfile, never above ChargePointMaxProfile (§3.13)", async () => {
    const profile = (id: number, purpose: string, limit: number, more = {}) => ({
      chargingProfileId: id,
      stackLevel: 0,
      chargingProfilePurpose: purpose,
      chargingProfileKind: "Absolute",
      chargingSchedule: { chargingRateUnit: "A", chargingSchedulePeriod: [{ startPeriod: 0, limit }] },
      ...more,
    });
    const set = (connectorId: number, csChargingProfiles: unknown) =>
      status("SetChargingProfile", { connectorId, csChargingProfiles });
    await charge();
    const currentA = () => bench.station.evse(1).values.phases[0]?.currentA;
    expect(currentA()).toBe(16);
    expect(await set(0, profile(1, "TxDefaultProfile", 10))).toBe("Accepted");
    expect(currentA()).toBe(10);
    expect(await set(1, profile(2, "TxProfile", 14, { transactionId: 1 }))).toBe("Accepted");
    expect(currentA()).toBe(14);
    expect(await set(0, profile(3, "ChargePointMaxProfile", 8))).toBe("Accepted");
    expect(currentA()).toBe(8);
    expect(await set(1, profile(4, "TxProfile", 14, { transactionId: 77 }))).toBe("Rejected");
    expect(await set(2, profile(4, "TxProfile", 14))).toBe("Rejected");
    expect(await set(0, profile(5, "ChargePointMaxProfile", 0))).toBe("Accepted");
    expect(bench.station.evse(1).status).toBe("SuspendedEVSE");
    const composite = await bench.csms.call("GetCompositeSchedule", { connectorId: 1, duration: 600 });
    expect(composite).toMatchObject({
      status: "Accepted",
      chargingSchedule: { chargingSchedulePeriod: [{ limit: 0 }] },
    });
    expect(await status("ClearChargingProfile", {})).toBe("Accepted");
    expect(await status("ClearChargingProfile", {})).toBe("Unknown");
    expect(currentA()).toBe(16);
  });

  it("follows the steps of a schedule in time", async () => {
    const csChargingProfiles = {
      chargingProfileId: 1,
      stackLevel: 0,
      chargingProfilePurpose: "TxDefaultProfile",
      chargingProfileKind: "Relative",
      chargingSchedule: {
        chargingRateUnit: "W",
        chargingSchedulePeriod: [
          { startPeriod: 0, limit: 6900 },
          { startPeriod: 600, limit: 4140 },
        ],
      },
    };
    expect(await status("SetChargingProfile", { connectorId: 1, csChargingProfiles })).toBe("Accepted");
    await charge();
    expect(bench.station.evse(1).values.phases[0]?.currentA).toBe(10);
    await bench.minutes(9.9);
    expect(bench.station.evse(1).values.phases[0]?.currentA).toBe(10);
    await bench.minutes(0.2);
    expect(bench.station.evse(1).values.phases[0]?.currentA).toBe(6);
  });

  it("reports a fault with its error code, ends the transaction, and recovers", async () => {
    await charge();
    bench.station.setFault(1, { errorCode: "GroundFailure", info: "RCD" });
    await bench.station.settled();
    expect(bench.csms.all("StopTransaction")).toMatchObject([{ reason: "Other" }]);
    expect(bench.csms.all("StatusNotification").at(-1)).toMatchObject({
      status: "Faulted",
      errorCode: "GroundFailure",
      info: "RCD",
    });
    bench.station.setFault(1);
    expect((await statuses()).at(-1)).toBe("Finishing");
  });

  it("has no store for certificates and knows no vendors", async () => {
    await expect(bench.csms.call("CertificateSigned", { certificateChain: "x" })).resolves.toEqual({
      status: "Rejected",
    });
    expect(await status("DataTransfer", { vendorId: "somebody" })).toBe("UnknownVendorId");
  });

  it("connects with a new AuthorizationKey after the CSMS has set it", async () => {
    const again = once(bench.station, "online");
    expect(await status("ChangeConfiguration", { key: "AuthorizationKey", value: "00".repeat(16) })).toBe("Accepted");
    await again;
    expect(bench.csms.passwords).toEqual([undefined, Buffer.alloc(16)]);
    expect(await status("ChangeConfiguration", { key: "AuthorizationKey", value: "short" })).toBe("Rejected");
  });
});

/** Moves the clock without waiting for the station to settle. */
async function tick(durationMs: number): Promise<void> {
  const settled = bench.station.settled.bind(bench.station);
  bench.station.settled = () =>
    new Promise((resolve) => {
      setTimeout(resolve, 1);
    });
  await bench.clock.advance(durationMs);
  bench.station.settled = settled;
}

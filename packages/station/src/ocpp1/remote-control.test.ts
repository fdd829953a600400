import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemoryJournalStorage } from "../storage/journal-storage.ts";
import { Family1Bench } from "./family1-bench.testing.ts";

let bench: Family1Bench;

beforeEach(async () => {
  bench = new Family1Bench();
  await bench.start();
});

afterEach(async () => {
  await bench.stop();
});

describe("a station of OCPP 1.6 under remote control", () => {
  it("finishes the transaction before it unlocks (§5.18)", async () => {
    await bench.charge();
    expect(await bench.status("UnlockConnector", { connectorId: 1 })).toBe("Unlocked");
    await bench.station.settled();
    expect(bench.csms.all("StopTransaction")).toMatchObject([{ reason: "UnlockCommand" }]);
    expect(await bench.status("UnlockConnector", { connectorId: 9 })).toBe("NotSupported");
  });

  it("becomes Unavailable at once when idle, after the transaction when not, and stays so over a restart (§5.2)", async () => {
    await bench.stop();
    const storage = new MemoryJournalStorage();
    bench = new Family1Bench({ storage });
    await bench.start();
    await bench.charge();
    expect(await bench.status("ChangeAvailability", { connectorId: 1, type: "Inoperative" })).toBe("Scheduled");
    expect(await bench.status("ChangeAvailability", { connectorId: 2, type: "Inoperative" })).toBe("Accepted");
    expect(await bench.status("ChangeAvailability", { connectorId: 7, type: "Inoperative" })).toBe("Rejected");
    expect(bench.station.evse(1).status).toBe("Charging");
    await bench.station.presentIdToken(1, "TAG1");
    bench.station.unplug(1);
    await bench.clock.advance(0);
    expect(bench.station.evse(1).status).toBe("Unavailable");
    expect(await bench.station.presentIdToken(1, "TAG1")).toBe("Refused");
    await bench.station.stop();
    await bench.makeStation().start();
    expect([bench.station.evse(1).status, bench.station.evse(2).status]).toEqual(["Unavailable", "Unavailable"]);
    expect(await bench.status("ChangeAvailability", { connectorId: 0, type: "Operative" })).toBe("Accepted");
    expect([bench.station.evse(1).status, bench.station.evse(2).status]).toEqual(["Available", "Available"]);
  });

  it("holds a reserved connector for its token, until it expires (§5.13)", async () => {
    const expiryDate = new Date(bench.clock.now() + 600_000).toISOString();
    const reserve = { connectorId: 1, expiryDate, idTag: "VIP", reservationId: 3 };
    expect(await bench.status("ReserveNow", reserve)).toBe("Accepted");
    expect(bench.station.evse(1).status).toBe("Reserved");
    expect(await bench.status("ReserveNow", { ...reserve, reservationId: 4 })).toBe("Occupied");
    expect(await bench.status("ReserveNow", { ...reserve, connectorId: 0 })).toBe("Rejected");
    expect(await bench.status("RemoteStartTransaction", { connectorId: 1, idTag: "OTHER" })).toBe("Rejected");
    expect(await bench.station.presentIdToken(1, "OTHER")).toBe("Refused");
    expect(await bench.station.presentIdToken(1, "VIP")).toBe("Authorized");
    bench.station.plugIn(1);
    await bench.station.settled();
    expect(bench.csms.all("StartTransaction")).toMatchObject([{ idTag: "VIP", reservationId: 3 }]);
    expect(await bench.status("ReserveNow", { ...reserve, connectorId: 2 })).toBe("Accepted");
    expect(await bench.status("CancelReservation", { reservationId: 3 })).toBe("Accepted");
    expect(await bench.status("CancelReservation", { reservationId: 3 })).toBe("Rejected");
    expect(await bench.status("ReserveNow", { ...reserve, connectorId: 2 })).toBe("Accepted");
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
    expect(await bench.status("SendLocalList", full)).toBe("Accepted");
    expect(await bench.status("SendLocalList", { listVersion: 4, updateType: "Differential" })).toBe("VersionMismatch");
    expect((await bench.csms.call("GetLocalListVersion", {})).listVersion).toBe(4);
    await bench.station.goOffline();
    expect(await bench.station.presentIdToken(1, "UNKNOWN")).toBe("Refused");
    expect(await bench.station.presentIdToken(1, "BANNED")).toBe("Refused");
    expect(await bench.station.presentIdToken(1, "LISTED")).toBe("Authorized");
  });

  it("sends what TriggerMessage asks for, after its answer (§5.17)", async () => {
    const { csms } = bench;
    const heartbeat = csms.next("Heartbeat");
    expect(await bench.status("TriggerMessage", { requestedMessage: "Heartbeat" })).toBe("Accepted");
    await heartbeat;
    const boot = csms.next("BootNotification");
    expect(await bench.status("TriggerMessage", { requestedMessage: "BootNotification" })).toBe("Accepted");
    await boot;
    const meter = csms.next("MeterValues", (payload) => payload.connectorId === 2);
    expect(await bench.status("TriggerMessage", { requestedMessage: "MeterValues", connectorId: 2 })).toBe("Accepted");
    expect(JSON.stringify(await meter)).toContain('"Trigger"');
    const connector = csms.next("StatusNotification");
    expect(await bench.status("TriggerMessage", { requestedMessage: "StatusNotification", connectorId: 2 })).toBe(
      "Accepted",
    );
    expect((await connector).connectorId).toBe(2);
    const firmware = csms.next("FirmwareStatusNotification");
    expect(await bench.status("TriggerMessage", { requestedMessage: "FirmwareStatusNotification" })).toBe("Accepted");
    expect((await firmware).status).toBe("Idle");
    expect(await bench.status("TriggerMessage", { requestedMessage: "Heartbeat", connectorId: 9 })).toBe("Rejected");
    const log = csms.next("LogStatusNotification");
    expect(await bench.status("ExtendedTriggerMessage", { requestedMessage: "LogStatusNotification" })).toBe(
      "Accepted",
    );
    expect((await log).status).toBe("Idle");
    expect(await bench.status("ExtendedTriggerMessage", { requestedMessage: "SignChargePointCertificate" })).toBe(
      "NotImplemented",
    );
  });

  it("tells honestly that files were not moved", async () => {
    const { csms, clock } = bench;
    const retrieveDate = new Date(clock.now() + 60_000).toISOString();
    const began = csms.next("DiagnosticsStatusNotification");
    expect(await csms.call("GetDiagnostics", { location: "ftp://127.0.0.1/" })).toHaveProperty("fileName");
    await bench.tick(1);
    await began;
    await csms.call("UpdateFirmware", { location: "ftp://127.0.0.1/f", retrieveDate });
    await bench.tick(0);
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
      bench.status("SetChargingProfile", { connectorId, csChargingProfiles });
    await bench.charge();
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
    expect(await bench.status("ClearChargingProfile", {})).toBe("Accepted");
    expect(await bench.status("ClearChargingProfile", {})).toBe("Unknown");
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
    expect(await bench.status("SetChargingProfile", { connectorId: 1, csChargingProfiles })).toBe("Accepted");
    await bench.charge();
    expect(bench.station.evse(1).values.phases[0]?.currentA).toBe(10);
    await bench.minutes(9.9);
    expect(bench.station.evse(1).values.phases[0]?.currentA).toBe(10);
    await bench.minutes(0.2);
    expect(bench.station.evse(1).values.phases[0]?.currentA).toBe(6);
  });

  it("has no store for certificates and knows no vendors", async () => {
    await expect(bench.csms.call("CertificateSigned", { certificateChain: "x" })).resolves.toEqual({
      status: "Rejected",
    });
    expect(await bench.status("DataTransfer", { vendorId: "somebody" })).toBe("UnknownVendorId");
  });
});

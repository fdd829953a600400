import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { actual, Family2Bench } from "./family2-bench.testing.ts";

let bench: Family2Bench;

afterEach(async () => {
  await bench.stop();
});

describe("remote control", () => {
  beforeEach(async () => {
    bench = new Family2Bench();
    await bench.start();
  });

  it("answers calls while Pending but starts nothing (B02)", async () => {
    await bench.stop();
    bench = new Family2Bench();
    await bench.csms.listen();
    let answer = "Pending";
    bench.csms.answers.set("BootNotification", () => ({
      status: answer,
      interval: 60,
      currentTime: new Date(bench.clock.now()).toISOString(),
    }));
    const station = bench.makeStation();
    const pending = once(station, "registrationChanged");
    await station.start({ untilRegistered: false });
    await pending;
    const { getVariableResult } = await bench.csms.call("GetVariables", {
      getVariableData: [actual("TxCtrlr", "TxStartPoint")],
    });
    expect(getVariableResult).toHaveLength(1);
    const start = { idToken: { idToken: "APP", type: "Central" }, remoteStartId: 1, evseId: 1 };
    expect(await bench.status("RequestStartTransaction", start)).toBe("Rejected");
    await bench.clock.advance(59_000);
    expect(bench.csms.actions()).toEqual(["BootNotification"]);
    answer = "Accepted";
    const accepted = once(station, "registered");
    expect(await bench.status("TriggerMessage", { requestedMessage: "BootNotification" })).toBe("Accepted");
    await accepted;
    expect(bench.csms.all("BootNotification").map((payload) => payload.reason)).toEqual(["PowerUp", "Triggered"]);
    // F06.FR.17
    expect(await bench.status("TriggerMessage", { requestedMessage: "BootNotification" })).toBe("Rejected");
  });

  it("answers SecurityError after it was rejected (B03.FR.08)", async () => {
    await bench.stop();
    bench = new Family2Bench();
    await bench.csms.listen();
    bench.csms.answers.set("BootNotification", () => ({
      status: "Rejected",
      interval: 60,
      currentTime: new Date(bench.clock.now()).toISOString(),
    }));
    const station = bench.makeStation();
    const rejected = once(station, "registrationChanged");
    await station.start({ untilRegistered: false });
    await rejected;
    await expect(bench.csms.call("ClearCache", {})).rejects.toMatchObject({ code: "SecurityError" });
  });

  it("refuses to start at an EVSE that is in use, unavailable or unknown (F01.FR.23, F01.FR.24)", async () => {
    const start = (evseId: number) =>
      bench.status("RequestStartTransaction", {
        idToken: { idToken: "APP", type: "Central" },
        remoteStartId: 1,
        evseId,
      });
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    expect(await start(1)).toBe("Rejected");
    expect(await bench.status("ChangeAvailability", { operationalStatus: "Inoperative", evse: { id: 2 } })).toBe(
      "Accepted",
    );
    expect(await start(2)).toBe("Rejected");
    expect(await start(3)).toBe("Rejected");
  });

  it("returns the id of a transaction that waits for its authorization (F01.FR.13)", async () => {
    await bench.csms.call("SetVariables", {
      setVariableData: [{ ...actual("TxCtrlr", "TxStartPoint"), attributeValue: "EVConnected" }],
    });
    bench.station.plugIn(1);
    const transactionId = bench.station.evse(1).transaction?.id;
    const updated = once(bench.station, "transactionUpdated");
    expect(
      await bench.csms.call("RequestStartTransaction", {
        idToken: { idToken: "APP", type: "Central" },
        remoteStartId: 8,
        evseId: 1,
      }),
    ).toEqual({ status: "Accepted", transactionId });
    await updated;
    const remote = (await bench.events()).find((event) => event.triggerReason === "RemoteStart");
    expect(remote).toMatchObject({ idToken: { idToken: "APP" }, transactionInfo: { remoteStartId: 8 } });
  });

  it("unlocks unless an authorized transaction runs (F05)", async () => {
    expect(await bench.status("UnlockConnector", { evseId: 1, connectorId: 1 })).toBe("Unlocked");
    expect(await bench.status("UnlockConnector", { evseId: 1, connectorId: 2 })).toBe("UnknownConnector");
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    expect(await bench.status("UnlockConnector", { evseId: 1, connectorId: 1 })).toBe("OngoingAuthorizedTransaction");
  });

  it("schedules availability and reset for the end of the transaction (G03.FR.05, B12.FR.01)", async () => {
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    expect(await bench.status("ChangeAvailability", { operationalStatus: "Inoperative" })).toBe("Scheduled");
    expect(await bench.status("Reset", { type: "OnIdle" })).toBe("Scheduled");
    await bench.station.presentIdToken(1, "TAG1");
    await bench.clock.advance(0);
    const again = once(bench.station, "registered");
    await bench.clock.advance(10_000);
    await again;
    await bench.station.settled();
    expect(bench.csms.all("BootNotification").map((payload) => payload.reason)).toEqual(["PowerUp", "ScheduledReset"]);
    expect(bench.csms.all("StatusNotification").slice(-2)).toMatchObject([
      { evseId: 1, connectorStatus: "Unavailable" },
      { evseId: 2, connectorStatus: "Unavailable" },
    ]);
  });

  it("resets a single EVSE without a reboot (B12.FR.08)", async () => {
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    const ended = once(bench.station, "transactionEnded");
    expect(await bench.status("Reset", { type: "Immediate", evseId: 1 })).toBe("Accepted");
    await ended;
    expect((await bench.events()).at(-1)?.transactionInfo.stoppedReason).toBe("ImmediateReset");
    expect(bench.csms.all("BootNotification")).toHaveLength(1);
  });

  it("tells when a reservation ends unused (H04)", async () => {
    const expiryDateTime = new Date(bench.clock.now() + 60_000).toISOString();
    const reserve = { id: 5, expiryDateTime, idToken: { idToken: "VIP", type: "Central" }, evseId: 2 };
    expect(await bench.status("ReserveNow", reserve)).toBe("Accepted");
    expect(bench.station.evse(2).status).toBe("Reserved");
    await bench.minutes(2);
    expect(bench.csms.all("ReservationStatusUpdate")).toEqual([
      { reservationId: 5, reservationUpdateStatus: "Expired" },
    ]);
    const { evseId: _any, ...anywhere } = reserve;
    expect(await bench.status("ReserveNow", anywhere)).toBe("Rejected");
  });

  it("sends what TriggerMessage asks for (F06)", async () => {
    const { csms, station } = bench;
    expect(await bench.status("TriggerMessage", { requestedMessage: "TransactionEvent" })).toBe("Rejected");
    station.plugIn(1);
    await station.presentIdToken(1, "TAG1");
    const event = csms.next("TransactionEvent", (payload) => payload.triggerReason === "Trigger");
    expect(await bench.status("TriggerMessage", { requestedMessage: "TransactionEvent" })).toBe("Accepted");
    expect((await event).meterValue).toHaveLength(1);
    const meter = csms.next("MeterValues");
    expect(await bench.status("TriggerMessage", { requestedMessage: "MeterValues", evse: { id: 2 } })).toBe("Accepted");
    expect((await meter).evseId).toBe(2);
    expect(await bench.status("TriggerMessage", { requestedMessage: "StatusNotification" })).toBe("Rejected");
    const connector = csms.next("StatusNotification");
    const evse = { id: 1, connectorId: 1 };
    expect(await bench.status("TriggerMessage", { requestedMessage: "StatusNotification", evse })).toBe("Accepted");
    expect((await connector).connectorStatus).toBe("Occupied");
    expect(await bench.status("TriggerMessage", { requestedMessage: "SignV2GCertificate" })).toBe("NotImplemented");
  });

  it("installs, reports and clears charging profiles (K01, K09, K10)", async () => {
    const { csms } = bench;
    const chargingProfile = {
      id: 3,
      stackLevel: 1,
      chargingProfilePurpose: "TxDefaultProfile",
      chargingProfileKind: "Recurring",
      recurrencyKind: "Daily",
      chargingSchedule: [
        {
          id: 1,
          startSchedule: "2030-01-01T00:00:00.000Z",
          chargingRateUnit: "A",
          chargingSchedulePeriod: [{ startPeriod: 0, limit: 8 }],
        },
      ],
    };
    expect(await bench.status("SetChargingProfile", { evseId: 0, chargingProfile })).toBe("Accepted");
    const report = csms.next("ReportChargingProfiles");
    expect(await bench.status("GetChargingProfiles", { requestId: 2, chargingProfile: {} })).toBe("Accepted");
    expect((await report).chargingProfile).toEqual([chargingProfile]);
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    expect(bench.station.evse(1).values.phases[0]?.currentA).toBe(8);
    const external = { ...chargingProfile, chargingProfilePurpose: "ChargingStationExternalConstraints" };
    expect(await bench.status("SetChargingProfile", { evseId: 0, chargingProfile: external })).toBe("Rejected");
    expect(await bench.status("ClearChargingProfile", { chargingProfileId: 3 })).toBe("Accepted");
    expect(await bench.status("GetChargingProfiles", { requestId: 3, chargingProfile: {} })).toBe("NoProfiles");
  });

  it("keeps the profile of a remote start for the vehicle that comes later (F02.FR.18)", async () => {
    const chargingProfile = {
      id: 9,
      stackLevel: 0,
      chargingProfilePurpose: "TxProfile",
      chargingProfileKind: "Relative",
      chargingSchedule: [{ id: 1, chargingRateUnit: "A", chargingSchedulePeriod: [{ startPeriod: 0, limit: 7 }] }],
    };
    const start = { idToken: { idToken: "APP", type: "Central" }, remoteStartId: 2, evseId: 1, chargingProfile };
    expect(await bench.status("RequestStartTransaction", start)).toBe("Accepted");
    await bench.clock.advance(1_000);
    bench.station.plugIn(1);
    await bench.station.settled();
    expect(bench.station.evse(1).values.phases[0]?.currentA).toBe(7);
    await bench.station.presentIdToken(1, "APP");
    await bench.station.settled();
    expect(await bench.status("GetChargingProfiles", { requestId: 3, chargingProfile: {} })).toBe("NoProfiles");
  });

  it("answers NotSupported for functional blocks that it does not have", async () => {
    const message = { id: 1, priority: "InFront", message: { format: "UTF8", content: "hello" } };
    await expect(bench.csms.call("SetDisplayMessage", { message })).rejects.toMatchObject({ code: "NotSupported" });
  });
});

describe("a station of OCPP 2.1", () => {
  it("reports connectors by NotifyEvent when configured to (G01)", async () => {
    bench = new Family2Bench("2.1", { settings: { statusByNotifyEvent: true } });
    await bench.start();
    bench.station.plugIn(1);
    await bench.station.settled();
    expect(bench.csms.all("StatusNotification")).toEqual([]);
    expect(bench.csms.all("NotifyEvent").at(-1)).toMatchObject({
      eventData: [{ actualValue: "Occupied", variable: { name: "AvailabilityState" } }],
    });
  });

  it("refuses what only a resuming station can do (B13)", async () => {
    bench = new Family2Bench("2.1");
    await bench.start();
    expect(await bench.status("Reset", { type: "ImmediateAndResume" })).toBe("Rejected");
  });
});

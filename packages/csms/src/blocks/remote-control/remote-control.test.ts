import { ManualClock } from "@polyphase/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { RecordedWrites } from "../../gateway/fixture.ts";
import { CommandNotSupportedError, StationAnsweredError } from "../../gateway/station-messages.ts";
import { TestGateway } from "../fixture.ts";
import { createRemoteControl, transactionIdOfFamily1 } from "./index.ts";

let gateway: TestGateway;

beforeEach(() => {
  gateway = new TestGateway(new ManualClock(), new RecordedWrites());
  createRemoteControl({ remoteStartId: () => 4711 }).registerCommands(gateway.commands, gateway.stations);
});

const connect = (respond: (action: string) => unknown, version: "1.6" | "2.1" = "1.6") =>
  gateway.stations.connect("CS1", version, respond);
const run = (command: string, request: object) => gateway.commands.run("CS1", command, request);
const idToken = { idToken: "TAG1", type: "ISO14443" };
const refusal = expect.any(CommandNotSupportedError);

describe("requestStartTransaction", () => {
  test("OCPP 1.6 §5.11: is RemoteStartTransaction, and the EVSE its connector", async () => {
    const station = connect(() => ({ status: "Accepted" }));
    expect(await run("requestStartTransaction", { idToken, evseId: 2 })).toEqual({ status: "Accepted" });
    await run("requestStartTransaction", { idToken, remoteStartId: 5 });
    expect(station.calls).toEqual([
      { action: "RemoteStartTransaction", payload: { idTag: "TAG1", connectorId: 2 } },
      { action: "RemoteStartTransaction", payload: { idTag: "TAG1" } },
    ]);
  });

  test("F02.FR.01: a caller who gives no remoteStartId gets one", async () => {
    const station = connect(() => ({ status: "Accepted" }), "2.1");
    await run("requestStartTransaction", { idToken });
    await run("requestStartTransaction", { idToken, remoteStartId: 5 });
    expect(station.calls.map(({ payload }) => (payload as { remoteStartId: number }).remoteStartId)).toEqual([4711, 5]);
  });

  test("carries a charging profile that 1.6 can say, and refuses one that it cannot", async () => {
    const station = connect(() => ({ status: "Accepted" }));
    const profile = {
      id: 1,
      stackLevel: 0,
      chargingProfilePurpose: "TxProfile",
      chargingProfileKind: "Relative",
      chargingSchedule: [
        { id: 1, chargingRateUnit: "A", chargingSchedulePeriod: [{ startPeriod: 0, limit: 16, numberPhases: 3 }] },
      ],
    };
    await run("requestStartTransaction", { idToken, chargingProfile: profile });
    expect(station.calls[0]?.payload).toMatchObject({
      chargingProfile: {
        chargingProfileId: 1,
        chargingSchedule: { chargingRateUnit: "A", chargingSchedulePeriod: [{ limit: 16 }] },
      },
    });
    const priority = { ...profile, chargingProfilePurpose: "PriorityCharging" };
    await expect(run("requestStartTransaction", { idToken, chargingProfile: priority })).rejects.toEqual(refusal);
  });

  test("a token that is too long for an idTag is not cut but refused", async () => {
    const station = connect(() => ({ status: "Accepted" }));
    const long = { idToken: { idToken: "0123456789abcdef01234", type: "Central" } };
    await expect(run("requestStartTransaction", long)).rejects.toEqual(refusal);
    expect(station.calls).toEqual([]);
  });
});

describe("requestStopTransaction", () => {
  test("OCPP 1.6 §5.12: is RemoteStopTransaction with the number of the transaction", async () => {
    const station = connect(() => ({ status: "Accepted" }));
    expect(await run("requestStopTransaction", { transactionId: "42" })).toEqual({ status: "Accepted" });
    expect(station.calls).toEqual([{ action: "RemoteStopTransaction", payload: { transactionId: 42 } }]);
  });

  test("a transaction that family 1 cannot have is rejected without asking", async () => {
    const station = connect(() => ({ status: "Accepted" }));
    for (const transactionId of ["9b1deb4d-3b7d", "1.5", "2147483648", "", " 1"]) {
      expect(await run("requestStopTransaction", { transactionId })).toEqual({
        status: "Rejected",
        statusInfo: { reasonCode: "TxNotFound" },
      });
    }
    expect(station.calls).toEqual([]);
    // Numbers that stations make up all the same.
    expect(["0", "-1", "2147483647"].map(transactionIdOfFamily1)).toEqual([0, -1, 2147483647]);
  });
});

describe("unlockConnector", () => {
  test("OCPP 1.6 §5.18: every status has its answer", async () => {
    const answers = ["Unlocked", "UnlockFailed", "NotSupported"];
    const station = connect(() => ({ status: answers.shift() }));
    const request = { evseId: 2, connectorId: 1 };
    expect(await run("unlockConnector", request)).toEqual({ status: "Unlocked" });
    expect(await run("unlockConnector", request)).toEqual({ status: "UnlockFailed" });
    expect(await run("unlockConnector", request)).toMatchObject({
      status: "UnlockFailed",
      statusInfo: { reasonCode: "UnsupportedRequest" },
    });
    expect(station.calls[0]).toEqual({ action: "UnlockConnector", payload: { connectorId: 2 } });
    expect(await run("unlockConnector", { evseId: 2, connectorId: 2 })).toEqual({ status: "UnknownConnector" });
  });
});

describe("triggerMessage", () => {
  test("OCPP 1.6 §5.17: what the core knows goes by TriggerMessage", async () => {
    const station = connect(() => ({ status: "Accepted" }));
    await run("triggerMessage", { requestedMessage: "Heartbeat" });
    await run("triggerMessage", { requestedMessage: "StatusNotification", evse: { id: 2, connectorId: 1 } });
    await run("triggerMessage", { requestedMessage: "MeterValues", evse: { id: 0 } });
    expect(station.calls).toEqual([
      { action: "TriggerMessage", payload: { requestedMessage: "Heartbeat" } },
      { action: "TriggerMessage", payload: { requestedMessage: "StatusNotification", connectorId: 2 } },
      { action: "TriggerMessage", payload: { requestedMessage: "MeterValues" } },
    ]);
  });

  test("whitepaper A02: a certificate signing request goes by ExtendedTriggerMessage", async () => {
    const station = connect(() => ({ status: "Accepted" }));
    await run("triggerMessage", { requestedMessage: "SignChargingStationCertificate" });
    expect(station.calls).toEqual([
      { action: "ExtendedTriggerMessage", payload: { requestedMessage: "SignChargePointCertificate" } },
    ]);
  });

  test("without the security extension the log's status is that of the diagnostics", async () => {
    const station = connect((action) => {
      if (action === "ExtendedTriggerMessage") throw new StationAnsweredError("CS1", "NotImplemented", "");
      return { status: "Accepted" };
    });
    expect(await run("triggerMessage", { requestedMessage: "LogStatusNotification" })).toEqual({ status: "Accepted" });
    expect(station.calls.at(-1)?.payload).toEqual({ requestedMessage: "DiagnosticsStatusNotification" });
    const sign = { requestedMessage: "SignChargingStationCertificate" };
    expect(await run("triggerMessage", sign)).toEqual({ status: "NotImplemented" });
  });

  test("other errors of the station are the caller's to see", async () => {
    connect(() => {
      throw new StationAnsweredError("CS1", "InternalError", "out of order");
    });
    const run1 = run("triggerMessage", { requestedMessage: "LogStatusNotification" });
    await expect(run1).rejects.toMatchObject({ code: "InternalError" });
  });

  test("what family 1 does not have is refused", async () => {
    connect(() => ({ status: "Accepted" }));
    for (const request of [
      { requestedMessage: "TransactionEvent" },
      { requestedMessage: "SignV2GCertificate" },
      { requestedMessage: "Heartbeat", evse: { id: 1, connectorId: 2 } },
    ]) {
      await expect(run("triggerMessage", request)).rejects.toEqual(refusal);
    }
  });
});

test("getTransactionStatus has no counterpart in family 1", async () => {
  connect(() => ({}));
  await expect(run("getTransactionStatus", { transactionId: "1" })).rejects.toEqual(refusal);
});

import { ManualClock } from "@polyphase/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { RecordedWrites } from "../gateway/fixture.ts";
import { CommandNotSupportedError, StationAnsweredError } from "../gateway/station-messages.ts";
import { createCertificates } from "./certificates/index.ts";
import { createDiagnostics } from "./diagnostics/index.ts";
import { createFirmware } from "./firmware/index.ts";
import { type Responder, TestGateway } from "./fixture.ts";
import { createLocalAuthorizationList } from "./local-authorization-list/index.ts";
import { createReservation } from "./reservation/index.ts";
import { createSmartCharging } from "./smart-charging/index.ts";

let gateway: TestGateway;

beforeEach(() => {
  const clock = new ManualClock();
  gateway = new TestGateway(clock, new RecordedWrites());
  const provisioning = { storeValues: async () => undefined, noteStationTime: () => undefined };
  for (const block of [
    createCertificates({ clock }),
    createDiagnostics({ provisioning }),
    createFirmware(),
    createLocalAuthorizationList(),
    createReservation(),
    createSmartCharging(),
  ]) {
    block.registerCommands(gateway.commands, gateway.stations);
  }
});

const connect = (respond: Responder) => gateway.stations.connect("CS1", "1.6", respond);
const run = (command: string, request: object) => gateway.commands.run("CS1", command, request);
const refusal = expect.any(CommandNotSupportedError);
const lacks = (missing: string, otherwise: unknown) => (action: string) => {
  if (action === missing) throw new StationAnsweredError("CS1", "NotImplemented", "");
  return otherwise;
};

describe("charging profiles", () => {
  const period = { startPeriod: 0, limit: 11_000 };
  const schedule = { id: 1, chargingRateUnit: "W", duration: 3_600, chargingSchedulePeriod: [period] };
  const profile = {
    id: 7,
    stackLevel: 2,
    chargingProfilePurpose: "ChargingStationMaxProfile",
    chargingProfileKind: "Absolute",
    chargingSchedule: [schedule],
  };

  test("OCPP 1.6 §5.16: are set with the words of 1.6", async () => {
    const station = connect(() => ({ status: "Accepted" }));
    expect(await run("setChargingProfile", { evseId: 0, chargingProfile: profile })).toEqual({ status: "Accepted" });
    expect(station.calls[0]?.payload).toEqual({
      connectorId: 0,
      csChargingProfiles: {
        chargingProfileId: 7,
        stackLevel: 2,
        chargingProfilePurpose: "ChargePointMaxProfile",
        chargingProfileKind: "Absolute",
        chargingSchedule: { chargingRateUnit: "W", duration: 3_600, chargingSchedulePeriod: [period] },
      },
    });
    station.respond = () => ({ status: "NotSupported" });
    expect(await run("setChargingProfile", { evseId: 0, chargingProfile: profile })).toMatchObject({
      status: "Rejected",
    });
  });

  test("that mean something 1.6 has no word for are refused, not thinned out", async () => {
    const station = connect(() => ({ status: "Accepted" }));
    const others = [
      { ...profile, chargingProfilePurpose: "LocalGeneration" },
      { ...profile, chargingProfileKind: "Dynamic" },
      { ...profile, chargingSchedule: [schedule, schedule] },
      { ...profile, transactionId: "not-a-number" },
      { ...profile, maxOfflineDuration: 60 },
      { ...profile, chargingSchedule: [{ ...schedule, limitAtSoC: { soc: 80, limit: 1 } }] },
      { ...profile, chargingSchedule: [{ ...schedule, chargingSchedulePeriod: [{ ...period, limit_L2: 5 }] }] },
      { ...profile, chargingSchedule: [{ ...schedule, chargingSchedulePeriod: [{ startPeriod: 0, setpoint: -5 }] }] },
      { ...profile, chargingSchedule: [{ ...schedule, chargingSchedulePeriod: [{ startPeriod: 0 }] }] },
    ];
    for (const chargingProfile of others) {
      await expect(run("setChargingProfile", { evseId: 1, chargingProfile })).rejects.toEqual(refusal);
    }
    expect(station.calls).toEqual([]);
  });

  test("OCPP 1.6 §5.5: are cleared by id or by criteria", async () => {
    const station = connect(() => ({ status: "Accepted" }));
    await run("clearChargingProfile", { chargingProfileId: 7 });
    await run("clearChargingProfile", {
      chargingProfileCriteria: { evseId: 1, chargingProfilePurpose: "TxDefaultProfile", stackLevel: 0 },
    });
    expect(station.calls.map(({ payload }) => payload)).toEqual([
      { id: 7 },
      { connectorId: 1, chargingProfilePurpose: "TxDefaultProfile", stackLevel: 0 },
    ]);
    const none = { chargingProfileCriteria: { chargingProfilePurpose: "PriorityCharging" } };
    expect(await run("clearChargingProfile", none)).toEqual({ status: "Unknown" });
  });

  test("OCPP 1.6 §5.7: their composite schedule is read", async () => {
    const composite = { chargingRateUnit: "A", chargingSchedulePeriod: [{ startPeriod: 0, limit: 16 }] };
    const scheduleStart = "2026-03-01T12:00:00Z";
    const station = connect(() => ({
      status: "Accepted",
      connectorId: 1,
      scheduleStart,
      chargingSchedule: composite,
    }));
    expect(await run("getCompositeSchedule", { evseId: 1, duration: 600 })).toEqual({
      status: "Accepted",
      schedule: { evseId: 1, duration: 600, scheduleStart, ...composite },
    });
    station.respond = () => ({ status: "Rejected" });
    expect(await run("getCompositeSchedule", { evseId: 1, duration: 600 })).toEqual({ status: "Rejected" });
  });
});

describe("reservations", () => {
  const request = { id: 3, expiryDateTime: "2026-03-01T13:00:00Z", idToken: { idToken: "TAG1", type: "ISO14443" } };

  test("OCPP 1.6 §5.13: of no certain EVSE are of connector 0", async () => {
    const station = connect(() => ({ status: "Occupied" }));
    expect(await run("reserveNow", request)).toEqual({ status: "Occupied" });
    await run("reserveNow", { ...request, evseId: 2, groupIdToken: { idToken: "GROUP", type: "Central" } });
    const common = { expiryDate: "2026-03-01T13:00:00Z", idTag: "TAG1", reservationId: 3 };
    expect(station.calls.map(({ payload }) => payload)).toEqual([
      { ...common, connectorId: 0 },
      { ...common, connectorId: 2, parentIdTag: "GROUP" },
    ]);
  });

  test("of a type of connector are nothing that family 1 has", async () => {
    connect(() => ({ status: "Accepted" }));
    await expect(run("reserveNow", { ...request, connectorType: "cCCS2" })).rejects.toEqual(refusal);
  });

  test("OCPP 1.6 §5.1: are cancelled by their id", async () => {
    const station = connect(() => ({ status: "Accepted" }));
    expect(await run("cancelReservation", { reservationId: 3 })).toEqual({ status: "Accepted" });
    expect(station.calls[0]?.payload).toEqual({ reservationId: 3 });
  });
});

describe("what a station knows of tokens", () => {
  test("OCPP 1.6 §5.15: verdicts of the local list become those of 1.6", async () => {
    const station = connect(() => ({ status: "Accepted" }));
    const token = (idToken: string, status?: string) => ({
      idToken: { idToken, type: "ISO14443" },
      ...(status === undefined ? {} : { idTokenInfo: { status, cacheExpiryDateTime: "2027-01-01T00:00:00Z" } }),
    });
    await run("sendLocalList", {
      versionNumber: 4,
      updateType: "Differential",
      localAuthorizationList: [token("A", "Accepted"), token("B", "NoCredit"), token("C", "Unknown"), token("D")],
    });
    const expiryDate = "2027-01-01T00:00:00Z";
    expect(station.calls[0]?.payload).toEqual({
      listVersion: 4,
      updateType: "Differential",
      localAuthorizationList: [
        { idTag: "A", idTagInfo: { status: "Accepted", expiryDate } },
        { idTag: "B", idTagInfo: { status: "Blocked", expiryDate } },
        { idTag: "C", idTagInfo: { status: "Invalid", expiryDate } },
        { idTag: "D" },
      ],
    });
    station.respond = () => ({ status: "NotSupported" });
    expect(await run("sendLocalList", { versionNumber: 5, updateType: "Full" })).toMatchObject({ status: "Failed" });
  });

  test("OCPP 1.6 §5.10: a station without a list is told apart from an empty one", async () => {
    const station = connect(() => ({ listVersion: 0 }));
    expect(await run("getLocalListVersion", {})).toEqual({ versionNumber: 0 });
    station.respond = () => ({ listVersion: -1 });
    await expect(run("getLocalListVersion", {})).rejects.toEqual(refusal);
  });

  test("OCPP 1.6 §5.4: the cache is cleared", async () => {
    connect(() => ({ status: "Rejected" }));
    expect(await run("clearCache", {})).toEqual({ status: "Rejected" });
  });
});

describe("updateFirmware", () => {
  const firmware = { location: "https://example.com/fw", retrieveDateTime: "2026-03-01T13:00:00Z" };

  test("OCPP 1.6 §5.19: unsigned is UpdateFirmware, whose answer is empty", async () => {
    const station = connect(() => ({}));
    expect(await run("updateFirmware", { requestId: 1, firmware, retries: 2 })).toEqual({ status: "Accepted" });
    expect(station.calls).toEqual([
      {
        action: "UpdateFirmware",
        payload: { location: firmware.location, retrieveDate: firmware.retrieveDateTime, retries: 2 },
      },
    ]);
    const later = { ...firmware, installDateTime: "2026-03-02T00:00:00Z" };
    await expect(run("updateFirmware", { requestId: 1, firmware: later })).rejects.toEqual(refusal);
  });

  test("whitepaper L01: signed is SignedUpdateFirmware", async () => {
    const station = connect(() => ({ status: "InvalidCertificate" }));
    const signed = { ...firmware, signingCertificate: "PEM", signature: "c2ln" };
    expect(await run("updateFirmware", { requestId: 1, firmware: signed })).toEqual({ status: "InvalidCertificate" });
    expect(station.calls).toEqual([{ action: "SignedUpdateFirmware", payload: { requestId: 1, firmware: signed } }]);
  });
});

describe("getLog", () => {
  const log = { remoteLocation: "https://example.com/up", oldestTimestamp: "2026-02-01T00:00:00Z" };

  test("whitepaper N01: is GetLog where the station has it", async () => {
    const station = connect(() => ({ status: "Accepted", filename: "log.txt" }));
    const request = { logType: "SecurityLog", requestId: 1, log };
    expect(await run("getLog", request)).toEqual({ status: "Accepted", filename: "log.txt" });
    expect(station.calls).toEqual([{ action: "GetLog", payload: request }]);
  });

  test("OCPP 1.6 §5.9: diagnostics are GetDiagnostics where it has not", async () => {
    const station = connect(lacks("GetLog", { fileName: "diag.zip" }));
    const request = { logType: "DiagnosticsLog", requestId: 1, log, retries: 1 };
    expect(await run("getLog", request)).toEqual({ status: "Accepted", filename: "diag.zip" });
    expect(station.calls.at(-1)).toEqual({
      action: "GetDiagnostics",
      payload: { location: log.remoteLocation, startTime: log.oldestTimestamp, retries: 1 },
    });
    station.respond = lacks("GetLog", {});
    expect(await run("getLog", request)).toEqual({ status: "Rejected", statusInfo: { reasonCode: "NotFound" } });
  });

  test("the security log has no other way", async () => {
    connect(lacks("GetLog", {}));
    const request = { logType: "SecurityLog", requestId: 1, log };
    await expect(run("getLog", request)).rejects.toMatchObject({ code: "NotImplemented" });
    await expect(run("getLog", { ...request, logType: "DataCollectorLog" })).rejects.toEqual(refusal);
  });
});

describe("certificates", () => {
  const hash = { hashAlgorithm: "SHA256", issuerNameHash: "a", issuerKeyHash: "b", serialNumber: "1" };

  test("whitepaper M05: are installed under the names of 1.6", async () => {
    const station = connect(() => ({ status: "Accepted" }));
    await run("installCertificate", { certificateType: "CSMSRootCertificate", certificate: "PEM" });
    expect(station.calls[0]?.payload).toEqual({
      certificateType: "CentralSystemRootCertificate",
      certificate: "PEM",
    });
    const v2g = { certificateType: "V2GRootCertificate", certificate: "PEM" };
    await expect(run("installCertificate", v2g)).rejects.toEqual(refusal);
  });

  test("whitepaper M03: are listed one kind after the other", async () => {
    const station = connect((_action, { certificateType }: { certificateType: string }) =>
      certificateType === "ManufacturerRootCertificate"
        ? { status: "Accepted", certificateHashData: [hash] }
        : { status: "NotFound" },
    );
    expect(await run("getInstalledCertificateIds", {})).toEqual({
      status: "Accepted",
      certificateHashDataChain: [{ certificateType: "ManufacturerRootCertificate", certificateHashData: hash }],
    });
    expect(station.calls).toHaveLength(2);
    const csms = { certificateType: ["CSMSRootCertificate"] };
    expect(await run("getInstalledCertificateIds", csms)).toEqual({ status: "NotFound" });
    expect(await run("getInstalledCertificateIds", { certificateType: ["V2GRootCertificate"] })).toEqual({
      status: "NotFound",
    });
  });

  test("whitepaper M04, A02: are deleted and given", async () => {
    const station = connect(() => ({ status: "Accepted" }));
    await run("deleteCertificate", { certificateHashData: { ...hash, customData: { vendorId: "x" } } });
    await run("certificateSigned", { certificateChain: "PEM", requestId: 1 });
    expect(station.calls.map(({ payload }) => payload)).toEqual([
      { certificateHashData: hash },
      { certificateChain: "PEM" },
    ]);
    const v2g = { certificateChain: "PEM", certificateType: "V2GCertificate" };
    await expect(run("certificateSigned", v2g)).rejects.toEqual(refusal);
  });
});

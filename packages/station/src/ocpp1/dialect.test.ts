import { catalogue, type Ocpp16 } from "@polyphase/ocpp";
import { describe, expect, it } from "vitest";
import { requestFromWire, requestToWire, responseFromWire, responseToWire, statusIn } from "./dialect.ts";

const timestamp = "2030-01-07T08:00:00.000Z";

const values: Ocpp16.MeterValue[] = [
  {
    timestamp,
    sampledValue: [
      { value: "1000", measurand: "Energy.Active.Import.Register", unit: "Wh", context: "Sample.Periodic" },
      { value: "15", measurand: "Current.Import", unit: "A", phase: "L1", context: "Trigger", location: "Outlet" },
      { value: "16", measurand: "Current.Import", unit: "A", phase: "L2", context: "Trigger", location: "Outlet" },
      { value: "230", measurand: "Voltage", unit: "V", phase: "L1-N", location: "EV" },
    ],
  },
];

function isValid(version: "1.2" | "1.5", action: string, payload: unknown): boolean {
  return catalogue(version).get(action)?.validateRequest(payload) === undefined;
}

describe("the dialect of 1.5", () => {
  it("names units, contexts and locations as 1.5 does and makes one value of the phases", () => {
    const payload = requestToWire("1.5", "MeterValues", { connectorId: 1, transactionId: 3, meterValue: values });
    expect(payload).toEqual({
      connectorId: 1,
      transactionId: 3,
      values: [
        {
          timestamp,
          value: [
            { value: "1000", measurand: "Energy.Active.Import.Register", unit: "Wh", context: "Sample.Periodic" },
            { value: "15.5", measurand: "Current.Import", unit: "Amp", location: "Outlet" },
            { value: "230", measurand: "Voltage", unit: "Volt" },
          ],
        },
      ],
    });
    expect(isValid("1.5", "MeterValues", payload)).toBe(true);
  });

  it("leaves out what 1.6 added to StopTransaction and wraps its meter values", () => {
    const payload = requestToWire("1.5", "StopTransaction", {
      transactionId: 1,
      meterStop: 5,
      timestamp,
      reason: "Remote",
      transactionData: values,
    });
    expect(payload).not.toHaveProperty("reason");
    expect(isValid("1.5", "StopTransaction", payload)).toBe(true);
  });

  it("reads the local list of 1.5, without its hash", () => {
    const list = [{ idTag: "A", idTagInfo: { status: "Accepted" } }];
    const wire = { updateType: "Full", listVersion: 2, hash: "x", localAuthorisationList: list };
    expect(requestFromWire("1.5", "SendLocalList", wire)).toEqual({
      updateType: "Full",
      listVersion: 2,
      localAuthorizationList: list,
    });
  });
});

describe("the dialect of 1.2", () => {
  it("keeps whole Wh of the register and drops the transaction id", () => {
    const payload = requestToWire("1.2", "MeterValues", { connectorId: 1, transactionId: 3, meterValue: values });
    expect(payload).toEqual({ connectorId: 1, values: [{ timestamp, value: 1000 }] });
    expect(isValid("1.2", "MeterValues", payload)).toBe(true);
  });

  it.each<[Ocpp16.ChargePointErrorCode, string]>([
    ["EVCommunicationError", "Mode3Error"],
    ["GroundFailure", "PowerSwitchFailure"],
    ["NoError", "NoError"],
  ])("says %s as %s", (errorCode, word) => {
    const payload = requestToWire("1.2", "StatusNotification", {
      connectorId: 1,
      status: "Faulted",
      errorCode,
      info: "x",
      timestamp,
    });
    expect(payload).toEqual({ connectorId: 1, status: "Faulted", errorCode: word });
    expect(isValid("1.2", "StatusNotification", payload)).toBe(true);
  });

  it("drops the reservation of StartTransaction", () => {
    const payload = requestToWire("1.2", "StartTransaction", {
      connectorId: 1,
      idTag: "A",
      meterStart: 1,
      timestamp,
      reservationId: 4,
    });
    expect(isValid("1.2", "StartTransaction", payload)).toBe(true);
    expect(payload).not.toHaveProperty("reservationId");
  });

  it("takes a BootNotification response without time and interval", () => {
    expect(responseFromWire("1.2", "BootNotification", { status: "Rejected" })).toEqual({
      status: "Rejected",
      interval: 0,
    });
  });
});

describe("statuses", () => {
  it.each<[Ocpp16.ChargePointStatus, string, string]>([
    ["Available", "Available", "Available"],
    ["Preparing", "Occupied", "Occupied"],
    ["SuspendedEVSE", "Occupied", "Occupied"],
    ["Finishing", "Occupied", "Occupied"],
    ["Reserved", "Reserved", "Occupied"],
    ["Unavailable", "Unavailable", "Unavailable"],
  ])("%s is %s in 1.5 and %s in 1.2", (status, in15, in12) => {
    expect(statusIn("1.6", status)).toBe(status);
    expect(statusIn("1.5", status)).toBe(in15);
    expect(statusIn("1.2", status)).toBe(in12);
  });

  it("answers UnlockConnector and ChangeConfiguration with words that the version has", () => {
    expect(responseToWire("1.5", "UnlockConnector", { status: "Unlocked" })).toEqual({ status: "Accepted" });
    expect(responseToWire("1.2", "UnlockConnector", { status: "NotSupported" })).toEqual({ status: "Rejected" });
    expect(responseToWire("1.5", "ChangeConfiguration", { status: "RebootRequired" })).toEqual({ status: "Accepted" });
    expect(responseToWire("1.6", "UnlockConnector", { status: "Unlocked" })).toEqual({ status: "Unlocked" });
  });
});

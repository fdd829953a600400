import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { actual, Family2Bench } from "./family2-bench.testing.ts";

let bench: Family2Bench;

beforeEach(async () => {
  bench = new Family2Bench();
  await bench.start();
});

afterEach(async () => {
  await bench.stop();
});

describe("the device model", () => {
  it("answers every status of GetVariables (B06)", async () => {
    const { getVariableResult } = await bench.csms.call("GetVariables", {
      getVariableData: [
        actual("TxCtrlr", "TxStartPoint"),
        actual("txctrlr", "evconnectiontimeout"),
        actual("Nonsense", "X"),
        actual("TxCtrlr", "Nonsense"),
        { ...actual("TxCtrlr", "EVConnectionTimeOut"), attributeType: "Target" },
        actual("SecurityCtrlr", "BasicAuthPassword"),
        actual("DeviceDataCtrlr", "ItemsPerMessage"),
        actual("DeviceDataCtrlr", "ItemsPerMessage", "GetVariables"),
        { component: { name: "Connector", evse: { id: 2, connectorId: 1 } }, variable: { name: "AvailabilityState" } },
      ],
    });
    const results = getVariableResult as { attributeStatus: string; attributeValue?: string; attributeType: string }[];
    expect(results.map((result) => [result.attributeStatus, result.attributeValue])).toEqual([
      ["Accepted", "PowerPathClosed"],
      ["Accepted", "120"],
      ["UnknownComponent", undefined],
      ["UnknownVariable", undefined],
      ["NotSupportedAttributeType", undefined],
      ["Rejected", undefined],
      ["UnknownVariable", undefined],
      ["Accepted", "50"],
      ["Accepted", "Available"],
    ]);
    expect(results[0]?.attributeType).toBe("Actual");
  });

  it("answers every status of SetVariables and acts on what it accepted (B05)", async () => {
    const set = (component: string, variable: string, attributeValue: string, more = {}) => ({
      ...actual(component, variable),
      attributeValue,
      ...more,
    });
    const { setVariableResult } = await bench.csms.call("SetVariables", {
      setVariableData: [
        set("TxCtrlr", "EVConnectionTimeOut", "30"),
        set("TxCtrlr", "EVConnectionTimeOut", "soon"),
        set("TxCtrlr", "EVConnectionTimeOut", "-1"),
        set("TxCtrlr", "TxStopPoint", "EVConnected,Nonsense"),
        set("TxCtrlr", "TxStopPoint", "EVConnected,Authorized"),
        set("ChargingStation", "Model", "Other"),
        set("Nonsense", "X", "1"),
        set("TxCtrlr", "Nonsense", "1"),
        set("TxCtrlr", "StopTxOnInvalidId", "true", { attributeType: "MaxSet" }),
        set("SecurityCtrlr", "BasicAuthPassword", "tooshort"),
      ],
    });
    expect((setVariableResult as { attributeStatus: string }[]).map((result) => result.attributeStatus)).toEqual([
      "Accepted",
      "Rejected",
      "Rejected",
      "Rejected",
      "Accepted",
      "Rejected",
      "UnknownComponent",
      "UnknownVariable",
      "NotSupportedAttributeType",
      "Rejected",
    ]);
    expect(bench.station.settings.evConnectionTimeOutS).toBe(30);
    expect(bench.station.settings.txStopPoint).toEqual(["EVConnected", "Authorized"]);
  });

  async function reportAfter(action: string, payload: object): Promise<{ names: string[]; seqNos: unknown[] }> {
    const last = bench.csms.next("NotifyReport", (part) => part.tbc !== true);
    expect(await bench.status(action, payload)).toBe("Accepted");
    await last;
    const parts = bench.csms.all("NotifyReport");
    const names = parts.flatMap((part) =>
      (part.reportData as { component: { name: string }; variable: { name: string } }[]).map(
        (entry) => `${entry.component.name}.${entry.variable.name}`,
      ),
    );
    return { names, seqNos: parts.map((part) => part.seqNo) };
  }

  it("reports everything in parts that count from 0 (B07)", async () => {
    const { names, seqNos } = await reportAfter("GetBaseReport", { requestId: 1, reportBase: "FullInventory" });
    expect(seqNos.length).toBeGreaterThan(2);
    expect(seqNos).toEqual(seqNos.map((_, index) => index));
    for (const required of requiredVariables) expect(names).toContain(required);
    const configuration = await reportAfter("GetBaseReport", { requestId: 2, reportBase: "ConfigurationInventory" });
    expect(configuration.names.slice(names.length)).not.toContain("ChargingStation.Model");
  });

  it("reports what is asked for, or says that there is nothing (B08)", async () => {
    const { names } = await reportAfter("GetReport", {
      requestId: 3,
      componentVariable: [
        { component: { name: "EVSE", evse: { id: 2 } } },
        { component: { name: "TxCtrlr" }, variable: { name: "TxStartPoint" } },
      ],
    });
    expect(new Set(names)).toEqual(
      new Set([
        "EVSE.AllowReset",
        "EVSE.AvailabilityState",
        "EVSE.Available",
        "EVSE.Power",
        "EVSE.SupplyPhases",
        "TxCtrlr.TxStartPoint",
      ]),
    );
    expect(await bench.status("GetReport", { requestId: 4, componentCriteria: ["Problem"] })).toBe("EmptyResultSet");
  });

  it("connects with a new BasicAuthPassword after the CSMS has set it (A01)", async () => {
    const again = once(bench.station, "online");
    await bench.csms.call("SetVariables", {
      setVariableData: [{ ...actual("SecurityCtrlr", "BasicAuthPassword"), attributeValue: "sixteen-chars-ok" }],
    });
    await again;
    expect(bench.csms.passwords).toEqual([undefined, Buffer.from("sixteen-chars-ok")]);
  });
});

const requiredVariables = [
  "AlignedDataCtrlr.Interval",
  "AlignedDataCtrlr.Measurands",
  "AlignedDataCtrlr.TxEndedInterval",
  "AlignedDataCtrlr.TxEndedMeasurands",
  "AuthCtrlr.AuthorizeRemoteStart",
  "AuthCtrlr.LocalAuthorizeOffline",
  "AuthCtrlr.LocalPreAuthorize",
  "ChargingStation.AvailabilityState",
  "ChargingStation.Available",
  "ChargingStation.SupplyPhases",
  "ClockCtrlr.DateTime",
  "ClockCtrlr.TimeSource",
  "Connector.Available",
  "Connector.ConnectorType",
  "Connector.SupplyPhases",
  "DeviceDataCtrlr.BytesPerMessage",
  "DeviceDataCtrlr.ItemsPerMessage",
  "EVSE.AvailabilityState",
  "EVSE.Available",
  "EVSE.Power",
  "EVSE.SupplyPhases",
  "LocalAuthListCtrlr.Entries",
  "OCPPCommCtrlr.FileTransferProtocols",
  "OCPPCommCtrlr.MessageTimeout",
  "OCPPCommCtrlr.MessageAttempts",
  "OCPPCommCtrlr.MessageAttemptInterval",
  "OCPPCommCtrlr.NetworkConfigurationPriority",
  "OCPPCommCtrlr.NetworkProfileConnectionAttempts",
  "OCPPCommCtrlr.OfflineThreshold",
  "OCPPCommCtrlr.ResetRetries",
  "OCPPCommCtrlr.UnlockOnEVSideDisconnect",
  "SampledDataCtrlr.TxEndedInterval",
  "SampledDataCtrlr.TxEndedMeasurands",
  "SampledDataCtrlr.TxStartedMeasurands",
  "SampledDataCtrlr.TxUpdatedInterval",
  "SampledDataCtrlr.TxUpdatedMeasurands",
  "SecurityCtrlr.CertificateEntries",
  "SecurityCtrlr.OrganizationName",
  "SecurityCtrlr.SecurityProfile",
  "SmartChargingCtrlr.Entries",
  "SmartChargingCtrlr.LimitChangeSignificance",
  "SmartChargingCtrlr.PeriodsPerSchedule",
  "SmartChargingCtrlr.ProfileStackLevel",
  "SmartChargingCtrlr.RateUnit",
  "TxCtrlr.EVConnectionTimeOut",
  "TxCtrlr.StopTxOnEVSideDisconnect",
  "TxCtrlr.StopTxOnInvalidId",
  "TxCtrlr.TxStartPoint",
  "TxCtrlr.TxStopPoint",
];

import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TxPoint } from "../configuration/settings.ts";
import { Bench } from "../counterpart-csms.testing.ts";
import type { SimulatedStationOptions } from "../simulated-station-options.ts";

let bench: Bench;

async function begin(options: Partial<SimulatedStationOptions> = {}): Promise<void> {
  bench = new Bench("2.0.1", { evses: 2, ...options });
  await bench.start();
}

afterEach(async () => {
  await bench.stop();
});

interface Event {
  readonly eventType: string;
  readonly triggerReason: string;
  readonly seqNo: number;
  readonly offline?: boolean;
  readonly evse?: { readonly id: number; readonly connectorId?: number };
  readonly idToken?: { readonly idToken: string };
  readonly transactionInfo: {
    readonly transactionId: string;
    readonly chargingState: string;
    readonly stoppedReason?: string;
    readonly remoteStartId?: number;
  };
  readonly meterValue?: readonly { readonly sampledValue: readonly { readonly context: string }[] }[];
}

async function events(): Promise<Event[]> {
  await bench.station.settled();
  return bench.csms.all("TransactionEvent") as unknown as Event[];
}

async function outline(): Promise<string[]> {
  return (await events()).map(
    (event) => `${event.eventType} ${event.triggerReason} ${event.transactionInfo.chargingState}`,
  );
}

async function status(action: string, payload: unknown): Promise<unknown> {
  return (await bench.csms.call(action, payload)).status;
}

const actual = (component: string, variable: string, instance?: string) => ({
  component: { name: component },
  variable: { name: variable, ...(instance === undefined ? {} : { instance }) },
});

/** A whole visit: plug in, token, pause of the vehicle, token, unplug. */
async function visit(): Promise<void> {
  const { station } = bench;
  station.arrive(1);
  station.plugIn(1, { socPercent: 20 });
  await station.presentIdToken(1, "TAG1");
  await bench.clock.advance(20_000);
  await station.presentIdToken(1, "TAG1");
  station.unplug(1);
}

describe("start points (E01)", () => {
  it.each<[TxPoint, string]>([
    ["ParkingBayOccupancy", "Started EVDetected Idle"],
    ["EVConnected", "Started CablePluggedIn EVConnected"],
    ["Authorized", "Started Authorized EVConnected"],
    ["PowerPathClosed", "Started Authorized EVConnected"],
    ["EnergyTransfer", "Started ChargingStateChanged Charging"],
  ])("%s: %s", async (point, expected) => {
    await begin({ settings: { txStartPoint: [point], txStopPoint: ["Authorized"] } });
    await visit();
    const [first, ...others] = await events();
    expect(`${first?.eventType} ${first?.triggerReason} ${first?.transactionInfo.chargingState}`).toBe(expected);
    expect(others.every((event) => event.eventType !== "Started")).toBe(true);
    const all = await events();
    expect(all.map((event) => event.seqNo)).toEqual(all.map((_, index) => index));
    // E03.FR.01, E07.FR.02: the token is told when it starts and when it stops, and only then.
    expect(all.filter((event) => event.idToken !== undefined)).toHaveLength(2);
    // E01.FR.16: the connector is told once.
    expect(all.filter((event) => event.evse?.connectorId === 1)).toHaveLength(1);
    // E01.FR.09, E06.FR.11
    expect(all[0]?.meterValue?.[0]?.sampledValue[0]?.context).toBe("Transaction.Begin");
    expect(all.at(-1)?.meterValue?.at(-1)?.sampledValue[0]?.context).toBe("Transaction.End");
  });

  it("starts with the token when that comes first (E03)", async () => {
    await begin({ settings: { txStartPoint: ["Authorized"], txStopPoint: ["Authorized"] } });
    await bench.station.presentIdToken(1, "TAG1");
    bench.station.plugIn(1);
    expect(await outline()).toEqual([
      "Started Authorized Idle",
      "Updated CablePluggedIn EVConnected",
      "Updated ChargingStateChanged Charging",
    ]);
    expect((await events())[0]?.evse).toEqual({ id: 1 });
  });
});

describe("stop points (E06)", () => {
  it.each<[TxPoint, string[]]>([
    [
      "ParkingBayOccupancy",
      ["Updated StopAuthorized Charging", "Updated ChargingStateChanged EVConnected", "Ended EVCommunicationLost Idle"],
    ],
    [
      "EVConnected",
      ["Updated StopAuthorized Charging", "Updated ChargingStateChanged EVConnected", "Ended EVCommunicationLost Idle"],
    ],
    ["Authorized", ["Ended StopAuthorized EVConnected"]],
    ["PowerPathClosed", ["Ended StopAuthorized EVConnected"]],
    ["EnergyTransfer", ["Ended StopAuthorized EVConnected"]],
  ])("%s: %j", async (point, expected) => {
    await begin({ settings: { txStopPoint: [point] } });
    await visit();
    const all = await outline();
    expect(all.slice(-expected.length)).toEqual(expected);
    expect(all.filter((line) => line.startsWith("Ended"))).toHaveLength(1);
    expect((await events()).at(-1)?.transactionInfo.stoppedReason).toBe("Local");
  });

  it("ends with StoppedByEV when the vehicle takes no more and EnergyTransfer is a stop point", async () => {
    await begin({ settings: { txStopPoint: ["EnergyTransfer"] } });
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    bench.station.pauseVehicle(1);
    const last = (await events()).at(-1);
    expect(last).toMatchObject({ eventType: "Ended", triggerReason: "ChargingStateChanged" });
    expect(last?.transactionInfo.stoppedReason).toBe("StoppedByEV");
  });

  it("reports SuspendedEV and Charging again when the transaction goes on (E01.FR.19)", async () => {
    await begin();
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    bench.station.pauseVehicle(1);
    bench.station.pauseVehicle(1, false);
    expect((await outline()).slice(-2)).toEqual([
      "Updated ChargingStateChanged SuspendedEV",
      "Updated ChargingStateChanged Charging",
    ]);
  });

  it("deauthorizes when the vehicle is unplugged and StopTxOnEVSideDisconnect is true (E09)", async () => {
    await begin({ settings: { txStopPoint: ["Authorized"] } });
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    bench.station.unplug(1);
    const last = (await events()).at(-1);
    expect(last).toMatchObject({ eventType: "Ended", triggerReason: "EVCommunicationLost" });
    expect(last?.transactionInfo.stoppedReason).toBe("EVDisconnected");
  });

  it("waits for the vehicle when StopTxOnEVSideDisconnect is false, up to EVConnectionTimeOut (E10)", async () => {
    await begin({ settings: { txStopPoint: ["Authorized"], stopTxOnEvSideDisconnect: false } });
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    bench.station.unplug(1);
    bench.station.plugIn(1);
    expect((await outline()).slice(-3)).toEqual([
      "Updated EVCommunicationLost Idle",
      "Updated CablePluggedIn EVConnected",
      "Updated ChargingStateChanged Charging",
    ]);
    bench.station.unplug(1);
    await bench.clock.advance(121_000);
    expect((await outline()).at(-1)).toBe("Ended EVConnectTimeout Idle");
  });

  it("ends with Timeout when nobody plugs in (E03.FR.05)", async () => {
    await begin({ settings: { txStartPoint: ["Authorized"], txStopPoint: ["Authorized"] } });
    await bench.station.presentIdToken(1, "TAG1");
    await bench.clock.advance(121_000);
    const last = (await events()).at(-1);
    expect(last).toMatchObject({ eventType: "Ended", triggerReason: "EVConnectTimeout" });
    expect(last?.transactionInfo.stoppedReason).toBe("Timeout");
  });

  it("ends with DeAuthorized when the token of TransactionEvent is not accepted (E05.FR.10)", async () => {
    await begin();
    bench.csms.answers.set("TransactionEvent", ({ idToken }) =>
      idToken === undefined ? {} : { idTokenInfo: { status: "Blocked" } },
    );
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    const last = (await events()).at(-1);
    expect(last).toMatchObject({ eventType: "Ended", triggerReason: "Deauthorized" });
    expect(last?.transactionInfo.stoppedReason).toBe("DeAuthorized");
  });

  it("only suspends when StopTxOnInvalidId is false (E05.FR.02)", async () => {
    await begin({ settings: { stopTxOnInvalidId: false } });
    bench.csms.answers.set("TransactionEvent", ({ idToken }) =>
      idToken === undefined ? {} : { idTokenInfo: { status: "Expired" } },
    );
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    expect((await outline()).at(-1)).toBe("Updated ChargingStateChanged SuspendedEVSE");
  });
});

describe("offline (E04, E08, E11)", () => {
  it("marks what happened, and what waited, while the connection was lost", async () => {
    await begin();
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    await bench.station.settled();
    await bench.station.goOffline();
    await bench.minutes(3);
    const online = once(bench.station, "online");
    await bench.station.goOnline();
    await online;
    await bench.station.presentIdToken(1, "TAG1");
    const all = await events();
    expect(all.map((event) => event.offline ?? false)).toEqual([false, false, true, true, true, false]);
    expect(all.map((event) => event.seqNo)).toEqual([0, 1, 2, 3, 4, 5]);
    // B04.FR.01: three minutes exceed OfflineThreshold, so all connectors are told.
    const told = bench.csms.all("StatusNotification").map((payload) => payload.evseId);
    expect(told.slice(-2)).toEqual([1, 2]);
    expect(bench.csms.all("BootNotification")).toHaveLength(1);
  });

  it("tells GetTransactionStatus about queue and transaction (E14)", async () => {
    await begin();
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    const transactionId = bench.station.evse(1).transaction?.id;
    await bench.station.settled();
    expect(await bench.csms.call("GetTransactionStatus", { transactionId })).toEqual({
      ongoingIndicator: true,
      messagesInQueue: false,
    });
    expect(await bench.csms.call("GetTransactionStatus", {})).toEqual({ messagesInQueue: false });
    expect(await bench.csms.call("GetTransactionStatus", { transactionId: "none" })).toEqual({
      ongoingIndicator: false,
      messagesInQueue: false,
    });
  });
});

describe("the device model", () => {
  beforeEach(() => begin());

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
    expect(await status(action, payload)).toBe("Accepted");
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
    expect(await status("GetReport", { requestId: 4, componentCriteria: ["Problem"] })).toBe("EmptyResultSet");
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

describe("remote control", () => {
  beforeEach(() => begin());

  it("answers calls while Pending but starts nothing (B02)", async () => {
    await bench.stop();
    bench = new Bench("2.0.1", { evses: 2 });
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
    expect(await status("RequestStartTransaction", start)).toBe("Rejected");
    await bench.clock.advance(59_000);
    expect(bench.csms.actions()).toEqual(["BootNotification"]);
    answer = "Accepted";
    const accepted = once(station, "registered");
    expect(await status("TriggerMessage", { requestedMessage: "BootNotification" })).toBe("Accepted");
    await accepted;
    expect(bench.csms.all("BootNotification").map((payload) => payload.reason)).toEqual(["PowerUp", "Triggered"]);
    // F06.FR.17
    expect(await status("TriggerMessage", { requestedMessage: "BootNotification" })).toBe("Rejected");
  });

  it("answers SecurityError after it was rejected (B03.FR.08)", async () => {
    await bench.stop();
    bench = new Bench("2.0.1");
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
      status("RequestStartTransaction", { idToken: { idToken: "APP", type: "Central" }, remoteStartId: 1, evseId });
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    expect(await start(1)).toBe("Rejected");
    expect(await status("ChangeAvailability", { operationalStatus: "Inoperative", evse: { id: 2 } })).toBe("Accepted");
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
    const remote = (await events()).find((event) => event.triggerReason === "RemoteStart");
    expect(remote).toMatchObject({ idToken: { idToken: "APP" }, transactionInfo: { remoteStartId: 8 } });
  });

  it("unlocks unless an authorized transaction runs (F05)", async () => {
    expect(await status("UnlockConnector", { evseId: 1, connectorId: 1 })).toBe("Unlocked");
    expect(await status("UnlockConnector", { evseId: 1, connectorId: 2 })).toBe("UnknownConnector");
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    expect(await status("UnlockConnector", { evseId: 1, connectorId: 1 })).toBe("OngoingAuthorizedTransaction");
  });

  it("schedules availability and reset for the end of the transaction (G03.FR.05, B12.FR.01)", async () => {
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    expect(await status("ChangeAvailability", { operationalStatus: "Inoperative" })).toBe("Scheduled");
    expect(await status("Reset", { type: "OnIdle" })).toBe("Scheduled");
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
    expect(await status("Reset", { type: "Immediate", evseId: 1 })).toBe("Accepted");
    await ended;
    expect((await events()).at(-1)?.transactionInfo.stoppedReason).toBe("ImmediateReset");
    expect(bench.csms.all("BootNotification")).toHaveLength(1);
  });

  it("tells when a reservation ends unused (H04)", async () => {
    const expiryDateTime = new Date(bench.clock.now() + 60_000).toISOString();
    const reserve = { id: 5, expiryDateTime, idToken: { idToken: "VIP", type: "Central" }, evseId: 2 };
    expect(await status("ReserveNow", reserve)).toBe("Accepted");
    expect(bench.station.evse(2).status).toBe("Reserved");
    await bench.minutes(2);
    expect(bench.csms.all("ReservationStatusUpdate")).toEqual([
      { reservationId: 5, reservationUpdateStatus: "Expired" },
    ]);
    const { evseId: _any, ...anywhere } = reserve;
    expect(await status("ReserveNow", anywhere)).toBe("Rejected");
  });

  it("sends what TriggerMessage asks for (F06)", async () => {
    const { csms, station } = bench;
    expect(await status("TriggerMessage", { requestedMessage: "TransactionEvent" })).toBe("Rejected");
    station.plugIn(1);
    await station.presentIdToken(1, "TAG1");
    const event = csms.next("TransactionEvent", (payload) => payload.triggerReason === "Trigger");
    expect(await status("TriggerMessage", { requestedMessage: "TransactionEvent" })).toBe("Accepted");
    expect((await event).meterValue).toHaveLength(1);
    const meter = csms.next("MeterValues");
    expect(await status("TriggerMessage", { requestedMessage: "MeterValues", evse: { id: 2 } })).toBe("Accepted");
    expect((await meter).evseId).toBe(2);
    expect(await status("TriggerMessage", { requestedMessage: "StatusNotification" })).toBe("Rejected");
    const connector = csms.next("StatusNotification");
    const evse = { id: 1, connectorId: 1 };
    expect(await status("TriggerMessage", { requestedMessage: "StatusNotification", evse })).toBe("Accepted");
    expect((await connector).connectorStatus).toBe("Occupied");
    expect(await status("TriggerMessage", { requestedMessage: "SignV2GCertificate" })).toBe("NotImplemented");
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
    expect(await status("SetChargingProfile", { evseId: 0, chargingProfile })).toBe("Accepted");
    const report = csms.next("ReportChargingProfiles");
    expect(await status("GetChargingProfiles", { requestId: 2, chargingProfile: {} })).toBe("Accepted");
    expect((await report).chargingProfile).toEqual([chargingProfile]);
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    expect(bench.station.evse(1).values.phases[0]?.currentA).toBe(8);
    const external = { ...chargingProfile, chargingProfilePurpose: "ChargingStationExternalConstraints" };
    expect(await status("SetChargingProfile", { evseId: 0, chargingProfile: external })).toBe("Rejected");
    expect(await status("ClearChargingProfile", { chargingProfileId: 3 })).toBe("Accepted");
    expect(await status("GetChargingProfiles", { requestId: 3, chargingProfile: {} })).toBe("NoProfiles");
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
    expect(await status("RequestStartTransaction", start)).toBe("Accepted");
    await bench.clock.advance(1_000);
    bench.station.plugIn(1);
    await bench.station.settled();
    expect(bench.station.evse(1).values.phases[0]?.currentA).toBe(7);
    await bench.station.presentIdToken(1, "APP");
    await bench.station.settled();
    expect(await status("GetChargingProfiles", { requestId: 3, chargingProfile: {} })).toBe("NoProfiles");
  });

  it("answers NotSupported for functional blocks that it does not have", async () => {
    const message = { id: 1, priority: "InFront", message: { format: "UTF8", content: "hello" } };
    await expect(bench.csms.call("SetDisplayMessage", { message })).rejects.toMatchObject({ code: "NotSupported" });
  });
});

describe("a station of OCPP 2.1", () => {
  it("reports connectors by NotifyEvent when configured to (G01)", async () => {
    bench = new Bench("2.1", { settings: { statusByNotifyEvent: true } });
    await bench.start();
    bench.station.plugIn(1);
    await bench.station.settled();
    expect(bench.csms.all("StatusNotification")).toEqual([]);
    expect(bench.csms.all("NotifyEvent").at(-1)).toMatchObject({
      eventData: [{ actualValue: "Occupied", variable: { name: "AvailabilityState" } }],
    });
  });

  it("refuses what only a resuming station can do (B13)", async () => {
    bench = new Bench("2.1");
    await bench.start();
    expect(await status("Reset", { type: "ImmediateAndResume" })).toBe("Rejected");
  });
});

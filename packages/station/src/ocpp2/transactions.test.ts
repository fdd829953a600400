import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import type { TxPoint } from "../configuration/settings.ts";
import type { SimulatedStationOptions } from "../simulated-station-options.ts";
import { Family2Bench } from "./family2-bench.testing.ts";

let bench: Family2Bench;

afterEach(async () => {
  await bench.stop();
});

async function begin(options: Partial<SimulatedStationOptions> = {}): Promise<void> {
  bench = new Family2Bench("2.0.1", options);
  await bench.start();
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
    await bench.visit();
    const [first, ...others] = await bench.events();
    expect(`${first?.eventType} ${first?.triggerReason} ${first?.transactionInfo.chargingState}`).toBe(expected);
    expect(others.every((event) => event.eventType !== "Started")).toBe(true);
    const all = await bench.events();
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
    expect(await bench.outline()).toEqual([
      "Started Authorized Idle",
      "Updated CablePluggedIn EVConnected",
      "Updated ChargingStateChanged Charging",
    ]);
    expect((await bench.events())[0]?.evse).toEqual({ id: 1 });
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
    await bench.visit();
    const all = await bench.outline();
    expect(all.slice(-expected.length)).toEqual(expected);
    expect(all.filter((line) => line.startsWith("Ended"))).toHaveLength(1);
    expect((await bench.events()).at(-1)?.transactionInfo.stoppedReason).toBe("Local");
  });

  it("ends with StoppedByEV when the vehicle takes no more and EnergyTransfer is a stop point", async () => {
    await begin({ settings: { txStopPoint: ["EnergyTransfer"] } });
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    bench.station.pauseVehicle(1);
    const last = (await bench.events()).at(-1);
    expect(last).toMatchObject({ eventType: "Ended", triggerReason: "ChargingStateChanged" });
    expect(last?.transactionInfo.stoppedReason).toBe("StoppedByEV");
  });

  it("reports SuspendedEV and Charging again when the transaction goes on (E01.FR.19)", async () => {
    await begin();
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    bench.station.pauseVehicle(1);
    bench.station.pauseVehicle(1, false);
    expect((await bench.outline()).slice(-2)).toEqual([
      "Updated ChargingStateChanged SuspendedEV",
      "Updated ChargingStateChanged Charging",
    ]);
  });

  it("deauthorizes when the vehicle is unplugged and StopTxOnEVSideDisconnect is true (E09)", async () => {
    await begin({ settings: { txStopPoint: ["Authorized"] } });
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    bench.station.unplug(1);
    const last = (await bench.events()).at(-1);
    expect(last).toMatchObject({ eventType: "Ended", triggerReason: "EVCommunicationLost" });
    expect(last?.transactionInfo.stoppedReason).toBe("EVDisconnected");
  });

  it("waits for the vehicle when StopTxOnEVSideDisconnect is false, up to EVConnectionTimeOut (E10)", async () => {
    await begin({ settings: { txStopPoint: ["Authorized"], stopTxOnEvSideDisconnect: false } });
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    bench.station.unplug(1);
    bench.station.plugIn(1);
    expect((await bench.outline()).slice(-3)).toEqual([
      "Updated EVCommunicationLost Idle",
      "Updated CablePluggedIn EVConnected",
      "Updated ChargingStateChanged Charging",
    ]);
    bench.station.unplug(1);
    await bench.clock.advance(121_000);
    expect((await bench.outline()).at(-1)).toBe("Ended EVConnectTimeout Idle");
  });

  it("ends with Timeout when nobody plugs in (E03.FR.05)", async () => {
    await begin({ settings: { txStartPoint: ["Authorized"], txStopPoint: ["Authorized"] } });
    await bench.station.presentIdToken(1, "TAG1");
    await bench.clock.advance(121_000);
    const last = (await bench.events()).at(-1);
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
    const last = (await bench.events()).at(-1);
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
    expect((await bench.outline()).at(-1)).toBe("Updated ChargingStateChanged SuspendedEVSE");
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
    const all = await bench.events();
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

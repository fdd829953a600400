import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Bench } from "./counterpart-csms.testing.ts";
import { SimulatedStation } from "./simulated-station.ts";
import { type SimulatedStationOptions, type StationVersion, stationVersions } from "./simulated-station-options.ts";
import { MemoryJournalStorage } from "./storage/journal-storage.ts";

let bench: Bench;

async function started(version: StationVersion, options: Partial<SimulatedStationOptions> = {}): Promise<Bench> {
  bench = new Bench(version, options);
  return bench.start();
}

afterEach(async () => {
  await bench.stop();
});

const family2 = (version: StationVersion) => version === "2.0.1" || version === "2.1";

/** The energy of each transaction as the CSMS knows it, in Wh. */
function energyAtCsms(version: StationVersion): number[] {
  const { csms } = bench;
  if (!family2(version)) {
    const starts = csms.all("StartTransaction").map((payload) => Number(payload.meterStart));
    return csms.all("StopTransaction").map((payload, index) => Number(payload.meterStop) - (starts[index] ?? 0));
  }
  const registerOf = (payload: Record<string, unknown>, context: string) => {
    const samples = (payload.meterValue ?? []) as { sampledValue: { value: number; context: string }[] }[];
    return (
      samples.flatMap((sample) => sample.sampledValue).find((value) => value.context === context)?.value ?? Number.NaN
    );
  };
  const events = csms.all("TransactionEvent");
  const starts = events.filter((payload) => payload.eventType === "Started");
  const ends = events.filter((payload) => payload.eventType === "Ended");
  return ends.map(
    (end, index) => registerOf(end, "Transaction.End") - registerOf(starts[index] ?? {}, "Transaction.Begin"),
  );
}

const remoteStart = (version: StationVersion): [string, unknown] =>
  family2(version)
    ? ["RequestStartTransaction", { idToken: { idToken: "APP", type: "Central" }, remoteStartId: 7, evseId: 1 }]
    : ["RemoteStartTransaction", { idTag: "APP", connectorId: 1 }];

describe.each(stationVersions)("a station of OCPP %s", (version) => {
  it("boots, charges and stops, and the CSMS knows the energy to the Wh", async () => {
    const { csms, station } = await started(version, { evses: 2 });
    expect(csms.actions()[0]).toBe("BootNotification");
    const connectors = csms
      .all("StatusNotification")
      .map((payload) => payload[family2(version) ? "evseId" : "connectorId"]);
    expect(connectors).toEqual(family2(version) ? [1, 2] : [0, 1, 2]);

    station.plugIn(1, { socPercent: 20 });
    expect(await station.presentIdToken(1, "TAG1")).toBe("Authorized");
    const meterStart = station.evse(1).meterWh;
    await bench.minutes(61.7);
    expect(await station.presentIdToken(1, "TAG1")).toBe("Stopped");
    const energyWh = station.evse(1).meterWh - meterStart;
    station.unplug(1);
    await station.settled();

    expect(energyWh).toBeGreaterThan(10_000);
    expect(energyAtCsms(version)).toEqual([energyWh]);
    expect(station.ledger.every((entry) => entry.outcome === "acknowledged")).toBe(true);
    const sent = station.ledger.map((entry) => entry.payload);
    const transactional = csms.received.filter(({ action, payload }) =>
      family2(version)
        ? action === "TransactionEvent"
        : action === "StartTransaction" ||
          action === "StopTransaction" ||
          (action === "MeterValues" && payload.connectorId === 1),
    );
    expect(transactional.map(({ payload }) => payload)).toEqual(sent);
  });

  it("starts and stops on request of the CSMS", async () => {
    const { csms, station } = await started(version);
    station.plugIn(1);
    const begun = once(station, "transactionStarted");
    expect(await csms.call(...remoteStart(version))).toMatchObject({ status: "Accepted" });
    await begun;
    await station.settled();
    const ended = once(station, "transactionEnded");
    const stop: [string, unknown] = family2(version)
      ? ["RequestStopTransaction", { transactionId: station.evse(1).transaction?.id }]
      : ["RemoteStopTransaction", { transactionId: 1 }];
    expect(await csms.call(...stop)).toEqual({ status: "Accepted" });
    await ended;
    await station.settled();
    if (family2(version)) {
      const [first] = csms.all("TransactionEvent");
      expect(first).toMatchObject({
        eventType: "Started",
        triggerReason: "RemoteStart",
        transactionInfo: { remoteStartId: 7 },
      });
      expect(csms.all("TransactionEvent").at(-1)).toMatchObject({
        eventType: "Ended",
        triggerReason: "RemoteStop",
        transactionInfo: { stoppedReason: "Remote" },
      });
    } else {
      expect(csms.all("StartTransaction")).toHaveLength(1);
      const [end] = csms.all("StopTransaction");
      expect(end).toMatchObject({ transactionId: 1, ...(version.startsWith("1.6") ? { reason: "Remote" } : {}) });
    }
    const unknown: [string, unknown] = family2(version)
      ? ["RequestStopTransaction", { transactionId: "none" }]
      : ["RemoteStopTransaction", { transactionId: 99 }];
    expect(await csms.call(...unknown)).toMatchObject({ status: "Rejected" });
  });

  it("keeps what happens offline, over a restart, and delivers it in order", async () => {
    const storage = new MemoryJournalStorage();
    const { csms, station } = await started(version, { storage });
    expect(await station.presentIdToken(1, "TAG1")).toBe("Authorized");
    expect(await station.presentIdToken(1, "TAG1")).toBe("Stopped");
    await station.settled();
    csms.forget();

    await station.goOffline();
    // The token is known from the cache.
    station.plugIn(1, { socPercent: 20 });
    expect(await station.presentIdToken(1, "TAG1")).toBe("Authorized");
    const meterStart = station.evse(1).meterWh;
    await bench.minutes(30);
    expect(await station.presentIdToken(1, "TAG1")).toBe("Stopped");
    const energyWh = station.evse(1).meterWh - meterStart;
    const waiting = station.queuedMessages;
    expect(waiting).toBeGreaterThan(2);
    expect(csms.received).toEqual([]);
    await station.stop();

    const reborn = bench.makeStation();
    expect(reborn.queuedMessages).toBe(waiting);
    await reborn.start();
    await reborn.settled();
    expect(csms.actions()[0]).toBe("BootNotification");
    expect(energyAtCsms(version)).toEqual([energyWh]);
    expect(reborn.ledger.map((entry) => entry.outcome)).toEqual(Array.from({ length: waiting }, () => "acknowledged"));
    expect(reborn.evse(1).meterWh).toBe(meterStart + energyWh);
    if (family2(version)) {
      const events = csms.all("TransactionEvent");
      expect(events.map((event) => event.seqNo)).toEqual(events.map((_, index) => index));
      expect(events.every((event) => event.offline === true)).toBe(true);
    }
  });

  it("ends a transaction after a power cut, with the last meter value it had", async () => {
    const storage = new MemoryJournalStorage();
    const { csms, station } = await started(version, { storage });
    station.plugIn(1, { socPercent: 20 });
    await station.presentIdToken(1, "TAG1");
    await bench.minutes(10.5);
    await station.stop();
    csms.forget();
    const reborn = bench.makeStation();
    await reborn.start();
    await reborn.settled();
    if (family2(version)) {
      const [end, ...others] = csms.all("TransactionEvent");
      expect(others).toEqual([]);
      expect(end).toMatchObject({ eventType: "Ended", offline: true, transactionInfo: { stoppedReason: "PowerLoss" } });
      expect(end?.seqNo).toBe(Number(station.ledger.at(-1)?.number));
    } else {
      const [end] = csms.all("StopTransaction");
      expect(end).toMatchObject({ transactionId: 1, ...(version.startsWith("1.6") ? { reason: "PowerLoss" } : {}) });
      expect(end?.meterStop).toBe(reborn.evse(1).meterWh);
    }
    expect(reborn.evse(1).transaction).toBeUndefined();
  });

  it("finds a CSMS that was gone by itself and tells it what happened meanwhile, without a new boot", async () => {
    const { station } = await started(version, { callTimeoutMs: 5_000 });
    expect(await station.presentIdToken(1, "TAG1")).toBe("Authorized");
    station.plugIn(1, { socPercent: 20 });
    await station.settled();
    const meterStart = station.evse(1).transaction?.meterStartWh ?? 0;
    await bench.replaceCsms(async () => {
      await bench.minutes(12);
      expect(station.isOnline).toBe(false);
      expect(station.queuedMessages).toBeGreaterThan(5);
      expect(await station.presentIdToken(1, "TAG1")).toBe("Stopped");
    });
    const energyWh = station.evse(1).meterWh - meterStart;
    for (let turn = 0; turn < 200 && station.queuedMessages > 0; turn++) {
      await bench.clock.advance(10_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await station.drained();
    await station.settled();
    expect(bench.csms.all("BootNotification")).toEqual([]);
    if (family2(version)) {
      const ends = bench.csms.all("TransactionEvent").filter((event) => event.eventType === "Ended");
      expect(ends).toMatchObject([{ offline: true }]);
    } else {
      expect(bench.csms.all("StopTransaction")).toMatchObject([{ transactionId: 1, meterStop: meterStart + energyWh }]);
    }
    expect(station.ledger.every(({ outcome }) => outcome === "acknowledged")).toBe(true);
  });

  it("resets on request: ends the transaction, restarts and boots again", async () => {
    const { csms, station } = await started(version);
    station.plugIn(1);
    await station.presentIdToken(1, "TAG1");
    await station.settled();
    csms.forget();
    const offline = once(station, "offline");
    expect(await csms.call("Reset", { type: family2(version) ? "Immediate" : "Hard" })).toMatchObject({
      status: "Accepted",
    });
    await offline;
    const again = once(station, "registered");
    await bench.clock.advance(5_000);
    await again;
    await station.settled();
    if (family2(version)) {
      expect(csms.all("TransactionEvent").at(-1)).toMatchObject({
        eventType: "Ended",
        triggerReason: "ResetCommand",
        transactionInfo: { stoppedReason: "ImmediateReset" },
      });
      expect(csms.all("BootNotification")).toMatchObject([{ reason: "RemoteReset" }]);
    } else {
      const expected = version.startsWith("1.6") ? { reason: "HardReset" } : {};
      expect(csms.all("StopTransaction")).toMatchObject([{ transactionId: 1, ...expected }]);
      expect(csms.all("BootNotification")).toHaveLength(1);
    }
    expect(csms.actions().indexOf("BootNotification")).toBeGreaterThan(0);
    expect(station.evse(1).plugged).toBe(true);
    expect(station.evse(1).transaction).toBeUndefined();
  });

  it("is silent after a rejected BootNotification until the interval is over", async () => {
    bench = new Bench(version);
    const { csms, clock } = bench;
    await csms.listen();
    let status = "Rejected";
    csms.answers.set("BootNotification", () => {
      const currentTime = new Date(clock.now()).toISOString();
      return version === "1.2" || version === "1.5"
        ? { status, currentTime, heartbeatInterval: 120 }
        : { status, currentTime, interval: 120 };
    });
    const station = bench.makeStation();
    const rejected = once(station, "registrationChanged");
    await station.start({ untilRegistered: false });
    expect(await rejected).toEqual(["Rejected"]);
    await clock.advance(119_000);
    expect(await station.presentIdToken(1, "TAG1")).toBe("Refused");
    expect(csms.actions()).toEqual(["BootNotification"]);
    status = "Accepted";
    const accepted = once(station, "registered");
    await clock.advance(1_000);
    await accepted;
    await station.settled();
    expect(csms.actions().slice(0, 3)).toEqual(["BootNotification", "BootNotification", "StatusNotification"]);
  });

  it("sends a heartbeat only when nothing else was sent for an interval", async () => {
    const { csms, station } = await started(version, { settings: { alignedIntervalS: 0 } });
    csms.forget();
    await bench.clock.advance(299_000);
    expect(csms.actions()).toEqual([]);
    station.plugIn(1);
    await station.settled();
    await bench.clock.advance(298_000);
    expect(csms.all("Heartbeat")).toEqual([]);
    await bench.clock.advance(2_000);
    expect(csms.all("Heartbeat")).toHaveLength(1);
  });
});

describe("a station", () => {
  it("sends a message again whose answer was lost with the connection, and does not count that as an attempt", async () => {
    const { csms, station } = await started("2.0.1");
    csms.answers.set("TransactionEvent", async () => {
      csms.answers.delete("TransactionEvent");
      await csms.cut();
      return {};
    });
    station.plugIn(1);
    await station.presentIdToken(1, "TAG1");
    await station.drained();
    const seqNos = csms.all("TransactionEvent").map((event) => event.seqNo);
    expect(seqNos).toEqual([0, 0, 1]);
    expect(station.ledger[0]).toMatchObject({
      attempts: 1,
      outcome: "acknowledged",
      payload: { seqNo: 0, offline: true },
    });
  });

  it("keeps to the interval of a rejection although the connection was lost meanwhile (B03.FR.02)", async () => {
    bench = new Bench("2.0.1");
    const { csms, clock } = bench;
    await csms.listen();
    csms.answers.set("BootNotification", () => ({
      status: "Rejected",
      currentTime: new Date(clock.now()).toISOString(),
      interval: 600,
    }));
    const station = bench.makeStation();
    const rejected = once(station, "registrationChanged");
    await station.start({ untilRegistered: false });
    await rejected;
    const back = once(station, "online");
    await csms.cut();
    await back;
    await clock.advance(590_000);
    expect(csms.all("BootNotification")).toHaveLength(1);
    await clock.advance(20_000);
    expect(csms.all("BootNotification")).toHaveLength(2);
  });

  it("boots at once on a new connection when the answer to its boot was lost with the old one", async () => {
    bench = new Bench("1.6");
    const { csms } = bench;
    await csms.listen();
    csms.answers.set("BootNotification", async () => {
      csms.answers.delete("BootNotification");
      await csms.cut();
      return {};
    });
    await bench.makeStation().start();
    expect(csms.all("BootNotification")).toHaveLength(2);
  });

  it("keeps its queue in a file of the data directory", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "polyphase-station-"));
    try {
      const { csms, station } = await started("1.6", { dataDir });
      await station.presentIdToken(1, "TAG1");
      station.plugIn(1, { socPercent: 20 });
      await station.settled();
      await station.goOffline();
      await bench.minutes(5);
      const waiting = station.queuedMessages;
      // The process is killed: nothing is said, nothing is closed.
      csms.forget();
      const reborn = bench.makeStation();
      expect(reborn.queuedMessages).toBe(waiting);
      await reborn.start();
      await reborn.drained();
      expect(csms.all("MeterValues")).toHaveLength(waiting);
      expect(csms.all("StopTransaction")).toMatchObject([{ reason: "PowerLoss", meterStop: reborn.evse(1).meterWh }]);
      await station.stop();
    } finally {
      rmSync(dataDir, { recursive: true, force: true });
    }
  });

  it("refuses an address that its version cannot use", async () => {
    bench = new Bench("2.1");
    await bench.csms.listen();
    expect(() => new SimulatedStation({ id: "X", version: "2.1", csmsUrl: "http://127.0.0.1:1/soap" })).toThrow(
      RangeError,
    );
    expect(() => new SimulatedStation({ id: "X", version: "1.6S", csmsUrl: "ws://127.0.0.1:1/ocpp" })).toThrow(
      RangeError,
    );
    expect(() => new SimulatedStation({ id: "X", version: "1.6", csmsUrl: "ws://127.0.0.1:1", evses: 0 })).toThrow(
      RangeError,
    );
  });

  it("sets its clock by the CSMS when simulated time is real time", async () => {
    const { csms, station } = await started("1.6", { synchronizeClock: true });
    csms.time = () => bench.clock.now() + 7_200_000;
    await bench.clock.advance(300_000);
    csms.forget();
    station.plugIn(1);
    await station.settled();
    const [status] = csms.all("StatusNotification");
    expect(Math.abs(Date.parse(String(status?.timestamp)) - csms.time())).toBeLessThan(1_000);
  });

  it("repeats itself exactly for the same seed", async () => {
    const { station } = await started("2.0.1", { seed: "same" });
    const charge = async () => {
      bench.station.plugIn(1, { socPercent: 50 });
      await bench.station.presentIdToken(1, "TAG1");
      await bench.minutes(7);
      return bench.station.evse(1).meterWh;
    };
    const first = await charge();
    await station.stop();
    await bench.csms.close();
    await started("2.0.1", { seed: "same" });
    expect(await charge()).toBe(first);
  });
});

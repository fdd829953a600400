import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ScaledClock, SimulatedStation, stationVersions } from "@polyphase/station";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CsmsProcess } from "./csms-process.ts";
import { callApi, eventually, listAll, stationUrl } from "./running-csms.ts";

/** Stations of each version. */
const EACH = 3;
const ROUNDS = 3;

describe("a CSMS with its embedded database that is killed under load", () => {
  let dataDir: string;
  let csms: CsmsProcess;
  const clock = new ScaledClock({ scale: 60, startAt: Date.UTC(2026, 2, 1, 12) });
  const stations: SimulatedStation[] = [];
  const meterStartWh = new Map<string, number>();

  const list = (path: string) => listAll(csms.httpUrl, path);
  const acknowledged = () =>
    stations.reduce((sum, { ledger }) => sum + ledger.filter(({ outcome }) => outcome === "acknowledged").length, 0);

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "polyphase killed "));
    csms = await CsmsProcess.create({ POLYPHASE_DATA_DIR: dataDir });
    await csms.start();
    await callApi(csms.httpUrl, "PUT", "/id-tokens/TAG1", { type: "ISO14443", status: "Accepted" });
    for (const version of stationVersions) {
      for (let index = 1; index <= EACH; index++) {
        stations.push(
          new SimulatedStation({
            id: `KILL-${version}-${index}`,
            version,
            csmsUrl: stationUrl(version, csms.ocppPort),
            clock,
            synchronizeClock: false,
            callTimeoutMs: 2_000,
            backOff: { waitMinimumMs: 100, randomRangeMs: 200, repeatTimes: 1 },
            // What fails for want of a CSMS is tried again until there is one. Clock-aligned values are no transaction
            // messages in 1.x, so the ledger would not have them.
            settings: {
              txUpdatedIntervalS: 20,
              alignedIntervalS: 0,
              messageAttempts: 1_000,
              messageAttemptIntervalS: 5,
            },
          }),
        );
      }
    }
    await Promise.all(stations.map((station) => station.start()));
    for (const station of stations) {
      meterStartWh.set(station.id, station.evse(1).meterWh);
      station.plugIn(1, { socPercent: 5 });
      await station.presentIdToken(1, "TAG1");
    }
  });

  afterAll(async () => {
    await Promise.all(stations.map((station) => station.stop()));
    clock.stop();
    await csms.end("SIGTERM");
    await rm(dataDir, { recursive: true, force: true });
  });

  it("starts again each time, without help", async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const before = acknowledged();
      await eventually("load", () => (acknowledged() >= before + 40 ? true : undefined));
      await csms.end("SIGKILL");
      await csms.start();
    }
    const before = acknowledged();
    await eventually("load after the last start", () => (acknowledged() >= before + 40 ? true : undefined));
  });

  it("goes on with the open transactions", async () => {
    for (const station of stations) {
      const found = await list(`/transactions?stationId=${station.id}`);
      expect(found, station.id).toMatchObject([{ status: "Open" }]);
    }
  });

  it("has every acknowledged event once, and all energy", async () => {
    for (const station of stations) {
      await station.presentIdToken(1, "TAG1");
      station.unplug(1);
    }
    await Promise.all(stations.map((station) => station.drained()));
    for (const station of stations) {
      expect(station.ledger.map(({ outcome }) => outcome)).not.toContain("discarded");
      const [transaction, ...others] = await list(`/transactions?stationId=${station.id}`);
      expect(others, station.id).toEqual([]);
      const energyWh = station.evse(1).meterWh - (meterStartWh.get(station.id) ?? Number.NaN);
      expect(energyWh, station.id).toBeGreaterThan(0);
      expect(transaction, station.id).toMatchObject({ status: "Ended", energyWh });
      const events = await list(`/transactions/${transaction?.id}/events`);
      expect(events.length, station.id).toBe(station.ledger.length);
    }
  });

  it("ends in order on SIGTERM", async () => {
    expect(await csms.end("SIGTERM")).toBe(0);
  });
});

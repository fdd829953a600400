import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { stationCommand } from "./command.ts";
import { CounterpartCsms } from "./counterpart-csms.testing.ts";
import { Fleet } from "./fleet.ts";
import { type StationVersion, stationVersions } from "./simulated-station-options.ts";

let csms: CounterpartCsms;

beforeEach(async () => {
  csms = new CounterpartCsms();
  await csms.listen();
});

afterEach(async () => {
  await csms.close();
});

describe("a fleet", () => {
  it("registers all its stations, with a few starting at a time", async () => {
    const held: (() => void)[] = [];
    let most = 0;
    csms.answers.set("BootNotification", async () => {
      // Ten at a time: the answers are held back until so many stations boot at once.
      await new Promise<void>((resolve) => {
        most = Math.max(most, held.push(resolve));
        if (held.length === 10) for (const release of held.splice(0)) release();
      });
      return { status: "Accepted", currentTime: new Date().toISOString(), interval: 300 };
    });
    const fleet = new Fleet({
      id: "F",
      count: 60,
      version: "1.6",
      csmsUrl: csms.url("1.6"),
      concurrentStarts: 10,
    });
    await fleet.start();
    expect(csms.all("BootNotification")).toHaveLength(60);
    expect(new Set(csms.all("BootNotification").map((boot) => boot.chargePointSerialNumber)).size).toBe(60);
    expect(most).toBe(10);
    await fleet.stop();
    expect(fleet.stations.every((station) => !station.isOnline)).toBe(true);
  });

  it.each(stationVersions)("lets drivers come, charge and leave by themselves in OCPP %s", async (version) => {
    const family2 = version === "2.0.1" || version === "2.1";
    const end = family2
      ? csms.next("TransactionEvent", (payload) => payload.eventType === "Ended")
      : csms.next("StopTransaction");
    const fleet = new Fleet({
      id: "F",
      count: 4,
      version,
      csmsUrl: csms.url(version),
      seed: 7,
      timeScale: 6_000,
      settings: { alignedIntervalS: 0, txUpdatedIntervalS: 600, heartbeatIntervalS: 86_400 },
      visitors: { site: "roadside", tokens: ["TAG1", "TAG2"], busyness: 4 },
    });
    await fleet.start();
    await end;
    await fleet.stop();
    const begun = family2 ? csms.all("TransactionEvent") : csms.all("StartTransaction");
    expect(begun.length).toBeGreaterThan(0);
  });

  it("ends its wait when it is stopped before the CSMS accepts it", async () => {
    csms.answers.set("BootNotification", () => ({
      status: "Rejected",
      currentTime: new Date().toISOString(),
      interval: 3600,
    }));
    const fleet = new Fleet({ id: "F", count: 2, version: "2.1", csmsUrl: csms.url("2.1") });
    const boot = csms.next("BootNotification");
    const started = fleet.start();
    await boot;
    await Promise.all([fleet.stop(), expect(started).rejects.toThrow("stopped")]);
  });

  it("needs at least one station", () => {
    expect(() => new Fleet({ id: "F", count: 0, version: "1.6", csmsUrl: "ws://127.0.0.1:1" })).toThrow(RangeError);
  });
});

describe("the command", () => {
  async function run(version: StationVersion, ...flags: string[]): Promise<void> {
    const command = stationCommand().exitOverride();
    command.configureOutput({ writeErr: () => {}, writeOut: () => {} });
    await command.parseAsync(["--csms", csms.url(version), "--ocpp-version", version, "--quiet", ...flags], {
      from: "user",
    });
  }

  it("ends by itself after the time it was given", async () => {
    await run("1.6", "--duration", "0.1");
  });

  it("runs stations until it is told to end, and leaves what survives a restart in the data directory", async () => {
    const directory = mkdtempSync(join(tmpdir(), "polyphase-station-"));
    csms.answers.set("BootNotification", () => ({
      status: "Accepted",
      currentTime: new Date().toISOString(),
      interval: 77,
    }));
    const others = new Set(process.listeners("SIGTERM"));
    try {
      const ended = run("2.0.1", "--id", "CLI", "--count", "2", "--data-dir", directory);
      await expect.poll(() => csms.all("BootNotification")).toHaveLength(2);
      await expect.poll(() => readdirSync(directory).sort()).toEqual(["CLI-1.jsonl", "CLI-2.jsonl"]);
      // A signal, which the process that runs the tests must not hear of.
      for (const listener of process.listeners("SIGTERM")) if (!others.has(listener)) listener("SIGTERM");
      await ended;
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it.each([
    ["--ocpp-version", "2.0"],
    ["--count", "0"],
    ["--time-scale", "never"],
  ])("refuses %s %s", async (...flags) => {
    await expect(run("1.6", ...flags)).rejects.toThrow(/invalid|Allowed choices/);
  });
});

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { seededRandom } from "@polyphase/station";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CsmsProcess } from "../system/csms-process.ts";
import { ChargingFleet } from "./charging-fleet.ts";

const KILLS = 10;
const seed = process.env.POLYPHASE_TEST_SEED ?? String(Date.now());

describe(`a CSMS with its embedded database that is killed under load (POLYPHASE_TEST_SEED=${seed})`, () => {
  const random = seededRandom(seed);
  let dataDir: string;
  let csms: CsmsProcess;
  let fleet: ChargingFleet;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "polyphase killed "));
    csms = await CsmsProcess.create({ POLYPHASE_DATA_DIR: dataDir });
    await csms.start();
    fleet = new ChargingFleet(csms, random.fork("drivers"), 1);
    await fleet.start();
  });

  afterAll(async () => {
    await fleet.stop();
    await csms.end("SIGKILL");
    await rm(dataDir, { recursive: true, force: true });
  });

  it(`starts again each of ${KILLS} times, without help`, async () => {
    for (let kill = 0; kill < KILLS; kill++) {
      await fleet.progress(random.integer(5, 20));
      fleet.stir();
      await delay(random.integer(0, 50));
      await csms.end("SIGKILL");
      await csms.start();
    }
    await fleet.progress(20);
  }, 600_000);

  it("has every acknowledged event once, and all energy to the watt-hour", async () => {
    await fleet.settle();
    await fleet.expectKept();
  }, 600_000);

  it("ends in order on SIGTERM", async () => {
    expect(await csms.end("SIGTERM")).toBe(0);
  });
});

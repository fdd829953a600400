import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ManualClock } from "@polyphase/testing";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DatabaseUnavailableError, type GroupCommit } from "../../database/write-unit.ts";
import { RecordedWrites } from "../fixture.ts";
import { DeviationRecord } from "./deviation-record.ts";
import type { DeviationRow } from "./deviation-store.ts";

let clock: ManualClock;
let writes: RecordedWrites;
let isAway: boolean;
let commits: number;
let record: DeviationRecord;

beforeEach(() => {
  clock = new ManualClock("2024-05-01T00:00:00Z");
  writes = new RecordedWrites();
  isAway = false;
  commits = 0;
  const groupCommit: GroupCommit = {
    unit() {
      const unit = writes.unit();
      const commit = unit.commit.bind(unit);
      unit.commit = async () => {
        commits += 1;
        if (isAway) throw new DatabaseUnavailableError("away");
        await commit();
      };
      return unit;
    },
  };
  const log = pino({ level: "silent" });
  record = new DeviationRecord({ groupCommit, clock, log, intervalMs: 3_600_000 });
});

afterEach(() => record.close());

const count = (stationId: string, deviation: string, evidence?: unknown, action = "BootNotification") =>
  record.count({ stationId, deviation, version: "1.6", action, evidence });
const rows = () => writes.rows as DeviationRow[];

function liveHeapBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}

describe("what stations show", () => {
  it("keeps the beginning of long evidence, and nothing of the rest in memory", async () => {
    const stations = 500;
    const evidenceOf = (index: number) => JSON.stringify({ data: `${index}`.padEnd(60 * 1024, "x") });
    const before = liveHeapBytes();
    for (let index = 0; index < stations; index += 1) count(`CS${index}`, "json-empty-value", evidenceOf(index));
    expect(liveHeapBytes() - before).toBeLessThan((stations * 60 * 1024) / 3);
    await record.flush();
    expect(rows()).toHaveLength(stations);
    expect(rows()[7]?.example).toMatch(/^\{"data":"7x{1000,}… \(61451 characters\)$/);
  });

  it("is gathered, and written once however often it was shown", async () => {
    for (let index = 0; index < 1_000; index += 1) {
      count("CS1", "null-values", { iccid: null });
      clock.advance(1);
    }
    count("CS2", "null-values");
    expect(commits).toBe(0);
    await record.flush();
    expect(commits).toBe(1);
    expect(rows()).toEqual([
      {
        station_id: "CS1",
        deviation: "null-values",
        occurrences: 1_000,
        first_at: new Date("2024-05-01T00:00:00.000Z"),
        last_at: new Date("2024-05-01T00:00:00.999Z"),
        example_at: new Date("2024-05-01T00:00:00.000Z"),
        example_version: "1.6",
        example_action: "BootNotification",
        example: '{"iccid":null}',
        batch: expect.any(String),
      },
      expect.objectContaining({ station_id: "CS2", occurrences: 1, example: null }),
    ]);
    await record.flush();
    expect(commits).toBe(1);
  });

  it("is counted on when the database is away, and written when it is back", async () => {
    isAway = true;
    count("CS1", "null-values", "first");
    await record.flush();
    clock.advance(5_000);
    count("CS1", "null-values");
    count("CS1", "time-format");
    await record.flush();
    expect(rows()).toEqual([]);
    isAway = false;
    await record.flush();
    expect(
      rows().map(({ deviation, occurrences, first_at, last_at, example }) => [
        deviation,
        occurrences,
        last_at.getTime() - first_at.getTime(),
        example,
      ]),
    ).toEqual([
      ["null-values", 2, 5_000, "first"],
      ["time-format", 1, 0, null],
    ]);
  });

  it("is news once in ten minutes, with a new example", async () => {
    expect(count("CS1", "null-values", "old")).toBe(true);
    clock.advance(599_999);
    expect(count("CS1", "null-values", "newer")).toBe(false);
    expect(count("CS2", "null-values")).toBe(true);
    await record.flush();
    clock.advance(1);
    expect(count("CS1", "null-values", "newest")).toBe(true);
    await record.flush();
    expect(
      rows()
        .filter(({ station_id }) => station_id === "CS1")
        .map(({ example }) => example),
    ).toEqual(["old", "newest"]);
  });

  it("is forgotten with its station, and news afterwards", async () => {
    count("CS1", "null-values");
    record.forget("CS1");
    await record.flush();
    expect(rows()).toEqual([]);
    expect(count("CS1", "null-values")).toBe(true);
  });

  it("takes memory for fifty thousand at most", async () => {
    isAway = true;
    for (let index = 0; index < 50_100; index += 1) count(`CS${index}`, "null-values");
    await record.flush();
    isAway = false;
    await record.flush();
    expect(rows().length).toBe(50_000);
  });
});

describe("an example", () => {
  it.each([
    ["ChangeConfiguration", { key: "AuthorizationKey", value: "hunter2-hunter2" }],
    ["", '[2,"1","DataTransfer",{"vendorId":"x","data":"password hunter2"'],
    ["Authorize", { idToken: { idToken: "hunter2", type: "KeyCode" } }],
    ["GetDiagnostics", { location: "ftp://user:hunter2@example.com/" }],
  ])("of %s has no secrets in it", async (action, evidence) => {
    count("CS1", "null-values", evidence, action);
    await record.flush();
    expect(rows()[0]?.example).toEqual(expect.any(String));
    expect(JSON.stringify(rows())).not.toContain("hunter2");
  });

  it("is cut, and not made of what is too large or too deep", async () => {
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level += 1) deep = [deep];
    count("CS1", "a", "x".repeat(3_000));
    count("CS1", "b", "x".repeat(70_000));
    count("CS1", "c", deep);
    count("CS1", "d", 1n);
    await record.flush();
    expect(rows().map(({ example }) => example)).toEqual([
      `${"x".repeat(2_000)}… (3000 characters)`,
      "(70000 characters)",
      "(cannot be shown)",
      "(cannot be shown)",
    ]);
  });
});

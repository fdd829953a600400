import { ManualClock } from "@polyphase/testing";
import { pino } from "pino";
import { beforeEach, describe, expect, it } from "vitest";
import { RetentionClock } from "./retention-clock.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const log = pino({ level: "silent" });

let clock: ManualClock;
let elapsedMs: number;
let retention: RetentionClock;

beforeEach(() => {
  clock = new ManualClock("2026-03-01T12:00:00Z");
  elapsedMs = 1_000;
  retention = new RetentionClock({ clock, log, elapsedMs: () => elapsedMs });
});

/** Time passes, on all clocks. */
function pass(ms: number): void {
  elapsedMs += ms;
  clock.advance(ms);
}

const now = () => retention.now().toISOString();

describe("the time by which old data is deleted", () => {
  it("is the machine's as long as that goes on steadily", () => {
    pass(400 * DAY_MS);
    expect(now()).toBe(clock.now().toISOString());
  });

  it("follows a clock that is slewed or set by minutes", () => {
    clock.advance(5 * 60_000);
    expect(now()).toBe("2026-03-01T12:05:00.000Z");
  });

  it("does not follow a jump of years ahead, and goes on itself", () => {
    clock.set("2056-01-01T00:00:00Z");
    expect(now()).toBe("2026-03-01T12:00:00.000Z");
    pass(HOUR_MS);
    expect(now()).toBe("2026-03-01T13:00:00.000Z");
    clock.set("2026-03-01T13:00:00Z");
    pass(HOUR_MS);
    expect(now()).toBe("2026-03-01T14:00:00.000Z");
  });

  it("believes a jump ahead that has lasted for a day of passing time", () => {
    clock.set("2026-05-01T00:00:00Z");
    retention.now();
    pass(DAY_MS - 1);
    expect(now()).toBe("2026-03-02T11:59:59.999Z");
    pass(1);
    expect(now()).toBe("2026-05-02T00:00:00.000Z");
  });

  it("begins to wait again when the clock jumps once more", () => {
    clock.set("2026-05-01T00:00:00Z");
    retention.now();
    pass(DAY_MS - HOUR_MS);
    clock.set("2030-01-01T00:00:00Z");
    retention.now();
    pass(2 * HOUR_MS);
    expect(now()).toBe("2026-03-02T13:00:00.000Z");
  });

  it("does not believe at once that a system was at rest for months", () => {
    const lastStoredAt = new Date("2026-01-01T00:00:00Z");
    retention = new RetentionClock({ clock, log, lastStoredAt, elapsedMs: () => elapsedMs });
    expect(now()).toBe("2026-01-01T00:00:00.000Z");
    pass(DAY_MS);
    expect(now()).toBe("2026-03-02T12:00:00.000Z");
  });

  it("believes that it was at rest for days", () => {
    const lastStoredAt = new Date("2026-02-25T00:00:00Z");
    retention = new RetentionClock({ clock, log, lastStoredAt, elapsedMs: () => elapsedMs });
    expect(now()).toBe("2026-03-01T12:00:00.000Z");
  });

  it("follows a jump back at once, which deletes less, and not the jump ahead to where it was", () => {
    clock.set("1970-01-01T00:00:00Z");
    expect(now()).toBe("1970-01-01T00:00:00.000Z");
    clock.set("2026-03-01T12:00:00Z");
    expect(now()).toBe("1970-01-01T00:00:00.000Z");
    pass(DAY_MS);
    expect(now()).toBe("2026-03-02T12:00:00.000Z");
  });
});

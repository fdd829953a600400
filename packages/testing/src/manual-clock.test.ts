import { expect, test } from "vitest";
import { ManualClock } from "./manual-clock.ts";

test("the clock stands still until it is moved", () => {
  const clock = new ManualClock("2026-01-01T00:00:00Z");
  expect(clock.now()).toEqual(new Date("2026-01-01T00:00:00Z"));
  expect(clock.advance(1500)).toEqual(new Date("2026-01-01T00:00:01.500Z"));
  clock.set("1970-01-01T00:00:00Z");
  expect(clock.now().getTime()).toBe(0);
});

test("changing a date that the clock gave does not move the clock", () => {
  const clock = new ManualClock();
  clock.now().setFullYear(1999);
  expect(clock.now().getUTCFullYear()).toBe(2026);
});

test("a text that is no time is refused", () => {
  expect(() => new ManualClock("yesterday")).toThrow(RangeError);
  expect(() => new ManualClock().set("never")).toThrow(RangeError);
});

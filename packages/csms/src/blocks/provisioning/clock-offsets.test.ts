import { expect, test } from "vitest";
import { ClockOffsets } from "./clock-offsets.ts";

const received = new Date("2026-03-01T12:00:00Z");
const at = (offsetS: number) => new Date(received.getTime() + offsetS * 1000);

test("a message that comes late does not make the clock look slow", () => {
  const offsets = new ClockOffsets();
  offsets.note("CS1", at(-3600), received);
  expect(offsets.offsetS("CS1")).toBe(-3600);
  offsets.note("CS1", at(12.34), received);
  expect(offsets.offsetS("CS1")).toBe(12.3);
  offsets.note("CS1", at(-60), received);
  expect(offsets.offsetS("CS1")).toBe(12.3);
});

test("what a clock showed before it was set is forgotten within a day of passing time", () => {
  let elapsedMs = 0;
  const offsets = new ClockOffsets(() => elapsedMs);
  offsets.note("CS1", at(7_200), received);
  elapsedMs += 11 * 3_600_000;
  offsets.note("CS1", at(1), received);
  expect(offsets.offsetS("CS1")).toBe(7_200);
  elapsedMs += 12 * 3_600_000;
  offsets.note("CS1", at(1), received);
  expect(offsets.offsetS("CS1")).toBe(7_200);
  elapsedMs += 12 * 3_600_000;
  offsets.note("CS1", at(1), received);
  expect(offsets.offsetS("CS1")).toBe(1);
});

test("nonsense is not remembered", () => {
  const offsets = new ClockOffsets();
  offsets.note("CS1", new Date("0001-01-01T00:00:00Z"), received);
  offsets.note("CS1", new Date(Number.NaN), received);
  expect(offsets.offsetS("CS1")).toBeUndefined();
});

test("a boot sets the clock, and what was known of it is forgotten", () => {
  const offsets = new ClockOffsets();
  offsets.note("CS1", at(100), received);
  offsets.forget("CS1");
  expect(offsets.offsetS("CS1")).toBeUndefined();
});

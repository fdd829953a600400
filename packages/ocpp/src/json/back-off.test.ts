import { expect, test } from "vitest";
import { BackOff } from "./back-off.ts";

function randomOf(...numbers: number[]): () => number {
  return () => numbers.shift() ?? 0;
}

test("the first wait is the minimum plus a random part, each further one doubles the last and adds a new one (2.x Part 4 §5.4)", () => {
  const backOff = new BackOff({ waitMinimumMs: 1_000, randomRangeMs: 100, repeatTimes: 3 }, randomOf(0.5, 0.1, 1, 0));
  expect([backOff.next(), backOff.next(), backOff.next(), backOff.next()]).toEqual([1_050, 2_110, 4_320, 8_640]);
});

test("after RetryBackOffRepeatTimes doublings the wait stays as it is", () => {
  const backOff = new BackOff({ waitMinimumMs: 10, randomRangeMs: 5, repeatTimes: 2 }, randomOf(1, 1, 1, 1, 1));
  const waits = Array.from({ length: 6 }, () => backOff.next());
  expect(waits).toEqual([15, 35, 75, 75, 75, 75]);
});

test("a success starts the sequence over (errata 2025-06)", () => {
  const backOff = new BackOff({ waitMinimumMs: 10, randomRangeMs: 0, repeatTimes: 5 });
  expect([backOff.next(), backOff.next()]).toEqual([10, 20]);
  backOff.reset();
  expect([backOff.next(), backOff.next()]).toEqual([10, 20]);
});

test("without doublings every wait is the first one", () => {
  const backOff = new BackOff({ waitMinimumMs: 10, randomRangeMs: 0, repeatTimes: 0 });
  expect([backOff.next(), backOff.next(), backOff.next()]).toEqual([10, 10, 10]);
});

test("new values of the variables count from the next wait on", () => {
  const backOff = new BackOff({ waitMinimumMs: 10, randomRangeMs: 0, repeatTimes: 5 });
  expect(backOff.next()).toBe(10);
  backOff.update({ randomRangeMs: 4, repeatTimes: 1 });
  expect(backOff.next()).toBeGreaterThanOrEqual(20);
  backOff.reset();
  backOff.update({ waitMinimumMs: 7, randomRangeMs: 0 });
  expect(backOff.next()).toBe(7);
});

test("negative values are refused", () => {
  expect(() => new BackOff({ waitMinimumMs: -1, randomRangeMs: 0, repeatTimes: 0 })).toThrow(RangeError);
  const backOff = new BackOff({ waitMinimumMs: 1, randomRangeMs: 0, repeatTimes: 0 });
  expect(() => backOff.update({ repeatTimes: -1 })).toThrow(RangeError);
});

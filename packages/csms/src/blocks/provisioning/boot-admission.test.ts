import fc from "fast-check";
import { expect, test } from "vitest";
import { BootAdmission, withJitter } from "./boot-admission.ts";

const limits = { concurrent: 10, retryS: 5, returningPerS: 10 };

test("never more boots than allowed are in progress, and every end makes room for one", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (steps) => {
      const admission = new BootAdmission(
        limits,
        () => 0.5,
        () => 0,
      );
      const turns: (() => void)[] = [];
      for (const enters of steps) {
        if (enters) {
          const before = admission.running;
          const turn = admission.enter();
          expect("end" in turn).toBe(before < 10);
          if ("end" in turn) turns.push(turn.end);
        } else turns.pop()?.();
        expect(admission.running).toBe(turns.length);
      }
    }),
  );
});

test("ending a turn twice frees one place only", () => {
  const admission = new BootAdmission(
    limits,
    () => 0.5,
    () => 0,
  );
  const first = admission.enter();
  admission.enter();
  if ("end" in first) {
    first.end();
    first.end();
  }
  expect(admission.running).toBe(1);
});

test("stations that are put off return spread over the time that it takes to serve them", () => {
  let seed = 1;
  const random = () => {
    seed = (seed * 16807) % 2147483647;
    return seed / 2147483647;
  };
  const admission = new BootAdmission({ ...limits, concurrent: 0 }, random, () => 0);
  const perSecond = new Map<number, number>();
  for (let station = 0; station < 1_000; station += 1) {
    const turn = admission.enter();
    if ("retryS" in turn) perSecond.set(turn.retryS, (perSecond.get(turn.retryS) ?? 0) + 1);
  }
  // 1,000 at 10 a second: about 100 s, with a jitter of half either way.
  expect(Math.max(...perSecond.keys())).toBeGreaterThan(100);
  expect(Math.max(...perSecond.values())).toBeLessThan(30);
});

test("the spread begins anew when the storm is over", () => {
  let nowMs = 0;
  const admission = new BootAdmission(
    { ...limits, concurrent: 0 },
    () => 0.5,
    () => nowMs,
  );
  for (let station = 0; station < 1_000; station += 1) admission.enter();
  nowMs = 3_600_000;
  expect(admission.enter()).toEqual({ retryS: 6 });
});

test("jitter adds up to a fifth", () => {
  expect(withJitter(60, () => 0)).toBe(60);
  expect(withJitter(60, () => 0.999)).toBe(72);
});

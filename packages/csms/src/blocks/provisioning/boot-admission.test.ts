import fc from "fast-check";
import { expect, test } from "vitest";
import { BootAdmission, type BootTurn, withJitter } from "./boot-admission.ts";

const limits = { concurrent: 10, waiting: 0, patienceMs: 10_000, retryS: 5, returningPerS: 10 };

/** The turn of a boot that does not have to wait for it. */
function enter(admission: BootAdmission): BootTurn {
  const turn = admission.enter();
  if (turn instanceof Promise) throw new Error("the boot waits");
  return turn;
}

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
          const turn = enter(admission);
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
  const first = enter(admission);
  enter(admission);
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
    const turn = enter(admission);
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
  for (let station = 0; station < 1_000; station += 1) enter(admission);
  nowMs = 3_600_000;
  expect(enter(admission)).toEqual({ retryS: 6 });
});

test("jitter adds up to a fifth", () => {
  expect(withJitter(60, () => 0)).toBe(60);
  expect(withJitter(60, () => 0.999)).toBe(72);
});

test("a boot that finds no place waits in line for one, and the first that came goes first", async () => {
  const admission = new BootAdmission(
    { ...limits, concurrent: 1, waiting: 2 },
    () => 0.5,
    () => 0,
  );
  const first = enter(admission);
  const order: string[] = [];
  const waiting = ["second", "third"].map(async (name) => {
    const turn = await admission.enter();
    order.push(name);
    if ("end" in turn) turn.end();
  });
  expect(admission.waiting).toBe(2);
  expect(enter(admission)).toHaveProperty("retryS");
  expect(order).toEqual([]);
  if ("end" in first) first.end();
  await Promise.all(waiting);
  expect(order).toEqual(["second", "third"]);
  expect([admission.running, admission.waiting]).toEqual([0, 0]);
});

test("a boot that has stood in line too long, because nothing went on, is put off", async () => {
  let nowMs = 0;
  const admission = new BootAdmission(
    { ...limits, concurrent: 1, waiting: 10 },
    () => 0.5,
    () => nowMs,
  );
  const first = enter(admission);
  const early = admission.enter();
  nowMs = 10_001;
  const late = admission.enter();
  if ("end" in first) first.end();
  expect(await early).toHaveProperty("retryS");
  expect(await late).toHaveProperty("end");
  expect([admission.running, admission.waiting]).toEqual([1, 0]);
});

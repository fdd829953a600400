import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ManualClock, type RealTime, ScaledClock } from "./clock.ts";

class StubTime implements RealTime {
  time = 1_000_000;
  pending: { at: number; callback: () => void } | undefined;
  now(): number {
    return this.time;
  }
  setTimer(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.time + delayMs, callback };
    this.pending = timer;
    return () => {
      if (this.pending === timer) this.pending = undefined;
    };
  }
  run(until: number): void {
    while (this.pending !== undefined && this.pending.at <= until) {
      const { at, callback } = this.pending;
      this.pending = undefined;
      this.time = at;
      callback();
    }
    this.time = until;
  }
}

describe("a scaled clock", () => {
  it("lets simulated time pass by its factor", () => {
    const real = new StubTime();
    const clock = new ScaledClock({ scale: 60, real });
    real.time += 1000;
    expect(clock.now()).toBe(1_000_000 + 60_000);
  });

  it("fires timers in due order with one real timer, and not those that were cancelled", () => {
    const real = new StubTime();
    const clock = new ScaledClock({ scale: 10, real });
    const fired: string[] = [];
    clock.setTimer(5000, () => fired.push("late"));
    const cancelled = clock.setTimer(2000, () => fired.push("cancelled"));
    clock.setTimer(1000, () => {
      fired.push("early");
      clock.setTimer(1000, () => fired.push("nested"));
    });
    cancelled.cancel();
    real.run(1_000_000 + 500);
    expect(fired).toEqual(["early", "nested", "late"]);
    expect(real.pending).toBeUndefined();
  });

  it("runs at the pace of real time once it has caught up", () => {
    const real = new StubTime();
    const clock = new ScaledClock({ scale: 10, startAt: 1_000_000 - 9000, untilPresent: true, real });
    let firedAt = 0;
    clock.setTimer(20_000, () => {
      firedAt = real.time;
    });
    real.run(1_001_000);
    expect(clock.now()).toBe(1_001_000);
    real.run(1_002_000);
    expect(clock.now()).toBe(1_002_000);
    real.run(1_020_000);
    expect(firedAt).toBe(1_011_000);
  });

  it("fires nothing after it was stopped", () => {
    const real = new StubTime();
    const clock = new ScaledClock({ real });
    let fired = 0;
    clock.setTimer(10, () => fired++);
    clock.stop();
    clock.setTimer(20, () => fired++);
    real.run(2_000_000);
    expect(fired).toBe(0);
  });
});

describe("a manual clock", () => {
  it("fires every timer at its own time, in order of due time and then of setting", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 60 }), async (delays) => {
        const clock = new ManualClock(0, () => Promise.resolve());
        const fired: [number, number][] = [];
        delays.forEach((delay, index) => {
          clock.setTimer(delay, () => {
            expect(clock.now()).toBe(delay);
            fired.push([delay, index]);
          });
        });
        await clock.advance(500);
        const expected = delays.map((delay, index): [number, number] => [delay, index]);
        expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        expect(fired).toEqual(expected);
        expect(clock.now()).toBe(500);
      }),
    );
  });
});

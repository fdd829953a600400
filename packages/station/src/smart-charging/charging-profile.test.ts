import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ChargingProfile, limitAt, nextChange, stricter } from "./charging-profile.ts";

const day = 86_400_000;
const start = Date.UTC(2030, 0, 7);

function profile(more: Partial<ChargingProfile>, schedule: Partial<ChargingProfile["schedule"]> = {}): ChargingProfile {
  return {
    id: 1,
    stackLevel: 0,
    purpose: "TxDefaultProfile",
    kind: "Absolute",
    schedule: {
      unit: "A",
      startAt: start,
      periods: [
        { startPeriodS: 0, limit: 32 },
        { startPeriodS: 3600, limit: 10, numberPhases: 1 },
      ],
      ...schedule,
    },
    ...more,
  };
}

describe("the limit of a charging profile", () => {
  it("is that of the period that runs, and none before the start or after the duration", () => {
    const absolute = profile({}, { durationS: 7200 });
    expect(limitAt(absolute, start - 1, undefined)).toBeUndefined();
    expect(limitAt(absolute, start, undefined)?.limit).toBe(32);
    expect(limitAt(absolute, start + 3_600_000, undefined)).toEqual({ limit: 10, unit: "A", numberPhases: 1 });
    expect(limitAt(absolute, start + 7_200_000, undefined)).toBeUndefined();
  });

  it("counts a relative schedule from the start of the transaction", () => {
    const relative = profile({ kind: "Relative" });
    expect(limitAt(relative, start, undefined)).toBeUndefined();
    expect(limitAt(relative, start + 5_000_000, start + 4_000_000)?.limit).toBe(32);
    expect(limitAt(relative, start + 8_000_000, start + 4_000_000)?.limit).toBe(10);
  });

  it("repeats every day or week", () => {
    const daily = profile({ kind: "Recurring", recurrency: "Daily" });
    expect(limitAt(daily, start + 9 * day + 60_000, undefined)?.limit).toBe(32);
    expect(limitAt(daily, start + 9 * day + 3_700_000, undefined)?.limit).toBe(10);
    const weekly = profile({ kind: "Recurring", recurrency: "Weekly" }, { durationS: 3600 });
    expect(limitAt(weekly, start + 7 * day, undefined)?.limit).toBe(32);
    expect(limitAt(weekly, start + 8 * day, undefined)).toBeUndefined();
  });

  it("holds only between validFrom and validTo", () => {
    const valid = profile({ validFrom: start + 1000, validTo: start + 2000 });
    expect(
      [start + 999, start + 1000, start + 1999, start + 2000].map((at) => limitAt(valid, at, undefined)?.limit),
    ).toEqual([undefined, 32, 32, undefined]);
  });

  it("never changes before the next change that is announced", () => {
    const kinds = fc.constantFrom<ChargingProfile["kind"]>("Absolute", "Recurring", "Relative");
    fc.assert(
      fc.property(
        kinds,
        fc.integer({ min: 0, max: 3 * day }),
        fc.integer({ min: 0, max: day }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (kind, after, begun, share) => {
          const each = profile({ kind, validTo: start + 2 * day }, { durationS: 40_000 });
          const at = start + after;
          const next = nextChange(each, at, start + begun);
          expect(next).toBeGreaterThan(at);
          const between = at + Math.floor((Math.min(next, at + 10 * day) - 1 - at) * share);
          if (kind === "Relative" && start + begun > at) return;
          expect(limitAt(each, between, start + begun)).toEqual(limitAt(each, at, start + begun));
        },
      ),
    );
  });

  it("is combined by taking the stricter in every respect", () => {
    expect(stricter({ currentA: 16, phases: 3 }, { currentA: 20, powerW: 5000 })).toEqual({
      currentA: 16,
      phases: 3,
      powerW: 5000,
    });
  });
});

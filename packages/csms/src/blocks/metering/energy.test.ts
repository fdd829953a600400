import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type EnergyFacts, type EnergySample, energyOf } from "./energy.ts";
import { EnergyTally } from "./energy-tally.ts";

const T0 = Date.parse("2026-03-01T12:00:00Z");
const MINUTE = 60_000;

function register(minute: number, wh: number, more: Partial<EnergySample> = {}): EnergySample {
  return {
    atMs: T0 + minute * MINUTE,
    milliWh: Math.round(wh * 1000),
    flow: "import",
    kind: "register",
    context: "Sample.Periodic",
    location: "Outlet",
    ...more,
  };
}

const begin = (minute: number, wh: number) => register(minute, wh, { context: "Transaction.Begin" });
const end = (minute: number, wh: number) => register(minute, wh, { context: "Transaction.End" });

function wh(facts: Partial<EnergyFacts>): number | undefined {
  const { milliWh } = energyOf({ ended: true, samples: [], ...facts }, "import");
  return milliWh === undefined ? undefined : milliWh / 1000;
}

function family1(startWh: number, stopWh: number, samples: EnergySample[], minutes = 60): Partial<EnergyFacts> {
  return {
    startedAtMs: T0,
    endedAtMs: T0 + minutes * MINUTE,
    meterStartMilliWh: startWh * 1000,
    meterStopMilliWh: stopWh * 1000,
    samples,
  };
}

describe("a transaction's energy", () => {
  it("is meterStop less meterStart, with high confidence", () => {
    const total = energyOf({ ended: true, samples: [], ...family1(1_000, 12_345, []) }, "import");
    expect(total).toEqual({ milliWh: 11_345_000, method: "register", confidence: "high", notes: [] });
  });

  it("is the last register less the first when begin and end are missing", () => {
    const samples = [register(5, 5_100), register(10, 5_350.5)];
    expect(energyOf({ ended: true, samples }, "import")).toEqual({
      milliWh: 250_500,
      method: "register",
      confidence: "medium",
      notes: ["begin-missing", "end-missing"],
    });
  });

  it("does not bill 910 kWh for 0.083 when an offline start begins at 0", () => {
    const samples = [begin(0, 0), register(1, 910_000), register(2, 910_040), end(3, 910_083)];
    expect(wh({ samples })).toBe(83);
    expect(wh(family1(0, 910_083, [register(30, 910_000), register(45, 910_040)], 720))).toBe(83);
    expect(energyOf({ ended: true, samples }, "import").notes).toContain("begin-of-zero-refuted");
  });

  it("is unknown, not 910 kWh, when only a begin of 0 and one absolute register are there", () => {
    expect(wh({ samples: [begin(0, 0), end(600, 910_083)] })).toBeUndefined();
  });

  it("is counted from 0 where the station's register starts at 0", () => {
    expect(wh({ samples: [begin(0, 0), register(30, 5_500), end(60, 11_000)] })).toBe(11_000);
    expect(wh(family1(0, 45_000, []))).toBe(45_000);
  });

  it("survives a meterStop of 0, and one that is below meterStart", () => {
    expect(wh(family1(5_000, 0, [register(20, 6_000), register(40, 7_000)]))).toBe(2_000);
    expect(wh(family1(5_000, 2_000, [register(20, 6_000), register(40, 7_000)]))).toBe(2_000);
    expect(wh(family1(5_000, 4_000, []))).toBeUndefined();
  });

  it("is 0, not unknown, when the meter shows the same at one moment of start and stop", () => {
    expect(wh(family1(1_000, 1_000, [], 0))).toBe(0);
    expect(wh({ samples: [begin(0, 1_000), register(0, 1_000, { location: "Inlet" }), end(0, 1_000)] })).toBe(0);
  });

  it("is 0 then also when values between them show the same at that moment", () => {
    expect(wh(family1(1_000, 1_000, [register(0, 1_000), register(0, 1_000)], 0))).toBe(0);
    expect(wh({ samples: [begin(0, 1_000), register(0, 1_000), end(0, 1_000)] })).toBe(0);
  });

  it("survives a meterStop that repeats meterStart", () => {
    expect(wh(family1(5_000, 5_000, [register(20, 6_000), register(40, 7_000)]))).toBe(2_000);
    expect(wh(family1(5_000, 5_000, []))).toBe(0);
  });

  it("trusts begin and end when the values between them are of another scale", () => {
    const samples = [register(10, 910.01), register(20, 910.05), register(30, 910.1), register(40, 910.12)];
    expect(wh(family1(910_000, 910_150, samples))).toBe(150);
    const relative = [register(10, 0), register(20, 50), register(30, 83), register(40, 83)];
    expect(wh(family1(910_000, 910_083, relative))).toBe(83);
  });

  it("ignores a zero and a spike between good values", () => {
    const samples = [
      begin(0, 4_900),
      register(1, 5_000),
      register(2, 0),
      register(3, 0),
      register(4, 5_100),
      end(5, 5_200),
    ];
    expect(wh({ samples })).toBe(300);
    expect(wh({ samples: [begin(0, 100), register(1, 900_000), register(2, 110), end(3, 120)] })).toBe(20);
    expect(wh({ samples: [register(0, 5_000), register(1, 0), register(2, 5_100)] })).toBe(100);
  });

  it("goes on counting after a register was reset", () => {
    const samples = [begin(0, 1_000), register(10, 1_500), register(20, 0), end(30, 300)];
    expect(wh({ samples })).toBe(800);
    const again = [begin(0, 1_000), register(10, 1_500), register(20, 100), end(30, 300)];
    expect(wh({ samples: again })).toBe(800);
    expect(energyOf({ ended: true, samples }, "import")).toMatchObject({ confidence: "low" });
  });

  it("goes on counting after a register overflowed", () => {
    const samples = [begin(0, 999_990_000), register(30, 999_998_000), end(60, 4_000)];
    expect(wh({ samples })).toBe(14_000);
    expect(wh(family1(999_990_000, 4_000, []))).toBe(14_000);
  });

  it("forgives the rounding of coarse samples", () => {
    expect(wh(family1(910_000, 910_083, [register(10, 910_100)]))).toBe(83);
  });

  it("takes no value after the end nor before the start", () => {
    const facts = family1(1_000, 2_000, [register(-30, 10), register(30, 1_500), register(90, 50_000)]);
    expect(wh(facts)).toBe(1_000);
    const { meterStopMilliWh: _, ...withoutStop } = facts;
    expect(energyOf({ ended: true, samples: [], ...withoutStop }, "import")).toMatchObject({ milliWh: 500_000 });
  });

  it("is told by a clock that was never set and stands still, and not by one that is set and stands still", () => {
    const still = (atMs: number) => [1_000, 4_500, 9_000].map((wh) => register(0, wh, { atMs }));
    expect(wh({ samples: still(Date.parse("1970-01-01T00:00:00Z")) })).toBe(8_000);
    expect(wh({ samples: still(T0) })).not.toBe(8_000);
  });

  it("is what the register rose by when the clock was set back to before the start", () => {
    const samples = [register(0, 5_000), register(20, 9_000), register(25, 0), register(-500, 12_000)];
    const facts = { startedAtMs: T0, endedAtMs: T0 - 500 * MINUTE, samples };
    expect(energyOf({ ended: true, ...facts }, "import")).toMatchObject({ milliWh: 7_000_000 });
    expect(wh({ ...facts, meterStartMilliWh: 5_000_000, meterStopMilliWh: 12_500_000 })).toBe(7_500);
  });

  it("believes the edges when the clock was set in between", () => {
    expect(wh({ ...family1(1_000, 21_000, []), endedAtMs: T0 - 120 * MINUTE })).toBe(20_000);
  });

  it("sums the phases when there is no total, and prefers the total", () => {
    const phases = (minute: number, each: number[]) =>
      each.map((value, index) => register(minute, value, { phase: `L${index + 1}` }));
    const samples = [...phases(0, [100, 200, 300]), ...phases(60, [1_100, 1_200, 1_300])];
    expect(energyOf({ ended: true, samples }, "import")).toMatchObject({
      milliWh: 3_000_000,
      method: "phase-registers",
    });
    const withTotal = [...samples, register(0, 600), register(60, 3_601)];
    expect(wh({ samples: withTotal })).toBe(3_001);
  });

  it("prefers the outlet to the inlet, and takes the inlet when it is all there is", () => {
    const inlet = [register(0, 0, { location: "Inlet" }), register(60, 1_100, { location: "Inlet" })];
    expect(wh({ samples: [...inlet, register(0, 10), register(60, 1_010)] })).toBe(1_000);
    expect(wh({ samples: inlet })).toBe(1_100);
    expect(wh({ samples: inlet.map((sample) => ({ ...sample, location: "Upstream" })) })).toBeUndefined();
  });

  it("adds up intervals once, though clock-aligned and sampled ones measure the same", () => {
    const interval = (minute: number, value: number, context: string) =>
      register(minute, value, { kind: "interval", context });
    const samples = [15, 30, 45, 60].flatMap((minute) => [
      interval(minute, 500, "Sample.Clock"),
      interval(minute + 1, 510, "Sample.Periodic"),
    ]);
    expect(energyOf({ ended: true, samples: [...samples, ...samples] }, "import")).toMatchObject({
      milliWh: 2_040_000,
      method: "intervals",
    });
  });

  it("keeps exported energy apart", () => {
    const exported = [register(0, 50, { flow: "export" }), register(60, 2_050, { flow: "export" })];
    const facts: EnergyFacts = { ended: true, ...family1(1_000, 1_200, []), samples: exported };
    expect(energyOf(facts, "import").milliWh).toBe(200_000);
    expect(energyOf(facts, "export").milliWh).toBe(2_000_000);
  });

  it("is 0 as long as a running transaction has one reading, and unknown when an ended one has", () => {
    expect(energyOf({ ended: false, meterStartMilliWh: 5, samples: [] }, "import").milliWh).toBe(0);
    expect(energyOf({ ended: true, samples: [register(0, 5)] }, "import").milliWh).toBeUndefined();
    expect(energyOf({ ended: true, samples: [] }, "import")).toEqual({ method: "none", confidence: "none", notes: [] });
  });

  it("stays quick on a long hostile series", () => {
    const samples = Array.from({ length: 20_000 }, (_, index) => register(index, (index * 7_919) % 10_007));
    const started = performance.now();
    energyOf({ ended: true, samples }, "import");
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

const anySample: fc.Arbitrary<EnergySample> = fc.record(
  {
    atMs: fc.integer({ min: -5, max: 200 }).map((minute) => T0 + minute * MINUTE),
    milliWh: fc.oneof(fc.nat({ max: 50_000_000 }), fc.constantFrom(0, 910_000_000, 999_999_999_000)),
    flow: fc.constantFrom("import", "export"),
    kind: fc.constantFrom("register", "interval"),
    context: fc.constantFrom("Sample.Periodic", "Sample.Clock", "Transaction.Begin", "Transaction.End", "Trigger"),
    location: fc.constantFrom("Outlet", "Inlet", "EV"),
    phase: fc.constantFrom("L1", "L2", "L3", "L1-N"),
  },
  { requiredKeys: ["atMs", "milliWh", "flow", "kind", "context", "location"] },
);

const anyFacts = fc.record(
  {
    ended: fc.boolean(),
    startedAtMs: fc.integer({ min: -2, max: 20 }).map((minute) => T0 + minute * MINUTE),
    endedAtMs: fc.integer({ min: 10, max: 190 }).map((minute) => T0 + minute * MINUTE),
    meterStartMilliWh: fc.nat({ max: 50_000_000 }),
    meterStopMilliWh: fc.nat({ max: 50_000_000 }),
  },
  { requiredKeys: ["ended"] },
);

/** A charge as a sane meter tells it: readings that rise at up to 50 kW, in a random permutation with repeats. */
const saneCharge = fc
  .record({
    start: fc.integer({ min: 0, max: 2_000_000_000 }),
    steps: fc.array(fc.record({ minutes: fc.integer({ min: 1, max: 30 }), watts: fc.nat({ max: 50_000 }) }), {
      minLength: 1,
      maxLength: 40,
    }),
  })
  .map(({ start, steps }) => {
    let minute = 0;
    let milliWh = start;
    const samples = [begin(0, start / 1000)];
    for (const step of steps) {
      minute += step.minutes;
      milliWh += Math.floor((step.watts * step.minutes * 1000) / 60);
      samples.push(register(minute, milliWh / 1000));
    }
    return { samples, milliWh: milliWh - start };
  });

describe("energyOf", () => {
  it("gives the same total for every order of arrival and with every reading repeated", () => {
    fc.assert(
      fc.property(
        anyFacts,
        fc
          .array(anySample, { maxLength: 25 })
          .chain((samples) =>
            fc.tuple(
              fc.constant(samples),
              fc.shuffledSubarray([...samples, ...samples], { minLength: samples.length * 2 }),
            ),
          ),
        (facts, [samples, shuffled]) => {
          for (const flow of ["import", "export"] as const) {
            expect(energyOf({ ...facts, samples: shuffled }, flow)).toEqual(energyOf({ ...facts, samples }, flow));
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("is exact for a sane meter whatever lies between its first and last reading", () => {
    fc.assert(
      fc.property(
        saneCharge.chain(({ samples, milliWh }) =>
          fc.tuple(fc.shuffledSubarray(samples, { minLength: samples.length }), fc.constant(milliWh)),
        ),
        ([samples, milliWh]) => {
          expect(energyOf({ ended: false, samples }, "import").milliWh).toBe(milliWh);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("is a whole, non-negative number of thousandths whatever the readings", () => {
    fc.assert(
      fc.property(anyFacts, fc.array(anySample, { maxLength: 25 }), (facts, samples) => {
        const { milliWh, method } = energyOf({ ...facts, samples }, "import");
        if (milliWh === undefined || method !== "register") return;
        expect(milliWh).toBeGreaterThanOrEqual(0);
        expect(Number.isSafeInteger(milliWh)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("is not moved by one reading of 0 among those of an absolute register", () => {
    fc.assert(
      fc.property(saneCharge, fc.nat({ max: 100 }), ({ samples, milliWh }, where) => {
        const first = samples[0];
        fc.pre(first !== undefined && first.milliWh > 500_000_000 && samples.length > 3);
        const at = 1 + (where % (samples.length - 2));
        const glitch = { ...register(0, 0), atMs: (samples[at]?.atMs ?? 0) + 1 };
        expect(energyOf({ ended: false, samples: [...samples, glitch] }, "import").milliWh).toBe(milliWh);
      }),
      { numRuns: 300 },
    );
  });
});

describe("EnergyTally", () => {
  it("tells the total of all values whenever it tells one, also after it was stored", () => {
    let told = 0;
    fc.assert(
      fc.property(
        anyFacts,
        fc.oneof(
          fc.array(anySample, { maxLength: 12 }),
          saneCharge.map(({ samples }) => samples),
        ),
        (facts, samples) => {
          let tally = new EnergyTally();
          for (const sample of samples) {
            tally.add([sample]);
            tally = new EnergyTally(JSON.parse(JSON.stringify(tally)));
          }
          for (const flow of ["import", "export"] as const) {
            const total = tally.total(facts, flow);
            if (total === undefined) continue;
            told += 1;
            expect(total).toEqual(energyOf({ ...facts, samples }, flow));
          }
        },
      ),
      { numRuns: 1_500 },
    );
    expect(told).toBeGreaterThan(500);
  });

  it("tells the same when it is asked after every value", () => {
    let told = 0;
    const flow = "import";
    fc.assert(
      fc.property(
        anyFacts,
        fc.oneof(
          fc.array(anySample, { maxLength: 12 }),
          saneCharge.map(({ samples }) => samples),
        ),
        (facts, samples) => {
          const tally = new EnergyTally();
          samples.forEach((sample, index) => {
            tally.add([sample]);
            const total = tally.total(facts, flow);
            if (total === undefined) return;
            told += 1;
            expect(total).toEqual(energyOf({ ...facts, samples: samples.slice(0, index + 1) }, flow));
          });
        },
      ),
      { numRuns: 1_500 },
    );
    expect(told).toBeGreaterThan(1_000);
  });

  it("follows a sane meter without needing all values", () => {
    fc.assert(
      fc.property(saneCharge, ({ samples, milliWh }) => {
        const tally = new EnergyTally();
        for (const sample of samples) tally.add([sample]);
        expect(tally.total({ ended: false }, "import")?.milliWh).toBe(milliWh);
      }),
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../clock.ts";
import { ElectricVehicle } from "../electric-vehicle/electric-vehicle.ts";
import { vehicleModels } from "../electric-vehicle/vehicle-model.ts";
import { seededRandom } from "../random.ts";
import { acSupply, dcSupply, offeredPowerW } from "./electrical.ts";
import { Evse } from "./evse.ts";

function charging(options: { supply?: typeof acSupply; socPercent?: number; modelName?: string } = {}) {
  const clock = new ManualClock();
  const evse = new Evse({
    id: 1,
    supply: options.supply ?? acSupply,
    clock,
    random: seededRandom(1),
    registerWh: 1000,
  });
  const model = vehicleModels.find((candidate) => candidate.name === (options.modelName ?? "compact"));
  const vehicle = new ElectricVehicle({
    socPercent: options.socPercent ?? 20,
    ...(model === undefined ? {} : { model }),
  });
  evse.plugIn(vehicle);
  evse.setContactor(true);
  return { clock, evse, vehicle };
}

describe("an EVSE", () => {
  it("counts no energy while the contactor is open", async () => {
    const { clock, evse } = charging();
    evse.setContactor(false);
    await clock.advance(3_600_000);
    expect(evse.meterWh).toBe(1000);
    expect(evse.values.powerW).toBe(0);
  });

  it("delivers what the on-board charger takes: 16 A on three phases give about 11 kWh in an hour", async () => {
    const { clock, evse } = charging();
    await clock.advance(3_600_000);
    expect(evse.meterWh - 1000).toBeGreaterThan(10_700);
    expect(evse.meterWh - 1000).toBeLessThan(11_300);
  });

  it("shows power that is the sum of voltage times current of its phases", () => {
    const { evse } = charging();
    const { phases, powerW } = evse.values;
    expect(phases).toHaveLength(3);
    expect(powerW).toBeCloseTo(
      phases.reduce((sum, phase) => sum + phase.voltageV * phase.currentA, 0),
      0,
    );
  });

  it("stops at the vehicle's target and never fills more than is missing", async () => {
    const { clock, evse, vehicle } = charging({ socPercent: 90 });
    const missingWh = vehicle.missingWh("AC");
    await clock.advance(24 * 3_600_000);
    expect(evse.delivering).toBe(false);
    expect(evse.meterWh - 1000).toBeGreaterThanOrEqual(Math.floor(missingWh) - 1);
    expect(evse.meterWh - 1000).toBeLessThanOrEqual(Math.ceil(missingWh));
    expect(vehicle.socPercent).toBeCloseTo(100, 3);
  });

  it("charges slower above 80 % at a fast charger", async () => {
    const { clock, evse } = charging({ supply: dcSupply, socPercent: 30 });
    const early = evse.values.powerW;
    while ((evse.socPercent ?? 100) < 90) await clock.advance(60_000);
    expect(evse.values.powerW).toBeLessThan(early / 3);
  });

  it("offers nothing below the 6 A that IEC 61851-1 can signal", () => {
    expect(offeredPowerW(acSupply, { currentA: 5.9 })).toBe(0);
    expect(offeredPowerW(acSupply, { currentA: 6 })).toBe(6 * 230 * 3);
    expect(offeredPowerW(acSupply, { powerW: 4140, phases: 3 })).toBe(4140);
  });

  it("has a register that never goes back and that equals the energy taken, however often it is read", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 900_000 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 0, max: 100 }),
        async (waits, socPercent) => {
          const { clock, evse, vehicle } = charging({ socPercent });
          const batteryBefore = (vehicle.socPercent / 100) * vehicle.model.batteryCapacityWh;
          let last = evse.meterWh;
          for (const wait of waits) {
            await clock.advance(wait);
            expect(evse.meterWh).toBeGreaterThanOrEqual(last);
            last = evse.meterWh;
          }
          const stored = (vehicle.socPercent / 100) * vehicle.model.batteryCapacityWh - batteryBefore;
          expect(Math.abs(last - 1000 - stored / 0.9)).toBeLessThanOrEqual(1.001);
        },
      ),
      { numRuns: 40 },
    );
  });
});

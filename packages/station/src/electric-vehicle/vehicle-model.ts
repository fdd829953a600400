import type { Random } from "../random.ts";
import { acCurve, type ChargingCurve, dcCurve } from "./charging-curve.ts";

/** What an electric vehicle can do; the classes below are invented but typical. */
export interface VehicleModel {
  readonly name: string;
  /** Usable capacity of the battery. */
  readonly batteryCapacityWh: number;
  /** Phases that the on-board charger uses. */
  readonly acPhases: 1 | 2 | 3;
  /** Current per phase that the on-board charger takes at most. */
  readonly acMaxCurrentA: number;
  /** 0 for vehicles without a DC inlet. */
  readonly dcMaxPowerW: number;
  readonly acCurve: ChargingCurve;
  readonly dcCurve: ChargingCurve;
  /** Weight in a fleet of private cars. */
  readonly weight: number;
}

function model(
  name: string,
  batteryCapacityWh: number,
  ac: { readonly phases: 1 | 2 | 3; readonly currentA: number },
  dcMaxPowerW: number,
  weight: number,
): VehicleModel {
  return {
    name,
    batteryCapacityWh,
    acPhases: ac.phases,
    acMaxCurrentA: ac.currentA,
    dcMaxPowerW,
    acCurve,
    dcCurve,
    weight,
  };
}

/** The vehicles that visit simulated stations. */
export const vehicleModels: readonly VehicleModel[] = [
  model("plug-in hybrid", 11_500, { phases: 1, currentA: 16 }, 0, 14),
  model("city car", 27_000, { phases: 1, currentA: 32 }, 46_000, 12),
  model("small hatchback", 46_000, { phases: 3, currentA: 16 }, 100_000, 22),
  model("compact", 58_000, { phases: 3, currentA: 16 }, 125_000, 24),
  model("saloon", 75_000, { phases: 3, currentA: 16 }, 190_000, 16),
  model("large SUV", 96_000, { phases: 3, currentA: 32 }, 225_000, 8),
  model("delivery van", 68_000, { phases: 3, currentA: 16 }, 115_000, 4),
];

/** A vehicle model as often as it is seen on the road. */
export function pickVehicleModel(random: Random): VehicleModel {
  const total = vehicleModels.reduce((sum, candidate) => sum + candidate.weight, 0);
  let position = random.between(0, total);
  for (const candidate of vehicleModels) {
    position -= candidate.weight;
    if (position < 0) return candidate;
  }
  return random.pick(vehicleModels);
}

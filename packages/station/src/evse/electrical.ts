import type { ElectricVehicle } from "../electric-vehicle/electric-vehicle.ts";
import type { Random } from "../random.ts";

/** What the hardware of an EVSE can deliver. */
export interface Supply {
  readonly kind: "AC" | "DC";
  /** Phases of the grid connection. */
  readonly phases: 1 | 3;
  /** Current per phase that the cable and the fuse allow (AC), or of the output (DC). */
  readonly maxCurrentA: number;
  /** Highest power of the output. */
  readonly maxPowerW: number;
}

/** A normal 22 kW socket outlet. */
export const acSupply: Supply = { kind: "AC", phases: 3, maxCurrentA: 32, maxPowerW: 22_080 };

/** A fast charger of 150 kW. */
export const dcSupply: Supply = { kind: "DC", phases: 3, maxCurrentA: 400, maxPowerW: 150_000 };

/** What an EVSE may draw now, after charging profiles. Absent means that only the hardware limits. */
export interface PowerLimit {
  readonly powerW?: number;
  readonly currentA?: number;
  readonly phases?: number;
}

/** Voltage and current of one phase, or of the DC output. */
export interface PhaseValues {
  readonly voltageV: number;
  readonly currentA: number;
}

/** The electrical state of an EVSE at one moment. */
export interface ElectricalValues {
  /** One element per supply phase (AC), or one for the output (DC). */
  readonly phases: readonly PhaseValues[];
  readonly powerW: number;
  readonly frequencyHz: number;
  /** Power and current per phase that are offered to the vehicle. */
  readonly offeredPowerW: number;
  readonly offeredCurrentA: number;
  /** Phases that carry current; 0 when idle and for DC. */
  readonly phasesInUse: number;
}

/** The nominal voltage of a phase against neutral. */
export const NOMINAL_VOLTAGE_V = 230;

/** IEC 61851-1 cannot signal less than this; below it a charger pauses. */
const LEAST_AC_CURRENT_A = 6;

function round(value: number, digits: number): number {
  const factor = 10 ** digits;
  return Math.round(value * factor) / factor;
}

/** The current per phase that is offered to a vehicle, 0 when the limit is below what can be signalled. */
export function offeredCurrentA(supply: Supply, limit: PowerLimit): number {
  const phases = Math.min(supply.phases, limit.phases ?? supply.phases);
  let currentA = Math.min(supply.maxCurrentA, limit.currentA ?? Number.POSITIVE_INFINITY);
  if (limit.powerW !== undefined) currentA = Math.min(currentA, limit.powerW / (NOMINAL_VOLTAGE_V * phases));
  return currentA < LEAST_AC_CURRENT_A ? 0 : currentA;
}

/** The power that is offered to a vehicle. */
export function offeredPowerW(supply: Supply, limit: PowerLimit): number {
  if (supply.kind === "DC") {
    const byCurrentW = (limit.currentA ?? Number.POSITIVE_INFINITY) * NOMINAL_VOLTAGE_V * supply.phases;
    return Math.max(0, Math.min(supply.maxPowerW, limit.powerW ?? Number.POSITIVE_INFINITY, byCurrentW));
  }
  const phases = Math.min(supply.phases, limit.phases ?? supply.phases);
  return Math.min(supply.maxPowerW, offeredCurrentA(supply, limit) * NOMINAL_VOLTAGE_V * phases);
}

function acValues(supply: Supply, vehicle: ElectricVehicle | undefined, limit: PowerLimit, random: Random) {
  const phases: PhaseValues[] = [];
  const usable = vehicle === undefined ? 0 : Math.min(supply.phases, vehicle.model.acPhases, limit.phases ?? 3);
  const wanted = vehicle === undefined || usable === 0 ? 0 : vehicle.acceptablePowerW("AC");
  const wantedPerPhaseA = usable === 0 ? 0 : wanted / (NOMINAL_VOLTAGE_V * usable);
  const currentA = round(Math.min(wantedPerPhaseA, offeredCurrentA(supply, limit)), 2);
  let powerW = 0;
  for (let phase = 0; phase < supply.phases; phase++) {
    const loadA = phase < usable ? currentA : 0;
    // The grid wanders by a few volts, and the lead to the station drops some under load.
    const voltageV = round(NOMINAL_VOLTAGE_V + random.normal(0.8, 1.1) - 0.06 * loadA, 1);
    phases.push({ voltageV, currentA: loadA });
    powerW += voltageV * loadA;
  }
  return { phases, powerW: round(powerW, 0), phasesInUse: currentA > 0 ? usable : 0 };
}

function dcValues(supply: Supply, vehicle: ElectricVehicle | undefined, limit: PowerLimit) {
  const powerW = round(Math.min(vehicle?.acceptablePowerW("DC") ?? 0, offeredPowerW(supply, limit)), 0);
  // The output follows the voltage of the pack.
  const voltageV = vehicle === undefined ? 0 : round(345 + 0.75 * vehicle.socPercent, 1);
  const currentA = voltageV === 0 ? 0 : round(Math.min(supply.maxCurrentA, powerW / voltageV), 2);
  return { phases: [{ voltageV, currentA }], powerW: round(currentA * voltageV, 0), phasesInUse: 0 };
}

/**
 * The electrical values of an EVSE.
 *
 * @param vehicle the vehicle behind the closed contactor; undefined when no power can flow
 */
export function electricalValues(
  supply: Supply,
  vehicle: ElectricVehicle | undefined,
  limit: PowerLimit,
  random: Random,
): ElectricalValues {
  const flow = supply.kind === "AC" ? acValues(supply, vehicle, limit, random) : dcValues(supply, vehicle, limit);
  return {
    ...flow,
    frequencyHz: round(50 + random.normal(0, 0.012), 2),
    offeredPowerW: round(offeredPowerW(supply, limit), 0),
    offeredCurrentA: round(supply.kind === "AC" ? offeredCurrentA(supply, limit) : supply.maxCurrentA, 1),
  };
}

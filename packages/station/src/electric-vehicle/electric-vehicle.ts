import { shareAt } from "./charging-curve.ts";
import { type VehicleModel, vehicleModels } from "./vehicle-model.ts";

/** A vehicle at the plug. */
export interface VehicleOptions {
  readonly model?: VehicleModel;
  /** State of charge on arrival, 0 to 100; 30 by default. */
  readonly socPercent?: number;
  /** The vehicle stops charging here, 0 to 100; 100 by default. */
  readonly targetSocPercent?: number;
}

/** Share of the energy from the plug that reaches the battery. */
const EFFICIENCY = { AC: 0.9, DC: 0.95 } as const;

const NOMINAL_VOLTAGE_V = 230;

/** An electric vehicle with its battery: decides what power it takes and keeps what it was given. */
export class ElectricVehicle {
  readonly model: VehicleModel;
  readonly targetSocPercent: number;
  /** The driver can pause charging from the vehicle (pre-set departure, high tariff): no power is asked for. */
  paused = false;
  #batteryWh: number;

  /** @throws RangeError when a state of charge is outside 0 to 100 */
  constructor(options: VehicleOptions = {}) {
    const fallback = vehicleModels[3];
    const model = options.model ?? fallback;
    if (model === undefined) throw new RangeError("no vehicle model");
    this.model = model;
    const socPercent = options.socPercent ?? 30;
    this.targetSocPercent = options.targetSocPercent ?? 100;
    for (const value of [socPercent, this.targetSocPercent]) {
      if (!(value >= 0 && value <= 100)) throw new RangeError(`a state of charge is 0 to 100 %, not ${value}`);
    }
    this.#batteryWh = (socPercent / 100) * model.batteryCapacityWh;
  }

  /** State of charge, 0 to 100. */
  get socPercent(): number {
    return (this.#batteryWh / this.model.batteryCapacityWh) * 100;
  }

  /** Energy at the plug until the target is reached. */
  missingWh(kind: "AC" | "DC"): number {
    const wanted = (this.targetSocPercent / 100) * this.model.batteryCapacityWh - this.#batteryWh;
    return Math.max(0, wanted) / EFFICIENCY[kind];
  }

  /** Whether the vehicle would take power now. */
  get wantsEnergy(): boolean {
    return !this.paused && this.missingWh("AC") > 0.01;
  }

  /** The power that the vehicle would take at the plug if all were offered. */
  acceptablePowerW(kind: "AC" | "DC"): number {
    if (!this.wantsEnergy) return 0;
    const { model } = this;
    if (kind === "DC") return model.dcMaxPowerW * shareAt(model.dcCurve, this.socPercent);
    return model.acMaxCurrentA * NOMINAL_VOLTAGE_V * model.acPhases * shareAt(model.acCurve, this.socPercent);
  }

  /** Takes energy that was delivered at the plug. */
  take(energyWh: number, kind: "AC" | "DC"): void {
    this.#batteryWh = Math.min(this.model.batteryCapacityWh, this.#batteryWh + energyWh * EFFICIENCY[kind]);
  }
}

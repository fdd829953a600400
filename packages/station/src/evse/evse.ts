import type { Clock } from "../clock.ts";
import type { ElectricVehicle } from "../electric-vehicle/electric-vehicle.ts";
import type { Random } from "../random.ts";
import { type ElectricalValues, electricalValues, type PowerLimit, type Supply } from "./electrical.ts";

/** A fault of an EVSE, in the words of OCPP 1.6 so that every version can be told. */
export interface Fault {
  readonly errorCode:
    | "ConnectorLockFailure"
    | "EVCommunicationError"
    | "GroundFailure"
    | "HighTemperature"
    | "InternalError"
    | "OtherError"
    | "OverCurrentFailure"
    | "OverVoltage"
    | "PowerMeterFailure"
    | "PowerSwitchFailure"
    | "ReaderFailure"
    | "UnderVoltage";
  readonly info?: string;
  readonly vendorErrorCode?: string;
}

/** Longest stretch of simulated time over which power is taken as constant. */
const STEP_MS = 30_000;

const HOUR_MS = 3_600_000;

/**
 * The hardware of one EVSE with its single connector: cable, contactor, lock, meter. It knows nothing of tokens
 * and transactions. Energy is counted while time passes, whenever somebody looks.
 */
export class Evse {
  readonly id: number;
  readonly supply: Supply;
  readonly #clock: Clock;
  readonly #random: Random;
  #vehicle: ElectricVehicle | undefined;
  #contactorClosed = false;
  #limit: PowerLimit = {};
  #registerWh: number;
  #updatedAt: number;
  #values: ElectricalValues;
  /** A vehicle stands in the bay, plugged in or not. */
  parked = false;
  /** The plug is held by the lock. */
  locked = false;
  /** Set by ChangeAvailability; an inoperative EVSE is Unavailable. */
  operative = true;
  fault: Fault | undefined;

  /** @param registerWh what the energy meter shows at the start; it only ever grows */
  constructor(options: {
    readonly id: number;
    readonly supply: Supply;
    readonly clock: Clock;
    readonly random: Random;
    readonly registerWh?: number;
  }) {
    this.id = options.id;
    this.supply = options.supply;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#registerWh = options.registerWh ?? 0;
    this.#updatedAt = options.clock.now();
    this.#values = electricalValues(this.supply, undefined, this.#limit, this.#random);
  }

  get vehicle(): ElectricVehicle | undefined {
    return this.#vehicle;
  }

  get plugged(): boolean {
    return this.#vehicle !== undefined;
  }

  get contactorClosed(): boolean {
    return this.#contactorClosed;
  }

  /** The energy meter's register (import), in whole Wh. Never goes back. */
  get meterWh(): number {
    this.update();
    return Math.floor(this.#registerWh);
  }

  /** The electrical values now. */
  get values(): ElectricalValues {
    this.update();
    return this.#values;
  }

  /** State of charge that the vehicle reports, when one is plugged in. */
  get socPercent(): number | undefined {
    this.update();
    return this.#vehicle?.socPercent;
  }

  /** Whether energy flows. */
  get delivering(): boolean {
    return this.values.powerW > 0;
  }

  plugIn(vehicle: ElectricVehicle): void {
    this.update();
    this.#vehicle = vehicle;
    this.parked = true;
    this.#recompute();
  }

  unplug(): void {
    this.update();
    this.#vehicle = undefined;
    this.#contactorClosed = false;
    this.locked = false;
    this.#recompute();
  }

  setContactor(closed: boolean): void {
    this.update();
    this.#contactorClosed = closed && this.plugged;
    this.#recompute();
  }

  /** Applies a limit of smart charging; the next values obey it. */
  setLimit(limit: PowerLimit): void {
    const now = this.#limit;
    if (now.powerW === limit.powerW && now.currentA === limit.currentA && now.phases === limit.phases) return;
    this.update();
    this.#limit = limit;
    this.#recompute();
  }

  /** Raises the register to what storage remembers; a lower value is ignored. */
  restoreRegister(registerWh: number): void {
    this.#registerWh = Math.max(this.#registerWh, registerWh);
  }

  /** Lets the time since the last look pass: counts energy and fills the battery. */
  update(): void {
    const now = this.#clock.now();
    if (now <= this.#updatedAt) return;
    if (!this.#contactorClosed || this.#values.powerW === 0) {
      // Values drift slowly even when idle; a fresh draw per look is enough.
      const elapsedMs = now - this.#updatedAt;
      this.#updatedAt = now;
      if (elapsedMs >= STEP_MS) this.#recompute();
      return;
    }
    while (this.#updatedAt < now) {
      const stepMs = Math.min(STEP_MS, now - this.#updatedAt);
      this.#deliver(stepMs);
      this.#updatedAt += stepMs;
    }
  }

  #deliver(stepMs: number): void {
    const vehicle = this.#vehicle;
    if (vehicle === undefined || this.#values.powerW === 0) return;
    const energyWh = Math.min((this.#values.powerW * stepMs) / HOUR_MS, vehicle.missingWh(this.supply.kind));
    this.#registerWh += energyWh;
    vehicle.take(energyWh, this.supply.kind);
    if (stepMs === STEP_MS || !vehicle.wantsEnergy) this.#recompute();
  }

  /** Asks the vehicle again what it takes; call after it was paused or resumed. */
  refresh(): void {
    this.update();
    this.#recompute();
  }

  #recompute(): void {
    const vehicle = this.#contactorClosed ? this.#vehicle : undefined;
    this.#values = electricalValues(this.supply, vehicle, this.#limit, this.#random);
  }
}

import type { Clock } from "../clock.ts";

/** How long a vehicle has been charging in one transaction (timeSpentCharging). */
export class ChargingTime {
  readonly #clock: Clock;
  #countedMs = 0;
  /** Since when the present span is not counted yet; undefined while nothing is charged. */
  #since: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whole seconds counted so far. */
  get seconds(): number {
    return Math.round(this.#countedMs / 1000);
  }

  /** A new transaction begins. */
  restart(): void {
    this.#countedMs = 0;
    this.#since = undefined;
  }

  /** Counts until now, and goes on counting while the vehicle charges. */
  follow(isCharging: boolean): void {
    const now = this.#clock.now();
    if (this.#since !== undefined) this.#countedMs += now - this.#since;
    this.#since = isCharging ? now : undefined;
  }
}

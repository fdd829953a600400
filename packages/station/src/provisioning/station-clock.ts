import type { Clock } from "../clock.ts";

/** Answers have second precision at best; smaller steps would only make the clock jitter. */
const SMALLEST_STEP_MS = 1_000;

/** The station's own idea of the time: the simulated one, set right by the CSMS where the station follows it. */
export class StationClock {
  readonly #clock: Clock;
  readonly #follows: boolean;
  #offsetMs = 0;

  constructor(clock: Clock, follows: boolean) {
    this.#clock = clock;
    this.#follows = follows;
  }

  /** Milliseconds since 1970. */
  now(): number {
    return Math.floor(this.#clock.now() + this.#offsetMs);
  }

  /** The CSMS said what time it is, in milliseconds since 1970. */
  synchronize(time: number): void {
    if (!this.#follows) return;
    const differenceMs = time - this.now();
    if (Math.abs(differenceMs) >= SMALLEST_STEP_MS) this.#offsetMs += differenceMs;
  }
}

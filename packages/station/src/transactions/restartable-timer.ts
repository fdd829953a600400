import type { Clock, Timer } from "../clock.ts";

/** One timer at a time, on simulated time. */
export class RestartableTimer {
  readonly #clock: Clock;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  /** Runs from now on, in place of what ran before. */
  start(durationMs: number, callback: () => void): void {
    this.cancel();
    this.#timer = this.#clock.setTimer(durationMs, () => {
      this.#timer = undefined;
      callback();
    });
  }

  /** Harmless when nothing runs. */
  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

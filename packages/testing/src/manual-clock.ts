/** A clock that stands still until a test moves it. Satisfies every `{ now(): Date }` parameter. */
export class ManualClock {
  #nowMs: number;

  /** Starts at the given time. */
  constructor(start: Date | string = "2026-03-01T12:00:00Z") {
    this.#nowMs = new Date(start).getTime();
    if (Number.isNaN(this.#nowMs)) throw new RangeError(`not a time: ${String(start)}`);
  }

  /** The time as the test has set it; a new object at each call. */
  now(): Date {
    return new Date(this.#nowMs);
  }

  /** Jumps to a time, also backwards as a wrong clock would. */
  set(time: Date | string): void {
    const timeMs = new Date(time).getTime();
    if (Number.isNaN(timeMs)) throw new RangeError(`not a time: ${String(time)}`);
    this.#nowMs = timeMs;
  }

  /** Moves by a number of milliseconds and returns the new time. */
  advance(byMs: number): Date {
    this.#nowMs += byMs;
    return this.now();
  }
}

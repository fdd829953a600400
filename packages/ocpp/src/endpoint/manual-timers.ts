import type { Cancel, Timers } from "./timers.ts";

interface Scheduled {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** Time that passes only when it is told to: for tests of time-outs, pings and back-off. */
export class ManualTimers implements Timers {
  readonly #scheduled = new Set<Scheduled>();
  #nowMs = 0;

  elapsedMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Cancel {
    const scheduled = { dueMs: this.#nowMs + delayMs, callback };
    this.#scheduled.add(scheduled);
    return () => this.#scheduled.delete(scheduled);
  }

  /** How many callbacks wait. */
  get pending(): number {
    return this.#scheduled.size;
  }

  /** Lets time pass and runs what becomes due, in order, each at its own moment. */
  advance(byMs: number): void {
    const endMs = this.#nowMs + byMs;
    for (;;) {
      const next = [...this.#scheduled].filter(({ dueMs }) => dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined) break;
      this.#scheduled.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.callback();
    }
    this.#nowMs = endMs;
  }
}

import type { Cancel, Timers } from "../../endpoint/timers.ts";

/** Something that waits until {@link deadlineMs} on the clock of {@link Timers}. */
export interface Waiting {
  readonly deadlineMs: number;
  /** Called once when the deadline has passed; it is no longer waiting then. */
  expire(): void;
}

// Deadlines that lie closer together than this are met by one run.
const GRANULARITY_MS = 10;
// What a timer of Node.js can hold; a later deadline is looked at again then.
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/**
 * The deadlines of all connections of an endpoint behind one timer. The timer is armed for the earliest deadline and
 * left alone when that one is met early, so that a call which is answered in time costs an insertion and a removal.
 */
export class Deadlines {
  readonly #timers: Timers;
  readonly #waiting = new Set<Waiting>();
  #armedForMs = Number.POSITIVE_INFINITY;
  #cancel: Cancel | undefined;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  add(waiting: Waiting): void {
    this.#waiting.add(waiting);
    if (waiting.deadlineMs < this.#armedForMs) this.#arm(waiting.deadlineMs);
  }

  delete(waiting: Waiting): void {
    this.#waiting.delete(waiting);
  }

  /** Lets the timer go when nothing waits, for an endpoint that closes. */
  rest(): void {
    if (this.#waiting.size > 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#armedForMs = Number.POSITIVE_INFINITY;
  }

  #arm(deadlineMs: number): void {
    this.#cancel?.();
    this.#armedForMs = deadlineMs;
    const delayMs = Math.min(LONGEST_DELAY_MS, Math.max(0, Math.ceil(deadlineMs - this.#timers.elapsedMs())));
    this.#cancel = this.#timers.after(delayMs, () => this.#run());
  }

  #run(): void {
    this.#armedForMs = Number.POSITIVE_INFINITY;
    this.#cancel = undefined;
    const nowMs = this.#timers.elapsedMs();
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const waiting of this.#waiting) {
      if (waiting.deadlineMs <= nowMs) {
        this.#waiting.delete(waiting);
        waiting.expire();
      } else if (waiting.deadlineMs < earliestMs) {
        earliestMs = waiting.deadlineMs;
      }
    }
    const nextMs = Math.max(earliestMs, nowMs + GRANULARITY_MS);
    if (this.#waiting.size > 0 && nextMs < this.#armedForMs) this.#arm(nextMs);
  }
}

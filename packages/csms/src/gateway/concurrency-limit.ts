/** Too much waits already; nothing was started. */
export class OverloadedError extends Error {
  override readonly name = "OverloadedError";
}

/** How much a {@link ConcurrencyLimit} lets through and keeps. */
export interface ConcurrencyLimits {
  /** Tasks at once. */
  readonly concurrent: number;
  /** Tasks that may wait. */
  readonly queued: number;
  /** Tasks of one key that may wait; no limit of its own when absent. */
  readonly queuedPerKey?: number;
}

/**
 * Runs at most `concurrent` tasks at once and lets at most `queued` wait. Keys take turns, and the tasks of a key run in
 * their order: a storm then costs time, not memory, and a flood of one key costs the others one turn.
 */
export class ConcurrencyLimit {
  readonly #concurrent: number;
  readonly #queued: number;
  readonly #queuedPerKey: number;
  /** Keys in the order of their turns; none of them without a task. */
  readonly #waiting = new Map<string, Array<() => void>>();
  #waitingCount = 0;
  #running = 0;

  constructor(limits: ConcurrencyLimits) {
    this.#concurrent = limits.concurrent;
    this.#queued = limits.queued;
    this.#queuedPerKey = limits.queuedPerKey ?? limits.queued;
  }

  /** Tasks that wait for their turn. */
  get waiting(): number {
    return this.#waitingCount;
  }

  /** @throws OverloadedError when too many wait; AbortError's reason when the signal ends the wait */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal, key = ""): Promise<T> {
    if (this.#running < this.#concurrent) this.#running += 1;
    else await this.#turn(key, signal);
    try {
      return await task();
    } finally {
      const next = this.#next();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  #next(): (() => void) | undefined {
    for (const [key, starts] of this.#waiting) {
      const start = starts.shift();
      this.#waiting.delete(key);
      if (starts.length > 0) this.#waiting.set(key, starts);
      this.#waitingCount -= 1;
      return start;
    }
    return undefined;
  }

  #turn(key: string, signal: AbortSignal | undefined): Promise<void> {
    const starts = this.#waiting.get(key) ?? [];
    if (this.#waitingCount >= this.#queued || starts.length >= this.#queuedPerKey) {
      throw new OverloadedError("too many wait");
    }
    return new Promise((resolve, reject) => {
      const start = () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      const abort = () => {
        this.#forget(key, start);
        reject(signal?.reason);
      };
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      signal?.addEventListener("abort", abort, { once: true });
      starts.push(start);
      this.#waiting.set(key, starts);
      this.#waitingCount += 1;
    });
  }

  #forget(key: string, start: () => void): void {
    const starts = this.#waiting.get(key);
    const index = starts?.indexOf(start) ?? -1;
    if (starts === undefined || index < 0) return;
    starts.splice(index, 1);
    if (starts.length === 0) this.#waiting.delete(key);
    this.#waitingCount -= 1;
  }
}

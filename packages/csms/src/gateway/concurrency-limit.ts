/** Too much waits already; nothing was started. */
export class OverloadedError extends Error {
  override readonly name = "OverloadedError";
}

/**
 * Runs at most `concurrent` tasks at once and lets at most `queued` wait, first come first served. A boot storm
 * then costs time, not memory.
 */
export class ConcurrencyLimit {
  readonly #concurrent: number;
  readonly #queued: number;
  readonly #waiting: Array<() => void> = [];
  #running = 0;

  constructor(limits: { readonly concurrent: number; readonly queued: number }) {
    this.#concurrent = limits.concurrent;
    this.#queued = limits.queued;
  }

  /** Tasks that wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** @throws OverloadedError when the queue is full; AbortError's reason when the signal ends the wait */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#running < this.#concurrent) this.#running += 1;
    else await this.#turn(signal);
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.length >= this.#queued) throw new OverloadedError("too many handshakes wait");
    return new Promise((resolve, reject) => {
      const start = () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      const abort = () => {
        const index = this.#waiting.indexOf(start);
        if (index >= 0) this.#waiting.splice(index, 1);
        reject(signal?.reason);
      };
      if (signal?.aborted) reject(signal.reason);
      else {
        signal?.addEventListener("abort", abort, { once: true });
        this.#waiting.push(start);
      }
    });
  }
}

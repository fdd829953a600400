import { CallQueueFullError, NotConnectedError } from "../errors.ts";

interface Waiting {
  readonly action: string;
  readonly start: () => void;
  readonly reject: (error: unknown) => void;
}

/** Lets one call at a time through and keeps a bounded number waiting, in order. */
export class CallQueue {
  readonly #limit: number;
  readonly #waiting: Waiting[] = [];
  #busy = false;
  #closed = false;
  readonly #idle: (() => void)[] = [];

  /** @param limit How many calls may wait besides the one under way. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Runs the task when all earlier ones are done.
   *
   * @throws CallQueueFullError, NotConnectedError after {@link close}, or the signal's reason when it aborts a wait.
   */
  async run<T>(action: string, task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#closed) throw new NotConnectedError(action, false);
    if (this.#busy) await this.#turn(action, signal);
    this.#busy = true;
    try {
      return await task();
    } finally {
      this.#next();
    }
  }

  #turn(action: string, signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.length >= this.#limit) throw new CallQueueFullError(action, this.#limit);
    return new Promise<void>((resolve, reject) => {
      const giveUp = () => {
        const index = this.#waiting.indexOf(entry);
        if (index >= 0) this.#waiting.splice(index, 1);
        reject(signal?.reason);
      };
      const entry: Waiting = {
        action,
        start: () => {
          signal?.removeEventListener("abort", giveUp);
          resolve();
        },
        reject: (error) => {
          signal?.removeEventListener("abort", giveUp);
          reject(error);
        },
      };
      this.#waiting.push(entry);
      signal?.addEventListener("abort", giveUp, { once: true });
    });
  }

  /** Hands the turn on without letting go of it, so that no newcomer overtakes. */
  #next(): void {
    const entry = this.#waiting.shift();
    if (entry !== undefined) {
      entry.start();
      return;
    }
    this.#busy = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Refuses new calls and those that wait; the one under way goes on. Resolves when it is done. */
  close(): Promise<void> {
    this.#closed = true;
    for (const entry of this.#waiting.splice(0)) entry.reject(new NotConnectedError(entry.action, false));
    if (!this.#busy) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }
}

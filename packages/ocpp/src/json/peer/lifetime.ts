import { ConnectionEndedError, type Ending } from "./transport.ts";

/** The end of one connection: it comes once, and whoever asked is told why. */
export class Lifetime {
  #error: ConnectionEndedError | undefined;
  #ending: Ending | undefined;
  #closed: AbortController | undefined;
  #listeners: ((ending: Ending) => void)[] | undefined;

  /** Why the connection ended; undefined while it lasts. */
  get ending(): Ending | undefined {
    return this.#ending;
  }

  /** Aborted at the end, with a {@link ConnectionEndedError}. */
  get closed(): AbortSignal {
    if (this.#closed === undefined) {
      this.#closed = new AbortController();
      if (this.#error !== undefined) this.#closed.abort(this.#error);
    }
    return this.#closed.signal;
  }

  /** Calls back at the end. */
  onEnd(listener: (ending: Ending) => void): void {
    // Most have one listener; an empty list that grows would take room for seventeen.
    if (this.#listeners === undefined) this.#listeners = [listener];
    else this.#listeners.push(listener);
  }

  /** The connection has ended. Nobody is told before {@link announce}. */
  end(ending: Ending): ConnectionEndedError {
    this.#ending = ending;
    this.#error = new ConnectionEndedError(ending);
    return this.#error;
  }

  /** Tells the end to who asked. */
  announce(ending: Ending): void {
    this.#closed?.abort(this.#error);
    const listeners = this.#listeners ?? [];
    this.#listeners = undefined;
    for (const listener of listeners) listener(ending);
  }
}

interface Waiter<C> {
  resolve(connection: C): void;
  reject(reason: unknown): void;
}

/** Those who wait for the next connection of a station. */
export class ConnectionWaiters<C> {
  #waiters: Waiter<C>[] = [];

  /** Resolves with the next connection; rejects with the signal's reason, after `giveUp`, when that is aborted before. */
  wait(signal: AbortSignal | undefined, giveUp: () => void): Promise<C> {
    return new Promise<C>((resolve, reject) => {
      const onAbort = () => {
        reject(signal?.reason);
        giveUp();
      };
      const release = () => signal?.removeEventListener("abort", onAbort);
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters.push({
        resolve: (connection) => {
          release();
          resolve(connection);
        },
        reject: (reason) => {
          release();
          reject(reason);
        },
      });
    });
  }

  /** There is a connection. */
  resolve(connection: C): void {
    for (const waiter of this.#take()) waiter.resolve(connection);
  }

  /** There will be none. */
  reject(reason: unknown): void {
    for (const waiter of this.#take()) waiter.reject(reason);
  }

  #take(): readonly Waiter<C>[] {
    const waiters = this.#waiters;
    this.#waiters = [];
    return waiters;
  }
}

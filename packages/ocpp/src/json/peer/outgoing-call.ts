import type { CatalogueEntry } from "../../catalogue/catalogue.ts";
import { CallTimeoutError } from "../../errors.ts";
import type { Waiting } from "./deadlines.ts";

/** Where a call waits, and is outstanding. */
export interface CallQueue {
  /** Gives the call up and rejects it. */
  abandon(call: OutgoingCall, reason: unknown): void;
}

/** One call from the moment it is made until it is settled. */
export class OutgoingCall implements Waiting {
  readonly messageId: string;
  readonly entry: CatalogueEntry;
  readonly text: string;
  readonly timeoutMs: number;
  /** How long it may wait for its turn; undefined once it is sent, or without limit. */
  queueTimeoutMs: number | undefined;
  deadlineMs = 0;
  readonly #queue: CallQueue;
  #resolve: ((payload: unknown) => void) | undefined;
  #reject: ((reason: unknown) => void) | undefined;
  #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined;

  constructor(queue: CallQueue, entry: CatalogueEntry, messageId: string, text: string, timeoutMs: number) {
    this.#queue = queue;
    this.entry = entry;
    this.messageId = messageId;
    this.text = text;
    this.timeoutMs = timeoutMs;
  }

  /** The promise of this call; to be taken once. */
  promise(signal: AbortSignal | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (signal === undefined) return;
      this.#signal = signal;
      this.#onAbort = () => this.#queue.abandon(this, signal.reason);
      signal.addEventListener("abort", this.#onAbort, { once: true });
    });
  }

  resolve(payload: unknown): void {
    this.#release();
    this.#resolve?.(payload);
  }

  reject(reason: unknown): void {
    this.#release();
    this.#reject?.(reason);
  }

  expire(): void {
    const { entry, timeoutMs, queueTimeoutMs } = this;
    const isSent = queueTimeoutMs === undefined;
    this.#queue.abandon(this, new CallTimeoutError(entry.action, queueTimeoutMs ?? timeoutMs, isSent));
  }

  #release(): void {
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#onAbort = undefined;
  }
}

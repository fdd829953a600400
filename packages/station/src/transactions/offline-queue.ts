import { NotConnectedError, UnknownActionError, ValidationError } from "@polyphase/ocpp";
import type { Clock, Timer } from "../clock.ts";
import type { Settings } from "../configuration/settings.ts";
import type { Journal } from "../storage/journal.ts";

/** A transaction message that waits for its delivery, in the words of its family. */
export interface TransactionMessage {
  readonly action: string;
  readonly payload: unknown;
  /** The station's own id of the transaction. */
  readonly transactionId: string;
  readonly eventType: "Started" | "Updated" | "Ended";
  /** Happened, or waited, without a connection (E11.FR.07). */
  readonly offline: boolean;
}

/** What became of a transaction message; for tests that compare a station's books with those of a CSMS. */
export interface LedgerEntry {
  readonly number: number;
  readonly action: string;
  readonly transactionId: string;
  readonly eventType: TransactionMessage["eventType"];
  /** The request as it was sent last, in the station's version; undefined while it was never sent. */
  payload: unknown;
  attempts: number;
  /** `discarded` after the last attempt failed, `acknowledged` when the CSMS answered. */
  outcome: "pending" | "acknowledged" | "discarded";
  response: unknown;
}

interface Queued {
  readonly number: number;
  message: TransactionMessage;
  readonly entry: LedgerEntry;
}

/** What a queue needs from its station. */
export interface QueueHost {
  readonly clock: Clock;
  readonly settings: Readonly<Settings>;
  /** Whether transaction messages may be sent now: registered and connected. */
  mayDeliver(): boolean;
  /** Sends a message. `sent` is told the request on the wire. */
  deliver(message: TransactionMessage, sent: (payload: unknown) => void): Promise<unknown>;
  /** A message was answered. */
  acknowledged(message: TransactionMessage, response: unknown): void;
  /** A message was given up. */
  discarded(message: TransactionMessage, error: unknown): void;
}

/**
 * Delivers transaction messages one by one in the order in which they happened, over lost connections and restarts.
 * A message that the CSMS fails to process is tried again after the interval times the number of attempts so far
 * and given up after the last attempt (E13.FR.01-04; 1.6 TransactionMessageAttempts and -RetryInterval). A lost
 * connection is no failure of the message and does not count.
 */
export class OfflineQueue {
  readonly #host: QueueHost;
  readonly #journal: Journal;
  readonly #ledgerSize: number;
  readonly #queue: Queued[] = [];
  readonly #ledger: LedgerEntry[] = [];
  readonly #drainWaiters: (() => void)[] = [];
  #nextNumber: number;
  #delivering = false;
  #retryTimer: Timer | undefined;
  #stopped = false;

  /** @param ledgerSize how many of the latest messages the ledger remembers */
  constructor(journal: Journal, host: QueueHost, ledgerSize: number) {
    this.#journal = journal;
    this.#host = host;
    this.#ledgerSize = ledgerSize;
    for (const { number, message } of journal.messages()) {
      this.#enqueue(number, { ...(message as TransactionMessage), offline: true });
    }
    const lastNumber = (journal.get("lastMessageNumber") as number | undefined) ?? 0;
    this.#nextNumber = Math.max(lastNumber, this.#queue.at(-1)?.number ?? 0) + 1;
  }

  /** Messages that wait, the one under way included. */
  get size(): number {
    return this.#queue.length;
  }

  /** The latest messages and what became of them, oldest first. */
  get ledger(): readonly Readonly<LedgerEntry>[] {
    return this.#ledger;
  }

  /** Whether messages of this transaction wait (E14). */
  has(transactionId: string): boolean {
    return this.#queue.some(({ message }) => message.transactionId === transactionId);
  }

  /** Adds messages; they are in the journal, together with `set`, when this returns. */
  put(messages: readonly TransactionMessage[], set: Readonly<Record<string, unknown>>): void {
    if (messages.length === 0) this.#journal.write({ set });
    messages.forEach((message, index) => {
      const number = this.#nextNumber++;
      const last = index === messages.length - 1;
      this.#journal.write({ put: { number, message }, set: { ...(last ? set : {}), lastMessageNumber: number } });
      this.#enqueue(number, message);
    });
    void this.#deliverAll();
  }

  /** Goes on delivering: the station was registered or is connected again. */
  wake(): void {
    this.#stopped = false;
    this.#retryTimer?.cancel();
    this.#retryTimer = undefined;
    void this.#deliverAll();
  }

  /** The connection is lost: what waits counts as offline from now on (E11.FR.07). */
  suspend(): void {
    this.#retryTimer?.cancel();
    this.#retryTimer = undefined;
    for (const queued of this.#queue) queued.message = { ...queued.message, offline: true };
  }

  /** Sends nothing any more, for the end of the station. */
  stop(): void {
    this.#stopped = true;
    this.suspend();
  }

  /** Resolves when nothing waits. */
  drained(): Promise<void> {
    if (this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drainWaiters.push(resolve);
    });
  }

  #enqueue(number: number, message: TransactionMessage): void {
    const { action, transactionId, eventType } = message;
    const entry: LedgerEntry = {
      number,
      action,
      transactionId,
      eventType,
      payload: undefined,
      attempts: 0,
      outcome: "pending",
      response: undefined,
    };
    this.#queue.push({ number, message, entry });
    if (this.#ledgerSize === 0) return;
    this.#ledger.push(entry);
    if (this.#ledger.length > this.#ledgerSize) this.#ledger.shift();
  }

  async #deliverAll(): Promise<void> {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      while (!this.#stopped && this.#retryTimer === undefined && this.#host.mayDeliver()) {
        const queued = this.#queue[0];
        if (queued === undefined) break;
        if (!(await this.#deliver(queued))) break;
      }
    } finally {
      this.#delivering = false;
    }
    if (this.#queue.length === 0) for (const resolve of this.#drainWaiters.splice(0)) resolve();
    // The connection may have come back while the last attempt was failing.
    else if (!this.#stopped && this.#retryTimer === undefined && this.#host.mayDeliver()) this.#retryAfter(1);
  }

  /** Returns whether the next message can follow at once. */
  async #deliver(queued: Queued): Promise<boolean> {
    const { entry, message } = queued;
    try {
      entry.attempts++;
      const response = await this.#host.deliver(message, (payload) => {
        entry.payload = payload;
      });
      entry.response = response;
      this.#settle(queued, "acknowledged");
      this.#host.acknowledged(message, response);
      return true;
    } catch (error) {
      return this.#failed(queued, error);
    }
  }

  #failed(queued: Queued, error: unknown): boolean {
    const { entry, message } = queued;
    if (error instanceof NotConnectedError) {
      entry.attempts--;
      return false;
    }
    const { messageAttempts, messageAttemptIntervalS } = this.#host.settings;
    const hopeless =
      error instanceof UnknownActionError || (error instanceof ValidationError && error.direction === "request");
    if (hopeless || entry.attempts >= messageAttempts) {
      this.#settle(queued, "discarded");
      this.#host.discarded(message, error);
      return true;
    }
    this.#retryAfter(messageAttemptIntervalS * 1000 * entry.attempts);
    return false;
  }

  #retryAfter(delayMs: number): void {
    this.#retryTimer = this.#host.clock.setTimer(delayMs, () => {
      this.#retryTimer = undefined;
      void this.#deliverAll();
    });
  }

  #settle(queued: Queued, outcome: "acknowledged" | "discarded"): void {
    queued.entry.outcome = outcome;
    this.#queue.shift();
    this.#journal.write({ done: queued.number });
  }
}

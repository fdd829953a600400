import type { Timers } from "@polyphase/ocpp";
import type { Logger } from "pino";
import type { Clock } from "../../../clock.ts";
import { ConcurrencyLimit } from "../../../gateway/concurrency-limit.ts";
import { CommandNotSupportedError, type StationCalls, StationOfflineError } from "../../../gateway/station-messages.ts";
import type { Transaction } from "../transaction/transaction.ts";
import type { TransactionLedger } from "./transaction-ledger.ts";

/** What a station of family 1 shows of a connector. */
export interface ConnectorShown {
  readonly evseId: number;
  /** ConnectorStatusEnum of 2.1. */
  readonly status: string;
  /** The status in words of 1.6, where they say more. */
  readonly detail?: string | undefined;
  /** By the station's clock where it told, in milliseconds since 1970. */
  readonly timestampMs?: number | undefined;
  /** By our clock, in milliseconds since 1970. */
  readonly receivedAtMs: number;
}

/** What {@link SilentEnds} works with. */
export interface SilentEndsParts {
  readonly ledger: TransactionLedger;
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined until the gateway is there. */
  readonly calls: () => StationCalls | undefined;
  readonly timers: Pick<Timers, "after">;
}

/** A stop that was queued while the station was offline comes within this time after the connector was shown free. */
const GRACE_MS = 15 * 60_000;
/** A station that has booted has other things to do first. */
const ASK_AFTER_BOOT_MS = 10_000;
/** Stations that are asked at once, after a boot storm. */
const ASKED_AT_ONCE = 50;

/** In 1.6 no transaction runs on a connector in these states (§4.9, §7.7). */
const FREE: ReadonlySet<string> = new Set(["Available", "Reserved", "Finishing"]);
const BUSY: ReadonlySet<string> = new Set(["Charging", "SuspendedEV", "SuspendedEVSE"]);

/**
 * Finds transactions that are over although their station never said so, because it lost power or its memory. Without
 * it they would stay open for ever and count against their tokens.
 *
 * A station of family 1 shows it by its connectors: one that is free for a quarter of an hour, without a word of the
 * transaction, serves none. A station of family 2 is asked after each boot (E14); what it neither knows nor has in
 * its queue is over. Nothing is lost by a wrong guess: an event that comes later reopens or ends the transaction.
 */
export class SilentEnds {
  readonly #parts: SilentEndsParts;
  readonly #limit = new ConcurrencyLimit({ concurrent: ASKED_AT_ONCE, queued: Number.POSITIVE_INFINITY });
  /** What will be closed, and how that is prevented. */
  readonly #doubted = new Map<Transaction, () => void>();
  readonly #toAsk = new Map<string, () => void>();
  /** Running when their station booted, and not heard of since. */
  readonly #bootedSince = new WeakMap<Transaction, number>();
  readonly #asked = new Set<Promise<void>>();

  constructor(parts: SilentEndsParts) {
    this.#parts = parts;
  }

  /** A station of family 1 shows what a connector does. */
  connectorShown(stationId: string, shown: ConnectorShown): void {
    for (const transaction of [...this.#parts.ledger.memory.hot.openOn(stationId, shown.evseId)]) {
      if (!isOfFamily1(transaction)) continue;
      if (BUSY.has(shown.detail ?? shown.status)) this.#believe(transaction);
      else if (this.#isFree(transaction, shown)) this.#doubt(transaction, shown.timestampMs ?? shown.receivedAtMs);
    }
  }

  /** A station was accepted after a boot. */
  booted(stationId: string): void {
    const open = [...this.#parts.ledger.memory.hot.openOf(stationId)];
    for (const transaction of open) this.#bootedSince.set(transaction, transaction.lastAtMs);
    if (!open.some((transaction) => !isOfFamily1(transaction))) return;
    this.#toAsk.get(stationId)?.();
    const cancel = this.#parts.timers.after(ASK_AFTER_BOOT_MS, () => {
      this.#toAsk.delete(stationId);
      const asked = this.#limit.run(() => this.#ask(stationId)).finally(() => this.#asked.delete(asked));
      this.#asked.add(asked);
    });
    this.#toAsk.set(stationId, cancel);
  }

  /** Gives up what is only planned, and waits for what is under way. */
  async close(): Promise<void> {
    for (const cancel of [...this.#doubted.values(), ...this.#toAsk.values()]) cancel();
    this.#doubted.clear();
    this.#toAsk.clear();
    await Promise.all(this.#asked);
  }

  #isFree(transaction: Transaction, { status, detail, timestampMs }: ConnectorShown): boolean {
    // What the station showed before its last word of the transaction proves nothing.
    if (timestampMs !== undefined && timestampMs < transaction.lastAtMs) return false;
    // A transaction can begin while the connector is being prepared, but none outlives a boot there.
    if (detail === "Preparing") return this.#bootedSince.get(transaction) === transaction.lastAtMs;
    return FREE.has(detail ?? status);
  }

  #believe(transaction: Transaction): void {
    this.#doubted.get(transaction)?.();
    this.#doubted.delete(transaction);
  }

  #doubt(transaction: Transaction, atMs: number): void {
    if (this.#doubted.has(transaction)) return;
    const lastAtMs = transaction.lastAtMs;
    const cancel = this.#parts.timers.after(GRACE_MS, () => {
      this.#doubted.delete(transaction);
      if (transaction.lastAtMs > lastAtMs) return;
      this.#close(transaction, { atMs, rule: "ConnectorFree" });
    });
    this.#doubted.set(transaction, cancel);
  }

  #close(transaction: Transaction, closure: Parameters<TransactionLedger["closeTransaction"]>[1]): void {
    this.#parts.ledger.closeTransaction(transaction, closure).catch((error: unknown) => {
      const { stationId, transactionId } = transaction.identity;
      this.#parts.log.warn({ err: error, stationId, transactionId }, "a silent transaction was not closed");
    });
  }

  /** Asks a station of family 2 for its open transactions, one after the other. Never rejects. */
  async #ask(stationId: string): Promise<void> {
    const { ledger, log } = this.#parts;
    for (const transaction of [...ledger.memory.hot.openOf(stationId)]) {
      const calls = this.#parts.calls();
      // What was heard of since the boot goes on.
      const isSilent = this.#bootedSince.get(transaction) === transaction.lastAtMs;
      if (isOfFamily1(transaction) || !isSilent || calls?.session(stationId)?.family !== 2) continue;
      const { transactionId } = transaction.identity;
      try {
        const status = await calls.call2(stationId, "GetTransactionStatus", { transactionId });
        // E14.FR.02 to .05: neither ongoing nor waiting to be told of.
        const isOver = status.ongoingIndicator === false && !status.messagesInQueue;
        if (isOver) this.#close(transaction, { atMs: this.#parts.clock.now().getTime(), rule: "StationDenies" });
      } catch (error) {
        const expected = error instanceof CommandNotSupportedError || error instanceof StationOfflineError;
        log[expected ? "debug" : "info"]({ err: error, stationId, transactionId }, "no word of a transaction's status");
      }
    }
  }
}

/** Only what family 1 begins is known by the message that began it. */
function isOfFamily1(transaction: Transaction): boolean {
  return transaction.identity.originKey !== undefined;
}

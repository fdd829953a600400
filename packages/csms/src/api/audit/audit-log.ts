import type { Logger } from "pino";
import { type AuditEntry, FIRST_HASH, hashOf } from "./audit-record.ts";
import type { AuditStore } from "./audit-store.ts";

/** Entries of one transaction. */
const BATCH = 200;

/** What the check of the whole chain found. */
export type AuditVerdict =
  | { readonly isIntact: true; readonly records: number; readonly lastHash: string }
  | { readonly isIntact: false; readonly records: number; readonly brokenAt: number; readonly reason: string };

/** Settings of an {@link AuditLog}. */
export interface AuditLogOptions {
  readonly store: AuditStore;
  readonly log: Logger;
  /** Wait before a failed write is tried again; default one second. */
  readonly retryMs?: number;
}

interface Waiting {
  readonly entry: AuditEntry;
  readonly stored: () => void;
}

/**
 * The tamper-evident log of operator actions: each record holds the hash of the one before it. The hash of the newest
 * record goes to the process's log too, so that a log kept elsewhere shows when the end of the chain was cut off or
 * the whole of it was computed anew.
 */
export class AuditLog {
  readonly #store: AuditStore;
  readonly #log: Logger;
  readonly #retryMs: number;
  readonly #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #isBehind = false;
  #stopWaiting: (() => void) | undefined;
  #isClosed = false;

  constructor({ store, log, retryMs = 1_000 }: AuditLogOptions) {
    this.#store = store;
    this.#log = log;
    this.#retryMs = retryMs;
  }

  /** True while entries cannot be stored. Nothing more should be done then that would need another. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** Resolves when the entry is stored. It is tried again until it is. */
  append(entry: AuditEntry): Promise<void> {
    const stored = new Promise<void>((resolve) => this.#waiting.push({ entry, stored: resolve }));
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    return stored;
  }

  /** Tries once more to store what waits; what cannot be stored is written to the process's log. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopWaiting?.();
    await this.#writing;
    for (const { entry } of this.#waiting) this.#log.error({ audit: entry }, "an audit entry could not be stored");
  }

  /** Recomputes every hash from the first record to the last. */
  async verify(): Promise<AuditVerdict> {
    let records = 0;
    let expected: Buffer = FIRST_HASH;
    for (;;) {
      const page = await this.#store.after(records, 1_000);
      for (const record of page) {
        const reason =
          record.sequence !== records + 1
            ? `record ${records + 1} is missing`
            : !record.previousHash.equals(expected)
              ? "it does not follow the record before it"
              : !record.hash.equals(hashOf(record))
                ? "its content was changed"
                : undefined;
        if (reason !== undefined) return { isIntact: false, records, brokenAt: record.sequence, reason };
        records += 1;
        expected = record.hash;
      }
      if (page.length === 0) return { isIntact: true, records, lastHash: expected.toString("hex") };
    }
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, BATCH);
      try {
        const records = await this.#store.append(batch.map(({ entry }) => entry));
        this.#isBehind = false;
        this.#waiting.splice(0, batch.length);
        for (const { stored } of batch) stored();
        const last = records.at(-1);
        this.#log.info({ auditSequence: last?.sequence, auditHash: last?.hash.toString("hex") }, "audit log extended");
      } catch (error) {
        this.#isBehind = true;
        this.#log.warn({ err: error, waiting: this.#waiting.length }, "audit entries cannot be stored now");
        if (this.#isClosed) return;
        await this.#pause();
      }
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#retryMs);
      this.#stopWaiting = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

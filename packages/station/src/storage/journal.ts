import type { JournalStorage } from "./journal-storage.ts";

/** What one line of the journal changes, all of it or nothing. */
export interface JournalChange {
  /** New values by key; null forgets the key. */
  readonly set?: Readonly<Record<string, unknown>>;
  /** A message to deliver, under its number. */
  readonly put?: { readonly number: number; readonly message: unknown };
  /** The message with this number is settled. */
  readonly done?: number;
}

/** Lines after which the journal is rewritten when most of them are history. */
const COMPACT_AFTER = 400;

/**
 * A station's memory across restarts: values by key and an ordered list of undelivered messages, kept as an
 * append-only list of changes. Unreadable lines are skipped, as a real station would rather boot than not.
 */
export class Journal {
  readonly #storage: JournalStorage;
  readonly #values = new Map<string, unknown>();
  readonly #messages = new Map<number, unknown>();
  #lines = 0;

  constructor(storage: JournalStorage) {
    this.#storage = storage;
    for (const line of storage.read()) {
      this.#lines++;
      const change = parseChange(line);
      if (change !== undefined) this.#apply(change);
    }
  }

  /** The value of a key, or undefined. */
  get(key: string): unknown {
    return this.#values.get(key);
  }

  /** Keys with this prefix. */
  keys(prefix: string): string[] {
    return [...this.#values.keys()].filter((key) => key.startsWith(prefix));
  }

  /** Undelivered messages, oldest first. */
  messages(): readonly { readonly number: number; readonly message: unknown }[] {
    return [...this.#messages].map(([number, message]) => ({ number, message })).sort((a, b) => a.number - b.number);
  }

  /** Records a change; when it returns, the change is durable as far as the storage promises. */
  write(change: JournalChange): void {
    this.#apply(change);
    this.#lines++;
    const live = this.#values.size + this.#messages.size;
    if (this.#lines > COMPACT_AFTER && this.#lines > 4 * live) this.#compact();
    else this.#storage.append(JSON.stringify(change));
  }

  #apply(change: JournalChange): void {
    for (const [key, value] of Object.entries(change.set ?? {})) {
      if (value === null) this.#values.delete(key);
      else this.#values.set(key, value);
    }
    if (change.put !== undefined) this.#messages.set(change.put.number, change.put.message);
    if (change.done !== undefined) this.#messages.delete(change.done);
  }

  #compact(): void {
    const lines: string[] = [];
    for (const [key, value] of this.#values) lines.push(JSON.stringify({ set: { [key]: value } }));
    for (const entry of this.messages()) lines.push(JSON.stringify({ put: entry }));
    this.#storage.replace(lines);
    this.#lines = lines.length;
  }
}

function parseChange(line: string): JournalChange | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as JournalChange) : undefined;
  } catch {
    return undefined;
  }
}

import type { WireMessage } from "@polyphase/ocpp";
import { CompiledQuery, type Kysely } from "kysely";
import type { Logger } from "pino";
import type { Clock } from "../../clock.ts";
import type { PartitionedTable } from "../../database/partitions.ts";
import { planWrites, StatementCompiler } from "../../database/write-plan.ts";
import type { WriteStatement } from "../../database/write-unit.ts";
import { redact } from "./redaction.ts";

/** The table of the message log as partition maintenance knows it. Default retention: 7 days. */
export function messageLogTable(retentionDays = 7): PartitionedTable {
  return { table: "station_message", column: "recorded_at", span: "day", retentionDays };
}

/** What {@link MessageLog} works with. */
export interface MessageLogOptions {
  readonly database: Kysely<unknown>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds between writes; default 500. */
  readonly intervalMs?: number;
  /** Characters that may wait for the database; beyond it messages are not logged. Default 32 Mi. */
  readonly maxWaitingLength?: number;
  /** Told how many messages were not logged. */
  dropped?(count: number): void;
}

interface WaitingMessage {
  readonly atMs: number;
  readonly message: WireMessage;
}

const maxRowsPerStatement = 1_000;
/** Longer texts are cut: one report must not fill the table. */
const maxTextLength = 256 * 1024;

/**
 * Writes every frame and envelope to `station_message`, redacted, in batches behind the message path. A database
 * that is slow or away costs log entries, never messages.
 */
export class MessageLog {
  readonly #options: MessageLogOptions;
  readonly #maxWaitingLength: number;
  readonly #timer: NodeJS.Timeout;
  readonly #compiler = new StatementCompiler();
  #waiting: WaitingMessage[] = [];
  #waitingLength = 0;
  #dropped = 0;
  #writing: Promise<void> | undefined;

  constructor(options: MessageLogOptions) {
    this.#options = options;
    this.#maxWaitingLength = options.maxWaitingLength ?? 32 * 1024 * 1024;
    this.#timer = setInterval(() => void this.flush(), options.intervalMs ?? 500);
    this.#timer.unref();
  }

  /** Takes a message; quick, and never fails. */
  record(message: WireMessage): void {
    if (this.#waitingLength + message.text.length > this.#maxWaitingLength) {
      this.#dropped += 1;
      return;
    }
    this.#waitingLength += message.text.length;
    this.#waiting.push({ atMs: this.#options.clock.now().getTime(), message });
    if (this.#waiting.length === maxRowsPerStatement) void this.flush();
  }

  /** Writes what waits. Resolves when it was tried. */
  flush(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  /** Writes the rest and stops. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#writing;
    await this.flush();
  }

  async #write(): Promise<void> {
    this.#reportDropped();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, maxRowsPerStatement);
      try {
        const rows = batch.map((waiting) => this.#compiler.row(insertMessages, rowOf(waiting)));
        for (const { text, values } of planWrites(rows)) {
          await this.#options.database.executeQuery(CompiledQuery.raw(text, [...values]));
        }
      } catch (error) {
        this.#options.log.warn({ err: error, waiting: this.#waiting.length }, "the message log was not written");
        return;
      }
      this.#waiting = this.#waiting.slice(batch.length);
      for (const { message } of batch) this.#waitingLength -= message.text.length;
    }
  }

  #reportDropped(): void {
    if (this.#dropped === 0) return;
    this.#options.log.warn({ messages: this.#dropped }, "messages not logged: too many wait for the database");
    this.#options.dropped?.(this.#dropped);
    this.#dropped = 0;
  }
}

interface MessageRow {
  readonly recorded_at: Date;
  readonly station_id: string;
  readonly version: string;
  readonly transport: string;
  readonly direction: string;
  readonly kind: string;
  readonly action: string;
  readonly message_id: string;
  readonly error_code: string | null;
  readonly text: string;
}

// The rows of a statement get their ids in their order: what came first is listed first.
const insertMessages: WriteStatement<MessageRow> = {
  name: "station-message-insert",
  order: 0,
  columns: {
    recorded_at: "timestamptz",
    station_id: "text",
    version: "text",
    transport: "text",
    direction: "text",
    kind: "text",
    action: "text",
    message_id: "text",
    error_code: "text",
    text: "text",
  },
  sql: (rows) => `
    insert into station_message
      (recorded_at, station_id, version, transport, direction, kind, action, message_id, error_code, text)
    select recorded_at, station_id, version, transport, direction, kind, action, message_id, error_code, text
    from ${rows}`,
};

function rowOf({ atMs, message }: WaitingMessage): MessageRow {
  const { identity, version, transport, direction, kind, action, messageId, errorCode, text } = message;
  return {
    recorded_at: new Date(atMs),
    station_id: storable(identity),
    ...{ version, transport, direction, kind },
    action: storable(action),
    message_id: storable(messageId),
    error_code: errorCode === undefined ? null : storable(errorCode),
    text: textOf(action, text),
  };
}

/** PostgreSQL has no NUL in texts; the replacement character stands for it. */
function storable(text: string): string {
  return text.includes("\0") ? text.replaceAll("\0", "\uFFFD") : text;
}

function textOf(action: string, text: string): string {
  const shown = storable(redact(action, text));
  return shown.length <= maxTextLength ? shown : `${shown.slice(0, maxTextLength)}… (${shown.length} characters)`;
}

import type { WireMessage } from "@polyphase/ocpp";
import { CompiledQuery, type Kysely } from "kysely";
import type { Logger } from "pino";
import type { Clock } from "../../clock.ts";
import type { PartitionedTable } from "../../database/partitions.ts";
import { planWrites, StatementCompiler } from "../../database/write-plan.ts";
import type { ColumnType, WriteStatement } from "../../database/write-unit.ts";
import { type Exchange, Exchanges } from "./exchanges.ts";
import { HeartbeatSieve } from "./heartbeat-sieve.ts";
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
  /** Milliseconds between writes; default 250. A message waits for at most two of them, for its answer. */
  readonly intervalMs?: number;
  /** Characters that may wait for the database; beyond it messages are not logged. Default 32 Mi. */
  readonly maxWaitingLength?: number;
  /** Whether the disk has no room for the log now: what waits goes on waiting. */
  isDiskShort?(): boolean;
  /** Told how many messages were not logged. */
  dropped?(count: number): void;
}

/** Few, so that the database gets to what stations wait for in between. */
const maxRowsPerStatement = 100;
/** Longer texts are cut: one report must not fill the table. */
const maxTextLength = 256 * 1024;

/**
 * Writes every frame and envelope to `station_message`, redacted, in batches behind the message path; a CALL with its
 * answer where that comes soon, and of frequent Heartbeats a few. A database that is slow or away costs log entries,
 * never messages.
 */
export class MessageLog {
  readonly #options: MessageLogOptions;
  readonly #maxWaitingLength: number;
  readonly #timer: NodeJS.Timeout;
  readonly #compiler = new StatementCompiler();
  readonly #heartbeats = new HeartbeatSieve();
  /** What came since the last turn, and what came in the turn before it. */
  #newest = new Exchanges();
  #older = new Exchanges();
  /** To be written now. */
  #due: Exchange[] = [];
  #waitingLength = 0;
  #dropped = 0;
  #writing: Promise<void> | undefined;

  constructor(options: MessageLogOptions) {
    this.#options = options;
    this.#maxWaitingLength = options.maxWaitingLength ?? 32 * 1024 * 1024;
    this.#timer = setInterval(() => void this.#turn(), options.intervalMs ?? 250);
    this.#timer.unref();
  }

  /** Takes a message; quick, and never fails. */
  record(message: WireMessage): void {
    const atMs = this.#options.clock.now().getTime();
    if (!this.#heartbeats.keeps(message, atMs)) return;
    if (this.#waitingLength + message.text.length > this.#maxWaitingLength) {
      this.#dropped += 1;
      return;
    }
    this.#waitingLength += message.text.length;
    const logged = { atMs, message };
    if (this.#newest.answer(logged) || this.#older.answer(logged)) return;
    this.#newest.add(logged);
  }

  /** Writes what waits. Resolves when it was tried. */
  async flush(): Promise<void> {
    await this.#writing;
    await this.#turn();
    await this.#turn();
  }

  /** Writes the rest and stops. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  /** Writes what has waited for its answer since the turn before. */
  #turn(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #write(): Promise<void> {
    this.#reportDropped();
    this.#due = this.#due.concat(this.#older.all);
    this.#older = this.#newest;
    this.#newest = new Exchanges();
    while (this.#due.length > 0 && this.#options.isDiskShort?.() !== true) {
      const batch = this.#due.slice(0, maxRowsPerStatement);
      try {
        const rows = batch.map((exchange) => this.#compiler.row(insertMessages, rowOf(exchange)));
        for (const { text, values } of planWrites(rows)) {
          await this.#options.database.executeQuery(CompiledQuery.raw(text, [...values]));
        }
      } catch (error) {
        this.#options.log.warn({ err: error, waiting: this.#due.length }, "the message log was not written");
        return;
      }
      this.#due = this.#due.slice(batch.length);
      for (const exchange of batch) this.#waitingLength -= lengthOf(exchange);
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
  readonly answered_at: Date | null;
  readonly answer_kind: string | null;
  readonly answer_error_code: string | null;
  readonly answer_text: string | null;
}

const columns = {
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
  answered_at: "timestamptz",
  answer_kind: "text",
  answer_error_code: "text",
  answer_text: "text",
} as const satisfies Record<keyof MessageRow, ColumnType>;

const names = Object.keys(columns).join(", ");

// The rows of a statement get their ids in their order: what came first is listed first.
const insertMessages: WriteStatement<MessageRow> = {
  name: "station-message-insert",
  order: 0,
  columns,
  // A log that may lose its tail need not wait for the disk, nor keep those waiting who must.
  sql: (rows) =>
    `insert into station_message (${names}) select ${names} from ${rows} ` +
    "where (select set_config('synchronous_commit', 'off', true)) = 'off'",
};

function rowOf({ atMs, message, answer }: Exchange): MessageRow {
  const { identity, version, transport, direction, kind, action, messageId, errorCode, text } = message;
  return {
    recorded_at: new Date(atMs),
    station_id: identity,
    ...{ version, transport, direction, kind, action },
    message_id: messageId,
    error_code: errorCode ?? null,
    text: textOf(action, text),
    answered_at: answer === undefined ? null : new Date(answer.atMs),
    answer_kind: answer?.message.kind ?? null,
    answer_error_code: answer?.message.errorCode ?? null,
    answer_text: answer === undefined ? null : textOf(action, answer.message.text),
  };
}

function lengthOf({ message, answer }: Exchange): number {
  return message.text.length + (answer?.message.text.length ?? 0);
}

function textOf(action: string, text: string): string {
  const shown = redact(action, text);
  return shown.length <= maxTextLength ? shown : `${shown.slice(0, maxTextLength)}… (${shown.length} characters)`;
}

import { type Kysely, sql } from "kysely";
import type { PartitionedTable } from "../../database/partitions.ts";
import type { ColumnType, WriteStatement } from "../../database/write-unit.ts";
import { Transaction, type TransactionProgress, type TransactionState, type TransactionStatus } from "./transaction.ts";
import type { EventFacts, EventType, TransactionEvent } from "./transaction-event.ts";
import { BLOCK_SIZE } from "./transaction-numbers.ts";

type TransactionColumns = {
  readonly id: string;
  readonly station_id: string;
  readonly transaction_id: string;
  readonly generation: number;
  readonly origin_key: string | null;
  readonly status: TransactionStatus;
  readonly evse_id: number | null;
  readonly connector_id: number | null;
  readonly id_token: string | null;
  readonly remote_start_id: number | null;
  readonly first_at: Date;
  readonly started_at: Date | null;
  readonly ended_at: Date | null;
  readonly received_at: Date;
  readonly state: TransactionState;
  readonly updated_at: Date;
  readonly last_at: Date;
  readonly imported_milliwatt_hours: number | null;
  readonly exported_milliwatt_hours: number | null;
  /** A {@link TransactionProgress} as JSON. */
  readonly progress: string;
};

type EventColumns = {
  readonly transaction: string;
  readonly key: string;
  readonly seq_no: number | null;
  readonly event_type: EventType;
  readonly trigger_reason: string;
  readonly occurred_at: Date;
  readonly received_at: Date;
  readonly offline: boolean;
  readonly facts: EventFacts;
};

type Tables = { charging_transaction: TransactionColumns; transaction_event: EventColumns };

/** A row as a statement takes it: JSON as text. */
type Written<Columns> = {
  readonly [Column in keyof Columns]: Columns[Column] extends string | number | boolean | Date | null
    ? Columns[Column]
    : string;
};

const progressColumns = {
  id: "uuid",
  updated_at: "timestamptz",
  last_at: "timestamptz",
  // Written with every meter value and never searched: jsonb would take twice the time of the database.
  progress: "text",
} as const satisfies { readonly [Column in keyof TransactionColumns]?: ColumnType };

const transactionColumns = {
  station_id: "text",
  transaction_id: "text",
  generation: "integer",
  origin_key: "text",
  status: "text",
  evse_id: "bigint",
  connector_id: "bigint",
  id_token: "text",
  remote_start_id: "bigint",
  first_at: "timestamptz",
  started_at: "timestamptz",
  ended_at: "timestamptz",
  received_at: "timestamptz",
  state: "jsonb",
  imported_milliwatt_hours: "bigint",
  exported_milliwatt_hours: "bigint",
  ...progressColumns,
} as const satisfies { readonly [Column in keyof TransactionColumns]: ColumnType };

const eventColumns = {
  transaction: "uuid",
  key: "text",
  seq_no: "bigint",
  event_type: "text",
  trigger_reason: "text",
  occurred_at: "timestamptz",
  received_at: "timestamptz",
  offline: "boolean",
  facts: "jsonb",
} as const satisfies { readonly [Column in keyof EventColumns]: ColumnType };

const names = (columns: object) => Object.keys(columns).join(", ");

/** What a transaction is and never changes: not updated. */
const FIXED: ReadonlySet<string> = new Set([
  "id",
  "station_id",
  "transaction_id",
  "generation",
  "origin_key",
  "received_at",
]);

type TransactionRow = Written<TransactionColumns>;
type ProgressRow = Pick<TransactionRow, keyof typeof progressColumns>;

/** Stores a transaction as it is now. */
export const saveTransaction: WriteStatement<TransactionRow> = {
  name: "transaction-save",
  order: 30,
  columns: transactionColumns,
  sql: (rows) => `
    insert into charging_transaction (${names(transactionColumns)}) select ${names(transactionColumns)} from ${rows}
    on conflict (id) do update set ${Object.keys(transactionColumns)
      .filter((column) => !FIXED.has(column))
      .map((column) => `${column} = excluded.${column}`)
      .join(", ")}`,
  key: (row) => row.id,
};

/** Stores only what meter values change while a transaction runs: the columns that no index holds. */
export const saveProgress: WriteStatement<ProgressRow> = {
  name: "transaction-progress",
  order: 31,
  columns: progressColumns,
  sql: (rows) => `
    update charging_transaction set ${Object.keys(progressColumns)
      .filter((column) => column !== "id")
      .map((column) => `${column} = new.${column}`)
      .join(", ")}
    from (select ${names(progressColumns)} from ${rows}) new where charging_transaction.id = new.id`,
  key: (row) => row.id,
};

/** Stores an event; a repeat changes nothing. */
export const insertEvent: WriteStatement<Written<EventColumns>> = {
  name: "transaction-event",
  order: 32,
  columns: eventColumns,
  sql: (rows) =>
    `insert into transaction_event (${names(eventColumns)}) select ${names(eventColumns)} from ${rows} on conflict do nothing`,
};

/** How the events are partitioned and how long they are kept, in days from the begin of their transaction. */
export function transactionEventPartitions(retentionDays: number): PartitionedTable {
  return {
    table: "transaction_event",
    column: "transaction",
    columnType: "uuid-v7",
    span: "day",
    retentionDays,
    receivedColumn: "received_at",
  };
}

/** The row for {@link saveProgress}. */
export function progressRow(transaction: Transaction, now: Date): ProgressRow {
  return {
    id: transaction.identity.id,
    updated_at: now,
    last_at: new Date(transaction.lastAtMs),
    progress: JSON.stringify(transaction.progress),
  };
}

/** The row for {@link saveTransaction}. */
export function transactionRow(transaction: Transaction, now: Date): TransactionRow {
  const { identity, state } = transaction;
  return {
    ...progressRow(transaction, now),
    station_id: identity.stationId,
    transaction_id: identity.transactionId,
    generation: identity.generation,
    origin_key: identity.originKey ?? null,
    status: transaction.status,
    evse_id: transaction.evseId ?? null,
    connector_id: transaction.connectorId ?? null,
    id_token: state.token?.value.idToken ?? null,
    remote_start_id: state.earliest.remoteStartId?.value ?? null,
    first_at: new Date(state.firstAtMs),
    started_at: state.started === undefined ? null : new Date(state.started.value.atMs),
    ended_at: state.ended === undefined ? null : new Date(state.ended.value.atMs),
    received_at: now,
    state: JSON.stringify(state),
    imported_milliwatt_hours: transaction.imported.milliWh ?? null,
    exported_milliwatt_hours: transaction.exported?.milliWh ?? null,
  };
}

/** The row for {@link insertEvent}. */
export function eventRow(transaction: string, event: TransactionEvent): Written<EventColumns> {
  return {
    transaction,
    key: event.key,
    seq_no: event.seqNo ?? null,
    event_type: event.eventType,
    trigger_reason: event.triggerReason,
    occurred_at: new Date(event.atMs),
    received_at: event.receivedAt,
    offline: event.offline,
    facts: JSON.stringify(event.facts),
  };
}

/** A stored event. Its meter values are stored with metering. */
export interface StoredEvent extends Omit<TransactionEvent, "meterValues"> {
  readonly transaction: string;
}

/** A transaction as it is stored, for display. */
export interface StoredTransaction {
  readonly transaction: Transaction;
  readonly receivedAt: Date;
  readonly updatedAt: Date;
}

/** Which transactions to list. */
export interface TransactionFilter {
  readonly stationId?: string | undefined;
  readonly evseId?: number | undefined;
  /** In any case of letters. */
  readonly idToken?: string | undefined;
  readonly status?: TransactionStatus | undefined;
  readonly transactionId?: string | undefined;
  readonly remoteStartId?: number | undefined;
  /** First event at or after. */
  readonly from?: Date | undefined;
  /** First event at or before. */
  readonly to?: Date | undefined;
}

/** Position in a list of transactions, after which a page begins. */
export interface TransactionPosition {
  readonly firstAt: Date;
  readonly id: string;
}

/** Reads what is stored of transactions. */
export class TransactionStore {
  readonly #database: Kysely<Tables>;

  constructor(database: Kysely<unknown>) {
    this.#database = database.withTables<Tables>();
  }

  /** The transaction that a station last used an id for. */
  async findLatest(stationId: string, transactionId: string): Promise<Transaction | undefined> {
    const row = await this.#database
      .selectFrom("charging_transaction")
      .selectAll()
      .where("station_id", "=", stationId)
      .where("transaction_id", "=", transactionId)
      .orderBy("generation", "desc")
      .limit(1)
      .executeTakeFirst();
    return row && this.#withSeqNos(row);
  }

  /** The transaction that a message made. */
  async findByOrigin(stationId: string, originKey: string): Promise<Transaction | undefined> {
    const row = await this.#database
      .selectFrom("charging_transaction")
      .selectAll()
      .where("station_id", "=", stationId)
      .where("origin_key", "=", originKey)
      .executeTakeFirst();
    return row && this.#withSeqNos(row);
  }

  /** The transaction whose end is a certain message. */
  async findEndedBy(stationId: string, endedAtMs: number, eventKey: string): Promise<Transaction | undefined> {
    const row = await this.#database
      .selectFrom("charging_transaction")
      .selectAll()
      .where("station_id", "=", stationId)
      .where("ended_at", "=", new Date(endedAtMs))
      .where(sql`state->'ended'->'value'->>'key'`, "=", eventKey)
      .executeTakeFirst();
    return row && this.#withSeqNos(row);
  }

  /** When the next transaction began that an EVSE served after a moment, by its first event; clocks that are ahead do not count. */
  async nextBegin(stationId: string, evseId: number, afterMs: number, until: Date): Promise<number | undefined> {
    const row = await this.#database
      .selectFrom("charging_transaction")
      .select("first_at")
      .where("station_id", "=", stationId)
      .where("first_at", ">", new Date(afterMs))
      .where("first_at", "<=", until)
      .where("evse_id", "=", evseId)
      .orderBy("first_at")
      .limit(1)
      .executeTakeFirst();
    return row?.first_at.getTime();
  }

  /** All that run. */
  async open(): Promise<Transaction[]> {
    const rows = await this.#database
      .selectFrom("charging_transaction")
      .selectAll()
      .where("status", "=", "Open")
      .execute();
    const ids = rows.map((row) => row.id);
    const { rows: seqNoRows } = await sql<{ transaction: string; seq_nos: number[] }>`
      select transaction, array_agg(seq_no order by seq_no) as seq_nos from transaction_event
      where transaction = any(${ids}::uuid[]) and seq_no is not null group by transaction`.execute(this.#database);
    const seqNos = new Map(seqNoRows.map((row) => [row.transaction, row.seq_nos]));
    return rows.map((row) => transactionOf(row, seqNos.get(row.id) ?? []));
  }

  async get(id: string): Promise<StoredTransaction | undefined> {
    const row = await this.#database
      .selectFrom("charging_transaction")
      .selectAll()
      .where("id", "=", id)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    return { transaction: await this.#withSeqNos(row), receivedAt: row.received_at, updatedAt: row.updated_at };
  }

  /** Newest first. Sequence numbers are not read. */
  async list(
    filter: TransactionFilter,
    page: { readonly limit: number; readonly after?: TransactionPosition | undefined },
  ): Promise<StoredTransaction[]> {
    let query = this.#database
      .selectFrom("charging_transaction")
      .selectAll()
      .orderBy("first_at", "desc")
      .orderBy("id", "desc")
      .limit(page.limit);
    const { stationId, evseId, idToken, status, transactionId, remoteStartId, from, to } = filter;
    if (stationId !== undefined) query = query.where("station_id", "=", stationId);
    if (evseId !== undefined) query = query.where("evse_id", "=", evseId);
    if (idToken !== undefined) query = query.where(sql`lower(id_token)`, "=", idToken.toLowerCase());
    if (status !== undefined) query = query.where("status", "=", status);
    if (transactionId !== undefined) query = query.where("transaction_id", "=", transactionId);
    if (remoteStartId !== undefined) query = query.where("remote_start_id", "=", remoteStartId);
    if (from !== undefined) query = query.where("first_at", ">=", from);
    if (to !== undefined) query = query.where("first_at", "<=", to);
    const { after } = page;
    if (after !== undefined) {
      query = query.where(({ eb, refTuple, tuple }) =>
        eb(refTuple("first_at", "id"), "<", tuple(after.firstAt, after.id)),
      );
    }
    const rows = await query.execute();
    return rows.map((row) => ({
      transaction: transactionOf(row, []),
      receivedAt: row.received_at,
      updatedAt: row.updated_at,
    }));
  }

  /** Events of a transaction in the order of their time. */
  async events(
    transaction: string,
    page: { readonly limit?: number; readonly after?: { readonly at: Date; readonly key: string } | undefined } = {},
  ): Promise<StoredEvent[]> {
    let query = this.#database
      .selectFrom("transaction_event")
      .selectAll()
      .where("transaction", "=", transaction)
      .orderBy("occurred_at")
      .orderBy("key");
    const { after } = page;
    if (after !== undefined) {
      query = query.where(({ eb, refTuple, tuple }) =>
        eb(refTuple("occurred_at", "key"), ">", tuple(after.at, after.key)),
      );
    }
    if (page.limit !== undefined) query = query.limit(page.limit);
    return (await query.execute()).map(storedEventOf);
  }

  /** Events of a transaction with one sequence number: several when the station counted wrongly. */
  async eventsWithSeqNo(transaction: string, seqNo: number): Promise<StoredEvent[]> {
    const rows = await this.#database
      .selectFrom("transaction_event")
      .selectAll()
      .where("transaction", "=", transaction)
      .where("seq_no", "=", seqNo)
      .execute();
    return rows.map(storedEventOf);
  }

  /** Whether an event is stored. */
  async hasEvent(transaction: string, key: string): Promise<boolean> {
    const row = await this.#database
      .selectFrom("transaction_event")
      .select("key")
      .where("transaction", "=", transaction)
      .where("key", "=", key)
      .executeTakeFirst();
    return row !== undefined;
  }

  /** Reserves a block of ids for family 1 and returns its first. */
  async reserveNumbers(): Promise<number> {
    const { rows } = await sql<{ block: number }>`select nextval('transaction_number') as block`.execute(
      this.#database,
    );
    return ((rows[0]?.block ?? 1) - 1) * BLOCK_SIZE + 1;
  }

  async #withSeqNos(row: TransactionColumns): Promise<Transaction> {
    const rows = await this.#database
      .selectFrom("transaction_event")
      .select("seq_no")
      .where("transaction", "=", row.id)
      .where("seq_no", "is not", null)
      .execute();
    return transactionOf(
      row,
      rows.flatMap(({ seq_no }) => seq_no ?? []),
    );
  }
}

function transactionOf(row: TransactionColumns, seqNos: readonly number[]): Transaction {
  const identity = {
    id: row.id,
    stationId: row.station_id,
    transactionId: row.transaction_id,
    generation: row.generation,
    ...(row.origin_key === null ? {} : { originKey: row.origin_key }),
  };
  const progress: TransactionProgress = JSON.parse(row.progress);
  return new Transaction(identity, { state: row.state, progress, seqNos });
}

function storedEventOf(row: EventColumns): StoredEvent {
  return {
    transaction: row.transaction,
    key: row.key,
    ...(row.seq_no === null ? {} : { seqNo: row.seq_no }),
    eventType: row.event_type,
    triggerReason: row.trigger_reason,
    atMs: row.occurred_at.getTime(),
    receivedAt: row.received_at,
    offline: row.offline,
    facts: row.facts,
  };
}

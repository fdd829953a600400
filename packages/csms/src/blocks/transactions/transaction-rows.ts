import type { PartitionedTable } from "../../database/partitions.ts";
import type { ColumnType, WriteStatement } from "../../database/write-unit.ts";
import { Transaction, type TransactionProgress } from "./transaction/transaction.ts";
import type { EventFacts, EventType, TransactionEvent } from "./transaction/transaction-event.ts";
import type { TransactionState, TransactionStatus } from "./transaction/transaction-state.ts";

/** A row of `charging_transaction`. */
export type TransactionColumns = {
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

/** A row of `transaction_event`. */
export type EventColumns = {
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

/** The tables of transactions. */
export type TransactionTables = { charging_transaction: TransactionColumns; transaction_event: EventColumns };

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

/** A transaction as its row has it, with the sequence numbers that were received. */
export function transactionOf(row: TransactionColumns, seqNos: readonly number[]): Transaction {
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

/** An event as its row has it. */
export function storedEventOf(row: EventColumns): StoredEvent {
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

import { type Kysely, sql } from "kysely";
import { BLOCK_SIZE } from "./memory/transaction-numbers.ts";
import type { Transaction } from "./transaction/transaction.ts";
import type { TransactionStatus } from "./transaction/transaction-state.ts";
import {
  type StoredEvent,
  storedEventOf,
  type TransactionColumns,
  type TransactionTables,
  transactionOf,
} from "./transaction-rows.ts";

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
  readonly #database: Kysely<TransactionTables>;

  constructor(database: Kysely<unknown>) {
    this.#database = database.withTables<TransactionTables>();
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

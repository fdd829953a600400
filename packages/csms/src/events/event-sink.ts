import type { DomainEvent } from "./domain-event.ts";

/** A prepared statement in the shape that `pg` takes. */
export interface EventInsert {
  readonly name: string;
  readonly text: string;
  readonly values: unknown[];
}

/** A row that the statement of {@link EventSink.insert} returns. */
export interface EventInsertRow {
  /** A bigint, which `pg` gives as text. */
  readonly id: string | number;
}

/** A question with one row for an answer. */
export interface StoredQuestion {
  readonly text: string;
  readonly values: unknown[];
}

/** Events that have their ids, while the transaction that stores them is not yet decided. Exactly one method is called, once. */
export interface ReservedEvents {
  /** COMMIT was confirmed: subscribers are told, in the order of ids. */
  committed(): void;
  /** The transaction was undone: nobody is told. */
  rolledBack(): void;
  /** The connection was lost between COMMIT and its confirmation: the table will be asked what happened. */
  unknown(): void;
  /**
   * Asks, as `stored`, whether the table holds these events from the transaction of this number. A number alone proves
   * nothing: what a crash lost may have had one that the server then gives to another transaction.
   */
  storedBy(transactionId: string): StoredQuestion;
}

/**
 * Where group commit puts the domain events of a group. A group runs {@link insert} as the last statement before
 * COMMIT, calls {@link reserve} with the rows it returned, and only then sends COMMIT.
 *
 * The statement takes a transaction-wide advisory lock before it draws ids, so that ids grow in the order in which
 * transactions become visible, however many connections or nodes write. Running it last keeps that lock short. It is
 * sent before BEGIN was answered, so it must fail outside of a group's transaction.
 */
export interface EventSink {
  insert(events: readonly DomainEvent[]): EventInsert;
  reserve(events: readonly DomainEvent[], rows: readonly EventInsertRow[]): ReservedEvents;
}

import type { DomainEvent } from "../events/domain-event.ts";

/** PostgreSQL types that a column array of a {@link WriteStatement} may have. */
export type ColumnType =
  | "text"
  | "integer"
  | "bigint"
  | "double precision"
  | "numeric"
  | "boolean"
  | "timestamptz"
  | "jsonb"
  | "uuid"
  | "bytea";

/**
 * A multi-row write that many messages share. Rows of a group are passed as one array per column, so that a
 * group of any size is one prepared statement.
 */
export interface WriteStatement<Row extends object> {
  /** Unique name; also the name of the prepared statement. */
  readonly name: string;
  /** Statements of a group run in ascending order: a parent table before its children. */
  readonly order: number;
  /**
   * Columns in the order of the statement's parameters. `jsonb` values are given as JSON text, `timestamptz` as Date or
   * as text with a zone, `numeric` as number or decimal text. NUL and halves of surrogate pairs in text, which
   * PostgreSQL cannot hold, become U+FFFD.
   */
  readonly columns: { readonly [Column in keyof Row & string]: ColumnType };
  /**
   * The SQL text; `rows` is a table expression with the columns above and an alias of its own. It must be idempotent,
   * because a group is sent again when its connection was lost before COMMIT was confirmed. For example
   * `insert into evse (station_id, evse_id) select station_id, evse_id from ${rows} on conflict do nothing`.
   */
  sql(rows: string): string;
  /**
   * Identity of a row, for upserts: of several rows with one key in a group only the last is written, because
   * PostgreSQL cannot update a row twice in one statement; so a row must hold all that the statement is to write, and
   * not lean on what an earlier row of the same key left. Absent: every row is written.
   */
  key?(row: Row): string;
}

/** The writes of one message or command. They become durable together or not at all. */
export interface WriteUnit {
  /**
   * Adds a row to be written.
   *
   * @throws TypeError or RangeError, naming statement and column, when a value does not fit its column
   */
  add<Row extends object>(statement: WriteStatement<Row>, row: Row): this;
  /** Adds a domain event: stored in the same commit, given to subscribers after it. */
  publish(event: DomainEvent): this;
  /**
   * Resolves when everything added is durable.
   *
   * @throws DatabaseUnavailableError when the database cannot take it now; nothing was stored and the sender may try again
   * @throws the database's own error when a row of this unit is refused; other units of the group are not affected
   */
  commit(): Promise<void>;
}

/** Gathers the writes of concurrent messages into shared transactions. */
export interface GroupCommit {
  unit(): WriteUnit;
}

/** The database cannot take writes now: unreachable, or so slow that too much waits. */
export class DatabaseUnavailableError extends Error {
  override readonly name = "DatabaseUnavailableError";
}

import { type Kysely, type RawBuilder, sql } from "kysely";

/** A table that a migration made with `partition by range (<column>)`. */
export interface PartitionedTable {
  readonly table: string;
  /** The column it is partitioned by: a timestamptz, or UUIDs of version 7, which begin with their time. */
  readonly column: string;
  /** Default: timestamptz. */
  readonly columnType?: "timestamptz" | "uuid-v7";
  /** Span of one partition; in UTC. */
  readonly span: "day" | "month";
  /** Rows older than this are dropped, a partition at a time; Infinity keeps all. */
  readonly retentionDays: number;
  /** Spans before the present that get a partition too, for late rows. Default 1. */
  readonly behind?: number;
  /** Spans after the present that get a partition. Default 2. */
  readonly ahead?: number;
  /**
   * A column with our own time of receipt, by which rows in the default partition age: `column` may hold the
   * time of a station whose clock was wrong. Default: `column`.
   */
  readonly receivedColumn?: string;
}

/** A span of time, its end not included. */
export interface Range {
  readonly from: Date;
  readonly to: Date;
}

/** A partition as the database has it. */
export interface Partition {
  readonly name: string;
  /** Undefined for the default partition. */
  readonly range: Range | undefined;
}

/** The span with the given distance from the one that holds `now`. */
export function spanAt(span: "day" | "month", now: Date, distance: number): Range {
  const year = now.getUTCFullYear();
  const month = now.getUTCMonth();
  if (span === "month") {
    return {
      from: new Date(Date.UTC(year, month + distance, 1)),
      to: new Date(Date.UTC(year, month + distance + 1, 1)),
    };
  }
  const day = now.getUTCDate() + distance;
  return { from: new Date(Date.UTC(year, month, day)), to: new Date(Date.UTC(year, month, day + 1)) };
}

/** The least UUID of version 7 that can have been made at a moment, which is within the years 1970 to 10889. */
export function leastUuidV7(at: Date): string {
  const hex = Math.max(at.getTime(), 0).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** Where a partition begins or ends, as a literal: partition bounds take no parameters. */
export function boundAt({ columnType }: PartitionedTable, at: Date): RawBuilder<unknown> {
  return sql.lit(columnType === "uuid-v7" ? leastUuidV7(at) : at.toISOString());
}

function momentOf({ columnType }: PartitionedTable, bound: string): Date {
  if (columnType !== "uuid-v7") return new Date(bound);
  return new Date(Number.parseInt(bound.slice(0, 13).replace("-", ""), 16));
}

const BEGIN_OF_TIME = new Date(-8.64e15);

/** The name of the partition for a span. */
export function partitionName(table: string, range: Range): string {
  return `${table}_p${range.from.toISOString().slice(0, 10).replaceAll("-", "")}`;
}

/** The name of the partition for all that has no other. */
export function defaultName(table: string): string {
  return `${table}_default`;
}

/** The partitions that a table has. */
export async function partitionsOf(database: Kysely<unknown>, plan: PartitionedTable): Promise<readonly Partition[]> {
  const { rows } = await sql<{ name: string; bound: string }>`
    select child.relname as name, pg_get_expr(child.relpartbound, child.oid) as bound
    from pg_inherits join pg_class child on child.oid = inhrelid
    where inhparent = to_regclass(${plan.table})
    order by child.relname`.execute(database);
  return rows.map(({ name, bound }) => {
    const [, from, to] = /FROM \((?:'([^']+)'|MINVALUE)\) TO \('([^']+)'\)/.exec(bound) ?? [];
    if (to === undefined) return { name, range: undefined };
    return { name, range: { from: from === undefined ? BEGIN_OF_TIME : momentOf(plan, from), to: momentOf(plan, to) } };
  });
}

import { type Kysely, type RawBuilder, sql } from "kysely";
import type { PartitionedTable } from "../../database/partitions.ts";
import type { ColumnType, WriteStatement } from "../../database/write-unit.ts";
import { type MeterSample, type MeterValue, samplesFromJson, samplesToJson } from "./meter-sample.ts";

/** Where meter values were measured, and for which transaction. */
export interface MeterValueOrigin {
  readonly stationId: string;
  /** 0 is the meter of the whole station; absent when the station has not told. */
  readonly evseId?: number | undefined;
  readonly connectorId?: number | undefined;
  /** Identity of the transaction in this system. */
  readonly transaction?: string | undefined;
  readonly receivedAt: Date;
}

/** A stored meter value. */
export interface StoredMeterValue extends MeterValue {
  readonly stationId: string;
  readonly evseId: number | undefined;
  readonly connectorId: number | undefined;
  readonly transaction: string | undefined;
  readonly receivedAt: Date;
  /** Tells values of one moment apart. */
  readonly key: string;
}

type Columns = {
  readonly station_id: string;
  readonly sampled_at: Date;
  readonly key: string;
  readonly evse_id: number | null;
  readonly connector_id: number | null;
  readonly transaction_id: string | null;
  readonly samples: readonly MeterSample[];
  readonly received_at: Date;
};

type Tables = { meter_value: Columns };

type Row = Omit<Columns, "samples"> & { readonly samples: string };

const columns = {
  station_id: "text",
  sampled_at: "timestamptz",
  key: "text",
  evse_id: "bigint",
  connector_id: "bigint",
  transaction_id: "uuid",
  samples: "jsonb",
  received_at: "timestamptz",
} as const satisfies { readonly [Column in keyof Columns]: ColumnType };

const names = Object.keys(columns).join(", ");

/** Stores a meter value; a repeat changes nothing. */
export const insertMeterValue: WriteStatement<Row> = {
  name: "meter-value",
  order: 40,
  columns,
  sql: (rows) => `insert into meter_value (${names}) select ${names} from ${rows} on conflict do nothing`,
};

/** How the table is partitioned and how long values are kept, in days; Infinity keeps all. */
export function meterValuePartitions(retentionDays: number): PartitionedTable {
  // Stations deliver what they measured offline days later.
  return {
    table: "meter_value",
    column: "sampled_at",
    span: "day",
    retentionDays,
    behind: 7,
    ahead: 3,
    receivedColumn: "received_at",
  };
}

/** The row that stores one meter value. `key` tells it from others of the same station and moment. */
export function meterValueRow(origin: MeterValueOrigin, value: MeterValue, key: string): Row {
  return {
    station_id: origin.stationId,
    sampled_at: new Date(value.atMs),
    key,
    evse_id: origin.evseId ?? null,
    connector_id: origin.connectorId ?? null,
    transaction_id: origin.transaction ?? null,
    samples: samplesToJson(value.samples),
    received_at: origin.receivedAt,
  };
}

/** Which values to read. Times are in milliseconds since 1970, both inclusive. */
export interface MeterValueFilter {
  readonly stationId: string;
  readonly evseId?: number | undefined;
  readonly transaction?: string | undefined;
  readonly measurand?: string | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

/** Position in a list of values, after which a page begins. */
export interface MeterValuePosition {
  readonly atMs: number;
  readonly key: string;
}

/** Reads values in order of time. */
export async function readMeterValues(
  database: Kysely<unknown>,
  filter: MeterValueFilter,
  page: { readonly limit?: number; readonly after?: MeterValuePosition | undefined } = {},
): Promise<StoredMeterValue[]> {
  let query = database
    .withTables<Tables>()
    .selectFrom("meter_value")
    .selectAll()
    .where(conditions(filter))
    .orderBy("sampled_at")
    .orderBy("key");
  const { after } = page;
  if (after !== undefined) {
    query = query.where(({ eb, refTuple, tuple }) =>
      eb(refTuple("sampled_at", "key"), ">", tuple(new Date(after.atMs), after.key)),
    );
  }
  if (page.limit !== undefined) query = query.limit(page.limit);
  const rows = await query.execute();
  return rows.map((row) => ({
    stationId: row.station_id,
    atMs: row.sampled_at.getTime(),
    key: row.key,
    evseId: row.evse_id ?? undefined,
    connectorId: row.connector_id ?? undefined,
    transaction: row.transaction_id ?? undefined,
    samples: samplesFromJson(row.samples),
    receivedAt: row.received_at,
  }));
}

/** What a filter asks of rows of `meter_value`. */
export function conditions(filter: MeterValueFilter): RawBuilder<boolean> {
  const parts = [sql`station_id = ${filter.stationId}`];
  if (filter.evseId !== undefined) parts.push(sql`evse_id = ${filter.evseId}`);
  if (filter.transaction !== undefined) parts.push(sql`transaction_id = ${filter.transaction}::uuid`);
  if (filter.fromMs !== undefined) parts.push(sql`sampled_at >= ${new Date(filter.fromMs)}`);
  if (filter.toMs !== undefined) parts.push(sql`sampled_at <= ${new Date(filter.toMs)}`);
  if (filter.measurand !== undefined) {
    parts.push(sql`samples @> ${JSON.stringify([{ measurand: filter.measurand }])}::jsonb`);
  }
  return sql<boolean>`${sql.join(parts, sql` and `)}`;
}

import { type Kysely, sql } from "kysely";
import type { WriteStatement } from "../../database/write-unit.ts";

/** What a station showed of one deviation since the write before. */
export interface DeviationRow {
  readonly station_id: string;
  readonly deviation: string;
  readonly occurrences: number;
  readonly first_at: Date;
  readonly last_at: Date;
  readonly example_at: Date | null;
  readonly example_version: string | null;
  readonly example_action: string | null;
  readonly example: string | null;
  /** Names the write: one that is sent again, because nobody knows whether it was stored, must not count twice. */
  readonly batch: string;
}

/** Adds to the counts of stations. */
export const countDeviations: WriteStatement<DeviationRow> = {
  name: "station-deviation-count",
  order: 6,
  columns: {
    station_id: "text",
    deviation: "text",
    occurrences: "bigint",
    first_at: "timestamptz",
    last_at: "timestamptz",
    example_at: "timestamptz",
    example_version: "text",
    example_action: "text",
    example: "text",
    batch: "text",
  },
  sql: (rows) => `
    insert into station_deviation as known
      (station_id, deviation, occurrences, first_at, last_at, example_at, example_version, example_action, example, batch)
    select station_id, deviation, occurrences, first_at, last_at, example_at, example_version, example_action, example, batch
    from ${rows}
    on conflict (station_id, deviation) do update set
      occurrences = known.occurrences + excluded.occurrences,
      first_at = least(known.first_at, excluded.first_at),
      last_at = greatest(known.last_at, excluded.last_at),
      example_at = coalesce(excluded.example_at, known.example_at),
      example_version = coalesce(excluded.example_version, known.example_version),
      example_action = coalesce(excluded.example_action, known.example_action),
      example = coalesce(excluded.example, known.example),
      batch = excluded.batch
    where known.batch <> excluded.batch`,
  key: (row) => `${row.deviation} ${row.station_id}`,
};

/** Removes what a station has shown. */
export const deleteDeviations: WriteStatement<{ readonly station_id: string }> = {
  name: "station-deviation-delete",
  order: 7,
  columns: { station_id: "text" },
  sql: (rows) => `delete from station_deviation where station_id in (select station_id from ${rows})`,
  key: (row) => row.station_id,
};

/** A deviation that a station showed, as it is stored. */
export interface StoredDeviation {
  readonly deviation: string;
  readonly occurrences: number;
  readonly firstAt: Date;
  readonly lastAt: Date;
  readonly exampleAt: Date | null;
  readonly exampleVersion: string | null;
  readonly exampleAction: string | null;
  readonly example: string | null;
}

/** What a station has shown, the latest first. */
export async function readDeviations(
  database: Kysely<unknown>,
  stationId: string,
): Promise<readonly StoredDeviation[]> {
  const { rows } = await sql<StoredDeviation>`
    select deviation, occurrences::float8 as occurrences, first_at as "firstAt", last_at as "lastAt",
      example_at as "exampleAt", example_version as "exampleVersion", example_action as "exampleAction", example
    from station_deviation where station_id = ${stationId} order by last_at desc, deviation`.execute(database);
  return rows;
}

/** How many stations showed a deviation. */
export interface DeviationSum {
  readonly deviation: string;
  readonly stations: number;
  readonly occurrences: number;
  readonly lastAt: Date;
}

/** What all stations have shown, that of most stations first. */
export async function sumDeviations(database: Kysely<unknown>): Promise<readonly DeviationSum[]> {
  const { rows } = await sql<DeviationSum>`
    select deviation, count(*)::int as stations, sum(occurrences)::float8 as occurrences, max(last_at) as "lastAt"
    from station_deviation group by deviation order by stations desc, deviation`.execute(database);
  return rows;
}

/** A station that showed a deviation. */
export interface DeviatingStation {
  readonly stationId: string;
  readonly occurrences: number;
  readonly firstAt: Date;
  readonly lastAt: Date;
}

/** Stations that showed a deviation, by identity from `after` on. */
export async function readDeviatingStations(
  database: Kysely<unknown>,
  deviation: string,
  page: { readonly after: string; readonly limit: number },
): Promise<readonly DeviatingStation[]> {
  const { rows } = await sql<DeviatingStation>`
    select station_id as "stationId", occurrences::float8 as occurrences, first_at as "firstAt", last_at as "lastAt"
    from station_deviation where deviation = ${deviation} and station_id > ${page.after}
    order by station_id limit ${page.limit}`.execute(database);
  return rows;
}

import { type Kysely, type RawBuilder, sql } from "kysely";
import type { PartitionedTable } from "../../database/partitions.ts";

/** Length of the spans whose sums are stored. They begin at whole hours of UTC. */
export const HOUR_MS = 3_600_000;

/** The hour that a moment lies in. */
export function hourOf(moment: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`date_bin(interval '1 hour', ${moment}, timestamptz '1970-01-01Z')`;
}

/** Columns of the sums of one series: `first` and `last` are its time in seconds since 1970 and its value. */
export const SERIES_COLUMNS = sql.raw(
  "measurand, unit, location, phase, count, minimum, maximum, total, first, last, first_at, last_at",
);

/** The stored sums of an hour, in {@link SERIES_COLUMNS}. */
export const SERIES_OF_SAMPLES = sql`
  lateral (
    select *, to_timestamp(first[1]) as first_at, to_timestamp(last[1]) as last_at
    from jsonb_to_recordset(series) as stored (
      measurand text, unit text, location text, phase text, count bigint, minimum double precision,
      maximum double precision, total double precision, first double precision[], last double precision[]
    )
  ) sums`;

/** Sums of the numeric values of each series for each of some groups. `values` has them with `sampled_at` and `samples`. */
export function seriesSums(groups: RawBuilder<unknown>, values: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    (select ${groups}, measurand, unit, coalesce(location, 'Outlet') as location, phase,
      count(*) as count, min(value) as minimum, max(value) as maximum, sum(value) as total,
      -- Half the time of array_agg in the order of time.
      min(array[extract(epoch from sampled_at)::double precision, value]) as first,
      max(array[extract(epoch from sampled_at)::double precision, value]) as last,
      min(sampled_at) as first_at, max(sampled_at) as last_at
    from ${values},
      jsonb_to_recordset(samples) as sample (measurand text, unit text, location text, phase text, value double precision)
    -- Beyond it lies nothing real, and an aggregate that overflows fails as a whole.
    where abs(value) <= 1e15
    group by ${groups}, measurand, unit, coalesce(location, 'Outlet'), phase) sums`;
}

/**
 * How the stored sums are partitioned and how long they are kept, in days. They must go before the values do, so that
 * values of an hour that come after its others were deleted are not taken for those.
 */
export function hourSumPartitions(retentionDays: number): PartitionedTable {
  return { table: "meter_value_hour", column: "hour", span: "day", retentionDays, behind: 7, ahead: 3 };
}

/** Sums up the values of some stations in the hours from `from` up to `before`, and stores that. */
export async function storeHourSums(
  database: Kysely<unknown>,
  stationIds: readonly string[],
  from: Date,
  before: Date,
): Promise<void> {
  await sql`
    with taken as materialized (
      select station_id, ${hourOf(sql`sampled_at`)} as hour, sampled_at, samples from meter_value
      where station_id = any(${stationIds}::text[]) and sampled_at >= ${from} and sampled_at < ${before}
    ), counted as (
      select station_id, hour, count(*)::int as meter_values from taken group by station_id, hour
    ), summed as (
      select station_id, hour, jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'measurand', measurand, 'unit', unit, 'location', location, 'phase', phase, 'count', count,
        'minimum', minimum, 'maximum', maximum, 'total', total, 'first', first, 'last', last))) as series
      from ${seriesSums(sql`station_id, hour`, sql`taken`)}
      group by station_id, hour
    )
    insert into meter_value_hour (station_id, hour, meter_values, series)
    select station_id, hour, meter_values, coalesce(series, '[]')
    from counted left join summed using (station_id, hour)
    order by station_id, hour
    on conflict (station_id, hour) do update set meter_values = excluded.meter_values, series = excluded.series
    `.execute(database);
}

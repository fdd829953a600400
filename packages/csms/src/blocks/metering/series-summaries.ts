import { type Kysely, type RawBuilder, sql } from "kysely";
import { HOUR_MS, hourOf, SERIES_COLUMNS, SERIES_OF_SAMPLES, seriesSums } from "./hour-sums.ts";
import { conditions, type MeterValueFilter } from "./store.ts";

/** What a series of values has in common. */
export interface SeriesKey {
  readonly measurand: string;
  readonly unit: string;
  readonly location: string;
  readonly phase: string | undefined;
}

/** Values of one series within one span of time, or in all. Times are in milliseconds since 1970. */
export interface SeriesSummary extends SeriesKey {
  readonly fromMs: number;
  readonly count: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly mean: number;
  readonly first: number;
  readonly last: number;
  readonly lastAtMs: number;
}

/** Most summaries that one query returns. */
export const MAX_SUMMARIES = 20_000;

type SummaryRow = Omit<SeriesSummary, "fromMs" | "lastAtMs" | "phase"> & {
  readonly bucket_start: Date;
  readonly last_at: Date;
  readonly phase: string | null;
};

/**
 * Summaries of numeric values by series and span, in order of time. `bucketMs` absent: one span for all.
 * Reads at most {@link MAX_SUMMARIES}.
 */
export async function summariseMeterValues(
  database: Kysely<unknown>,
  filter: MeterValueFilter,
  bucketMs?: number,
): Promise<SeriesSummary[]> {
  const isOfStation = filter.evseId === undefined && filter.transaction === undefined;
  const isOfHours = bucketMs === undefined || bucketMs % HOUR_MS === 0;
  const parts = isOfStation && isOfHours ? fromHours(filter, bucketMs) : fromValues(filter, bucketMs);
  const { rows } = await sql<SummaryRow>`
    ${parts}
    select coalesce(bucket, min(first_at)) as bucket_start, measurand, unit, location, phase,
      sum(count)::int as count, min(minimum) as minimum, max(maximum) as maximum, sum(total) / sum(count) as mean,
      (min(first))[2] as first, (max(last))[2] as last, max(last_at) as last_at
    from parts
    ${filter.measurand === undefined ? sql`` : sql`where measurand = ${filter.measurand}`}
    group by bucket, measurand, unit, location, phase
    order by bucket_start, measurand, location, phase nulls first, unit
    limit ${MAX_SUMMARIES}`.execute(database);
  return rows.map(({ bucket_start, last_at, phase, ...row }) => ({
    ...row,
    phase: phase ?? undefined,
    fromMs: bucket_start.getTime(),
    lastAtMs: last_at.getTime(),
  }));
}

function bucketOf(moment: RawBuilder<unknown>, bucketMs: number | undefined): RawBuilder<unknown> {
  if (bucketMs === undefined) return sql`null::timestamptz`;
  return sql`date_bin(make_interval(secs => ${bucketMs / 1000}), ${moment}, timestamptz '1970-01-01Z')`;
}

/** Sums of each span, from the values. */
function fromValues(filter: MeterValueFilter, bucketMs: number | undefined): RawBuilder<unknown> {
  const values = sql`
    (select ${bucketOf(sql`sampled_at`, bucketMs)} as bucket, sampled_at, samples
    from meter_value where ${conditions(filter)}) meter_value`;
  return sql`with parts as (select bucket, ${SERIES_COLUMNS} from ${seriesSums(sql`bucket`, values)})`;
}

/**
 * Sums of each hour: those that were stored where they hold all values that the hour has now and all are asked for, else
 * from the values. Values are never changed, and where some are deleted their hours were deleted before: as many values
 * as were summed up are the same values. Of an hour that the filter cuts all are counted, because as many of its part may
 * be others.
 */
function fromHours(filter: MeterValueFilter, bucketMs: number | undefined): RawBuilder<unknown> {
  const { stationId, fromMs, toMs } = filter;
  const ofHours = [sql`station_id = ${stationId}`];
  const ofWholeHours = [sql`station_id = ${stationId}`];
  if (fromMs !== undefined) {
    const from = new Date(Math.floor(fromMs / HOUR_MS) * HOUR_MS);
    ofHours.push(sql`hour >= ${from}`);
    ofWholeHours.push(sql`sampled_at >= ${from}`);
  }
  if (toMs !== undefined) {
    const before = new Date((Math.floor(toMs / HOUR_MS) + 1) * HOUR_MS);
    ofHours.push(sql`hour < ${before}`);
    ofWholeHours.push(sql`sampled_at < ${before}`);
  }
  const isWanted = conditions({ stationId, fromMs, toMs });
  return sql`
    with counted as materialized (
      select ${hourOf(sql`sampled_at`)} as hour, count(*)::int as meter_values,
        (count(*) filter (where ${isWanted}))::int as wanted
      from meter_value where ${sql.join(ofWholeHours, sql` and `)} group by 1
    ), found as materialized (
      select hour, case when wanted = meter_values then series end as series
      from counted left join (
        select hour, meter_values, series from meter_value_hour where ${sql.join(ofHours, sql` and `)}
      ) stored using (hour, meter_values)
      where wanted > 0
    ), parts as (
      select ${bucketOf(sql`hour`, bucketMs)} as bucket, ${SERIES_COLUMNS}
      from found, ${SERIES_OF_SAMPLES}
      where found.series is not null
      union all
      select ${bucketOf(sql`hour`, bucketMs)}, ${SERIES_COLUMNS}
      from ${seriesSums(
        sql`hour`,
        sql`
        (select hour, sampled_at, samples
        from (select hour from found where series is null offset 0) missing
          join meter_value on sampled_at >= hour and sampled_at < hour + interval '1 hour'
        where ${conditions(filter)}) meter_value`,
      )}
    )`;
}

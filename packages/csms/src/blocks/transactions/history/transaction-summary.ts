import { type Kysely, type RawBuilder, sql } from "kysely";

/** By what transactions are summed up; with neither, all together. */
export interface SummaryGrouping {
  /** Span of time in which they began, by the clock of `timeZone`. */
  readonly span?: "day" | "month" | undefined;
  /** Whether each station has a sum of its own. */
  readonly byStation: boolean;
  /** Where days begin, as the IANA names it. */
  readonly timeZone: string;
}

/** Which transactions are summed up, by their first event. */
export interface SummaryFilter {
  readonly from: Date;
  readonly before: Date;
  readonly stationId?: string | undefined;
}

/** Position in a list of sums, after which a page begins. */
export interface SummaryPosition {
  readonly spanMs: number;
  readonly stationId: string;
}

/** The sum of some transactions. */
export interface TransactionSum {
  /** Begin of the span; that of all without spans. */
  readonly span: Date;
  /** Empty without stations. */
  readonly stationId: string;
  readonly transactions: number;
  /** How many of them still run: their energy is what it is by now. */
  readonly running: number;
  readonly energyWh: number;
  readonly exportedEnergyWh: number;
}

interface SumRow {
  readonly span: Date;
  readonly station_id: string;
  readonly transactions: number;
  readonly running: number;
  readonly imported: number;
  readonly exported: number;
}

/** The clocks of no zone were set back by more since 1995: what has a local date lies so near to its midnights. */
const FOLD_MS = 3 * 3_600_000;
const DAY_MS = 86_400_000;
/** Long enough to hold the rest of a span, and {@link FOLD_MS}. */
const FIRST_WINDOW_MS = { day: 1.25 * DAY_MS, month: 32 * DAY_MS } as const;

/** Sums up transactions, in the order of time and stations. */
export async function sumTransactions(
  database: Kysely<unknown>,
  filter: SummaryFilter,
  grouping: SummaryGrouping,
  page: { readonly limit: number; readonly after?: SummaryPosition | undefined },
): Promise<TransactionSum[]> {
  const { span, byStation } = grouping;
  const after = span === undefined ? undefined : page.after;
  // No transaction of a later span began long before this one.
  const from = new Date(Math.max(filter.from.getTime(), (after?.spanMs ?? Number.NEGATIVE_INFINITY) - FOLD_MS));
  const wanted = { ...filter, from };
  // A page of many stations is full after a few spans: the others are not read for it.
  if (span !== undefined && byStation) {
    let widthMs = FIRST_WINDOW_MS[span];
    for (; from.getTime() + widthMs < filter.before.getTime(); widthMs *= 2) {
      const before = new Date(from.getTime() + widthMs);
      const sums = await readSums(database, { ...wanted, before }, grouping, { ...page, isCut: true });
      if (sums.length >= page.limit) return sums;
    }
  }
  return await readSums(database, wanted, grouping, page);
}

/** As {@link sumTransactions}; `isCut` leaves out the spans that the end of the filter may have cut in two. */
async function readSums(
  database: Kysely<unknown>,
  filter: SummaryFilter,
  { span, byStation, timeZone }: SummaryGrouping,
  page: { readonly limit: number; readonly after?: SummaryPosition | undefined; readonly isCut?: boolean },
): Promise<TransactionSum[]> {
  const { after, isCut } = page;
  const spanOf = (moment: RawBuilder<unknown>) =>
    span === undefined
      ? sql`${filter.from}::timestamptz`
      : sql`date_trunc(${span}::text, ${moment}::timestamptz, ${timeZone}::text)`;
  const stationOf = byStation ? sql`station_id` : sql`''::text`;
  // Stations have few transactions a day each: nothing is won by grouping theirs twice.
  const momentOf = byStation ? spanOf(sql`first_at`) : span === undefined ? sql`null::timestamptz` : MOMENT;
  const isWanted = conditions(filter);
  const isOfPage = [sql`true`];
  if (after !== undefined) {
    isOfPage.push(sql`(span, station_id) > (${new Date(after.spanMs)}::timestamptz, ${after.stationId}::text)`);
  }
  if (isCut === true) isOfPage.push(sql`span < ${spanOf(sql`${new Date(filter.before.getTime() - FOLD_MS)}`)}`);
  // What is over is summed up from an index; what runs has its energy in its progress only.
  const { rows } = await sql<SumRow>`
    select span, station_id, sum(transactions)::int as transactions, sum(running)::int as running,
      coalesce(sum(imported), 0)::double precision as imported, coalesce(sum(exported), 0)::double precision as exported
    from (
      select ${byStation ? sql`moment` : spanOf(sql`moment`)} as span, station_id, transactions, 0 as running,
        imported, exported
      from (
        select ${momentOf} as moment, ${stationOf} as station_id,
          count(*) as transactions, sum(imported_milliwatt_hours) as imported, sum(exported_milliwatt_hours) as exported
        from charging_transaction where status <> 'Open' and ${isWanted}
        -- Without the offset the zone would be asked for again to leave out what is not of the page.
        group by 1, 2 offset 0
      ) ended
      union all
      select ${spanOf(sql`first_at`)}, ${stationOf}, 1, 1,
        (progress::jsonb->'imported'->>'milliWh')::numeric, (progress::jsonb->'exported'->>'milliWh')::numeric
      from charging_transaction where status = 'Open' and ${isWanted}
    ) wanted
    where ${sql.join(isOfPage, sql` and `)}
    group by span, station_id order by span, station_id limit ${page.limit}`.execute(database);
  return rows.map((row) => ({
    span: row.span,
    stationId: row.station_id,
    transactions: row.transactions,
    running: row.running,
    energyWh: row.imported / 1_000,
    exportedEnergyWh: row.exported / 1_000,
  }));
}

/**
 * A moment that stands for all near it that have the same date in every zone. Time zones cost more than all the rest,
 * so they are asked for a few of these instead of for each row. Since 2012 dates change at a quarter of an hour of UTC;
 * before that, offsets had seconds and clocks were set at a minute past midnight.
 */
const MOMENT = sql`
  date_bin(
    case when first_at >= timestamptz '2012-01-01Z' then interval '15 minutes' else interval '1 second' end,
    first_at, timestamptz '2000-01-01Z')`;

function conditions({ from, before, stationId }: SummaryFilter): RawBuilder<boolean> {
  const parts = [sql`first_at >= ${from}`, sql`first_at < ${before}`];
  if (stationId !== undefined) parts.push(sql`station_id = ${stationId}`);
  return sql<boolean>`${sql.join(parts, sql` and `)}`;
}

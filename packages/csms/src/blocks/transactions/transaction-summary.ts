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

/** Sums up transactions, in the order of time and stations. */
export async function sumTransactions(
  database: Kysely<unknown>,
  filter: SummaryFilter,
  grouping: SummaryGrouping,
  page: { readonly limit: number; readonly after?: SummaryPosition | undefined },
): Promise<TransactionSum[]> {
  const { span, byStation, timeZone } = grouping;
  const begin = sql`${filter.from}::timestamptz`;
  const spanOf = span === undefined ? begin : sql`date_trunc(${span}::text, first_at, ${timeZone}::text)`;
  const stationOf = byStation ? sql`station_id` : sql`''::text`;
  const { after } = page;
  const isWanted = conditions(filter, span === undefined ? undefined : after);
  const isAfter =
    after === undefined
      ? sql`true`
      : sql`(span, station_id) > (${new Date(after.spanMs)}::timestamptz, ${after.stationId}::text)`;
  // What is over is summed up from an index; what runs has its energy in its progress only.
  const { rows } = await sql<SumRow>`
    select span, station_id, count(*)::int as transactions, (count(*) filter (where is_open))::int as running,
      coalesce(sum(imported), 0)::double precision as imported, coalesce(sum(exported), 0)::double precision as exported
    from (
      select ${spanOf} as span, ${stationOf} as station_id, false as is_open,
        imported_milliwatt_hours::numeric as imported, exported_milliwatt_hours::numeric as exported
      from charging_transaction where status <> 'Open' and ${isWanted}
      union all
      select ${spanOf}, ${stationOf}, true,
        (progress::jsonb->'imported'->>'milliWh')::numeric, (progress::jsonb->'exported'->>'milliWh')::numeric
      from charging_transaction where status = 'Open' and ${isWanted}
    ) wanted
    where ${isAfter}
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

function conditions(filter: SummaryFilter, after: SummaryPosition | undefined): RawBuilder<boolean> {
  // No transaction of a later span began before this one.
  const from = new Date(Math.max(filter.from.getTime(), after?.spanMs ?? Number.NEGATIVE_INFINITY));
  const parts = [sql`first_at >= ${from}`, sql`first_at < ${filter.before}`];
  if (filter.stationId !== undefined) parts.push(sql`station_id = ${filter.stationId}`);
  return sql<boolean>`${sql.join(parts, sql` and `)}`;
}

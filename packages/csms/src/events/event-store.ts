import { type Kysely, type RawBuilder, sql } from "kysely";
import { IN_GROUP } from "../database/group-scope.ts";
import type { DomainEvent, StoredEvent } from "./domain-event.ts";
import type { EventInsert, StoredQuestion } from "./event-sink.ts";

/** Which events a reader wants; what is absent does not restrict. */
export interface EventFilter {
  readonly types?: ReadonlySet<string> | undefined;
  readonly stationId?: string | undefined;
}

/** Events in ascending order of ids. */
export interface EventBatch {
  readonly events: readonly StoredEvent[];
  /** Every event up to this id has been looked at: go on after it. */
  readonly through: number;
}

/** Where the stored events begin and end. */
export interface EventExtent {
  /** The largest id that was ever stored, 0 before the first. */
  readonly newest: number;
  /** The largest id that retention has deleted: what is not found up to there may have been. */
  readonly deletedThrough: number;
}

/** Restricts a list of events. */
export interface EventListQuery extends EventFilter {
  /** Only events stored at this time or later. */
  readonly since?: Date | undefined;
  /** Only events stored before this time. */
  readonly until?: Date | undefined;
  /** Only events with a smaller id: where the page before ended. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** Any number that no other advisory lock of this system uses. */
const EVENT_ORDER_LOCK = 7_026_001;

const INSERT_SQL = `
with turn as materialized (select pg_advisory_xact_lock(${EVENT_ORDER_LOCK}))
insert into event (type, station_id, "timestamp", data)
select fresh.type, fresh.station_id, fresh."timestamp", fresh.data
from turn, unnest($1::text[], $2::text[], $3::timestamptz[], $4::jsonb[])
  with ordinality as fresh (type, station_id, "timestamp", data, position)
where ${IN_GROUP}
order by fresh.position
returning id`;

/** The statement that stores events and draws their ids in the order of commits. */
export function insertEvents(events: readonly DomainEvent[]): EventInsert {
  return {
    name: "insert-events",
    text: INSERT_SQL,
    values: [
      events.map((event) => event.type),
      events.map((event) => event.stationId),
      events.map((event) => toTimestamp(event.timestamp)),
      events.map((event) => toJsonb(event.data)),
    ],
  };
}

/** The question whether events with these ids are stored, and by this transaction. */
export function eventsStoredBy(ids: readonly number[], transactionId: string): StoredQuestion {
  return {
    text: `select count(*) = cardinality($1::bigint[]) as stored from event
           where id = any($1::bigint[]) and xmin = $2::text::xid8::xid`,
    values: [[...ids], transactionId],
  };
}

const FIRST_TIME = new Date("0001-01-01T00:00:00Z").getTime();
const LAST_TIME = new Date("9999-12-31T23:59:59Z").getTime();

/** A station's clock may say anything; PostgreSQL knows no year 0, and a year of five digits would be misread. */
function toTimestamp(time: Date): string {
  return new Date(Math.min(Math.max(time.getTime(), FIRST_TIME), LAST_TIME)).toISOString();
}

/** JSON text that `jsonb` takes: stations send NUL and halves of surrogate pairs, which it refuses. */
function toJsonb(value: unknown): string {
  const text = JSON.stringify(value);
  if (!/\\u(?:0000|d[89a-f])/.test(text)) return text;
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "string" ? part.replace(/\0|\p{Surrogate}/gu, "\ufffd") : part,
  );
}

/** Reads and prunes the event table. */
export class EventStore {
  readonly #database: Kysely<unknown>;

  constructor(database: Kysely<unknown>) {
    this.#database = database;
  }

  /** Where the events begin and end. */
  async extent(): Promise<EventExtent> {
    const { rows } = await sql<{ newest: string; deleted_through: string }>`
      select greatest((select max(id) from event), deleted_through) as newest, deleted_through
      from event_retention`.execute(this.#database);
    return { newest: Number(rows[0]?.newest ?? 0), deletedThrough: Number(rows[0]?.deleted_through ?? 0) };
  }

  /** Events after an id, oldest first. One snapshot decides both what is found and how far was looked. */
  async after(cursor: number, filter: EventFilter, limit: number): Promise<EventBatch> {
    const { rows } = await sql<EventRow & { through: string }>`
      select newest.id as through, page.*
      from (select coalesce(max(id), 0) as id from event) as newest
      left join lateral (
        select id, type, station_id, "timestamp", data from event
        where id > ${cursor} and id <= newest.id and ${conditionsOf(filter)}
        order by id limit ${limit}
      ) as page on true
      order by page.id`.execute(this.#database);
    const events = rows.filter((row) => row.id !== null).map(toStoredEvent);
    const last = events.at(-1);
    const through = events.length === limit && last !== undefined ? last.id : Number(rows[0]?.through ?? 0);
    return { events, through: Math.max(cursor, through) };
  }

  /** Events newest first. */
  async list(query: EventListQuery): Promise<StoredEvent[]> {
    const { rows } = await sql<EventRow>`
      select id, type, station_id, "timestamp", data from event
      where ${conditionsOf(query)}
        and ${query.before === undefined ? sql`true` : sql`id < ${query.before}`}
        and ${query.since === undefined ? sql`true` : sql`stored_at >= ${query.since}`}
        and ${query.until === undefined ? sql`true` : sql`stored_at < ${query.until}`}
      order by id desc limit ${query.limit}`.execute(this.#database);
    return rows.map(toStoredEvent);
  }

  /** The id after which all events stored at this time or later come. */
  async idBefore(since: Date): Promise<number> {
    const { rows } = await sql<{ id: string | null; newest: string }>`
      select (select min(id) from event where stored_at >= ${since}) as id, (select coalesce(max(id), 0) from event) as newest
    `.execute(this.#database);
    const row = rows[0];
    return row?.id === null || row === undefined ? Number(row?.newest ?? 0) : Number(row.id) - 1;
  }

  /** Which of these ids are stored, once the transaction that would store them is over, whichever way. */
  async storedOf(ids: readonly number[]): Promise<ReadonlySet<number>> {
    return this.#database.transaction().execute(async (transaction) => {
      // Held by the transaction in question until it ends; the next statement sees what it left.
      await sql`select pg_advisory_xact_lock(${sql.lit(EVENT_ORDER_LOCK)})`.execute(transaction);
      const { rows } = await sql<{ id: string }>`
        select id from event where id = any(${ids}::bigint[])`.execute(transaction);
      return new Set(rows.map((row) => Number(row.id)));
    });
  }

  /**
   * Deletes the oldest events that were stored before a time, at most `limit` of them.
   *
   * @returns how many were deleted
   */
  async deleteBefore(time: Date, limit: number): Promise<number> {
    const { rows } = await sql<{ count: string }>`
      with deleted as (
        delete from event where id in (
          select id from event where stored_at < ${time} order by id limit ${limit}
        ) returning id
      ), noted as (
        update event_retention set deleted_through = greatest(deleted_through, (select max(id) from deleted))
        where exists (select from deleted)
      )
      select count(*) as count from deleted`.execute(this.#database);
    return Number(rows[0]?.count ?? 0);
  }

  /** When the last event was stored, by the database's clock; undefined when there is none. */
  async lastStoredAt(): Promise<Date | undefined> {
    const { rows } = await sql<{ at: Date }>`
      select stored_at as at from event order by id desc limit 1`.execute(this.#database);
    return rows[0]?.at;
  }
}

interface EventRow {
  readonly id: string;
  readonly type: string;
  readonly station_id: string;
  readonly timestamp: Date;
  readonly data: unknown;
}

function conditionsOf({ types, stationId }: EventFilter): RawBuilder<unknown> {
  const byType = types === undefined ? sql`true` : sql`type = any(${[...types]}::text[])`;
  const byStation = stationId === undefined ? sql`true` : sql`station_id = ${stationId}`;
  return sql`${byType} and ${byStation}`;
}

/** What is in the table was a domain event when it was written; its shape is not checked again. */
function toStoredEvent(row: EventRow): StoredEvent {
  const event = { type: row.type, stationId: row.station_id, timestamp: new Date(row.timestamp), data: row.data };
  return { id: Number(row.id), event: event as DomainEvent };
}

import { type Kysely, type Migration, sql } from "kysely";

/** Tables of the domain events. */
export const migrations: Readonly<Record<string, Migration>> = {
  "0001-events": {
    async up(database: Kysely<unknown>): Promise<void> {
      await sql`
        create table event (
          id bigint generated always as identity primary key,
          type text not null,
          station_id text not null,
          "timestamp" timestamptz not null,
          stored_at timestamptz not null default now(),
          data jsonb not null
        )`.execute(database);
      await sql`create index event_station on event (station_id, id)`.execute(database);
      await sql`create index event_stored_at on event using brin (stored_at)`.execute(database);
      await sql`
        create table event_retention (
          is_only boolean primary key default true check (is_only),
          deleted_through bigint not null
        )`.execute(database);
      await sql`insert into event_retention (deleted_through) values (0)`.execute(database);
    },
  },
  "0006-event-types": {
    async up(database: Kysely<unknown>): Promise<void> {
      // A rare type would be looked for in all events otherwise.
      await sql`create index event_type on event (type, id)`.execute(database);
    },
  },
};

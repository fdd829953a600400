import { type Kysely, type Migration, sql } from "kysely";

/** Tables of webhooks. */
export const migrations: Readonly<Record<string, Migration>> = {
  "0002-webhooks": {
    async up(database: Kysely<unknown>): Promise<void> {
      await sql`
        create table webhook (
          id uuid primary key,
          url text not null,
          description text not null,
          types text[] not null,
          station_id text,
          enabled boolean not null,
          disabled_reason text,
          secret text not null,
          created_at timestamptz not null,
          created_by text not null,
          cursor bigint not null,
          failed_attempts integer not null default 0,
          failing_since timestamptz,
          next_attempt_at timestamptz
        )`.execute(database);
      await sql`
        create table webhook_attempt (
          id bigint generated always as identity primary key,
          webhook_id uuid not null references webhook (id) on delete cascade,
          event_id bigint not null,
          attempt integer not null,
          at timestamptz not null,
          duration_ms integer not null,
          status integer,
          error text
        )`.execute(database);
      await sql`create index webhook_attempt_webhook on webhook_attempt (webhook_id, id)`.execute(database);
    },
  },
};

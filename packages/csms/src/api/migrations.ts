import { type Kysely, type Migration, sql } from "kysely";

/** Tables of API keys and of the audit log. */
export const migrations: Readonly<Record<string, Migration>> = {
  "0002-api-keys": {
    async up(database: Kysely<unknown>): Promise<void> {
      await sql`
        create table api_key (
          id uuid primary key,
          name text not null,
          role text not null check (role in ('viewer', 'operator', 'administrator')),
          token_hash bytea not null unique,
          created_at timestamptz not null,
          created_by text not null,
          expires_at timestamptz,
          last_used_at timestamptz
        )`.execute(database);
    },
  },
  "0002-audit": {
    async up(database: Kysely<unknown>): Promise<void> {
      await sql`
        create table audit_record (
          sequence bigint primary key,
          at timestamptz(3) not null,
          actor text not null,
          key_id text,
          role text not null,
          action text not null,
          target text not null,
          status integer not null,
          request_id text not null,
          remote_address text not null,
          detail text not null,
          previous_hash bytea not null,
          hash bytea not null
        )`.execute(database);
      await sql`create index audit_record_actor on audit_record (actor, sequence)`.execute(database);
    },
  },
};

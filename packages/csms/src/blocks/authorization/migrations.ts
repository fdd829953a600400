import { type Kysely, type Migration, sql } from "kysely";

/** Tables of authorization: tokens, and the remote starts whose tokens are good at one station. */
export const migrations: Record<string, Migration> = {
  "0020-authorization": {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`
        create table id_token (
          key text primary key,
          id_token text not null,
          type text,
          status text not null,
          group_id_token text,
          expires_at timestamptz,
          max_concurrent_transactions integer,
          allowed_stations jsonb,
          allowed_sites jsonb,
          language1 text,
          language2 text,
          personal_message jsonb,
          charging_priority integer,
          note text,
          created_at timestamptz not null,
          updated_at timestamptz not null
        )`.execute(db);
      await sql`comment on column id_token.key is 'id_token in lower case: identifiers have no case'`.execute(db);
      await sql`create index id_token_group on id_token (lower(group_id_token)) where group_id_token is not null`.execute(
        db,
      );
      await sql`
        create table remote_start (
          station_id text not null,
          remote_start_id bigint not null,
          id_token text not null,
          evse_id bigint,
          requested_at timestamptz not null,
          primary key (station_id, remote_start_id)
        )`.execute(db);
    },
  },
};

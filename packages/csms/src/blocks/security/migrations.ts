import { type Kysely, type Migration, sql } from "kysely";

/** Tables of the security block: credentials of stations, and what they report. */
export const migrations: Record<string, Migration> = {
  "0005-security": {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`
        create table station_credentials (
          station_id text primary key,
          password_hash text,
          previous_password_hash text,
          certificate_common_name text,
          changed_at timestamptz not null
        )`.execute(db);
      await sql`comment on column station_credentials.previous_password_hash is
        'taken until the new password, which the station was told over OCPP, has been used'`.execute(db);
      await sql`
        create table security_event (
          station_id text not null,
          type text not null,
          occurred_at timestamptz not null,
          tech_info text not null,
          received_at timestamptz not null,
          primary key (station_id, occurred_at, type, tech_info)
        )`.execute(db);
      await sql`create index security_event_by_time on security_event (received_at, station_id, type)`.execute(db);
    },
  },
};

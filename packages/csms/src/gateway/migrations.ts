import { type Kysely, type Migration, sql } from "kysely";

/** Tables of the gateway: presence, the message log, what is tolerated, and which deviations stations showed. */
export const migrations: Record<string, Migration> = {
  "0003-gateway": {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`
        create table station_presence (
          station_id text primary key,
          connected boolean not null,
          version text not null,
          transport text not null,
          remote_address text not null,
          soap_address text,
          connected_at timestamptz not null,
          last_seen_at timestamptz not null
        )`.execute(db);
      await sql`create sequence station_message_id`.execute(db);
      // A sequence of its own instead of an identity column, which partitions cannot be attached with.
      await sql`
        create table station_message (
          id bigint not null default nextval('station_message_id'),
          recorded_at timestamptz not null,
          station_id text not null,
          version text not null,
          transport text not null,
          direction text not null,
          kind text not null,
          action text not null,
          message_id text not null,
          error_code text,
          text text not null
        ) partition by range (recorded_at)`.execute(db);
      await sql`create index station_message_of_station on station_message (station_id, id)`.execute(db);
      await sql`
        create table station_tolerance (
          station_id text not null,
          rule text not null,
          enabled boolean not null,
          primary key (station_id, rule)
        )`.execute(db);
    },
  },
  "0060-gateway-deviations": {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`
        create table model_tolerance (
          vendor_name text not null,
          model text not null,
          rule text not null,
          enabled boolean not null
        )`.execute(db);
      await sql`
        create unique index model_tolerance_key on model_tolerance (lower(vendor_name), lower(model), rule)`.execute(
        db,
      );
      await sql`
        create table station_deviation (
          station_id text not null,
          deviation text not null,
          occurrences bigint not null,
          first_at timestamptz not null,
          last_at timestamptz not null,
          example_at timestamptz,
          example_version text,
          example_action text,
          example text,
          batch text not null,
          primary key (station_id, deviation)
        )`.execute(db);
      await sql`create index station_deviation_name on station_deviation (deviation, station_id)`.execute(db);
    },
  },
  "0004-message-log-answers": {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`
        alter table station_message
          add column answered_at timestamptz,
          add column answer_kind text,
          add column answer_error_code text,
          add column answer_text text`.execute(db);
      await sql`
        comment on table station_message is 'one message a row; a CALL that was answered soon also holds its answer'
        `.execute(db);
    },
  },
};

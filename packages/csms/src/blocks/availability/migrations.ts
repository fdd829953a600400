import { type Kysely, type Migration, sql } from "kysely";

/** Tables of availability: the state of each connector and its last changes. */
export const migrations: Record<string, Migration> = {
  "0050-availability-connectors": {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`
        create table connector (
          station_id text not null,
          evse_id integer not null,
          connector_id integer not null,
          status text not null,
          detail text,
          error_code text,
          info text,
          vendor_id text,
          vendor_error_code text,
          since timestamptz not null,
          received_at timestamptz not null,
          changes bigint not null,
          primary key (station_id, evse_id, connector_id)
        )`.execute(db);
      await sql`comment on column connector.evse_id is '0 with connector 0: the station itself'`.execute(db);
      await sql`
        create table connector_status_change (
          station_id text not null,
          evse_id integer not null,
          connector_id integer not null,
          slot integer not null,
          change bigint not null,
          status text not null,
          detail text,
          error_code text,
          info text,
          vendor_id text,
          vendor_error_code text,
          since timestamptz not null,
          received_at timestamptz not null,
          primary key (station_id, evse_id, connector_id, slot)
        )`.execute(db);
      await sql`
        comment on column connector_status_change.slot is
          'change modulo the number of changes kept, so that a new one takes the place of the oldest'`.execute(db);
    },
  },
};

import { type Kysely, type Migration, sql } from "kysely";

/** Tables of metering: meter values, partitioned by the station's time, and sums of their hours. */
export const migrations: Record<string, Migration> = {
  "0040-meter-values": {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`
        create table meter_value (
          station_id text not null,
          sampled_at timestamptz not null,
          key text not null,
          evse_id bigint,
          connector_id bigint,
          transaction_id uuid,
          samples jsonb not null,
          received_at timestamptz not null,
          primary key (station_id, sampled_at, key)
        ) partition by range (sampled_at)`.execute(db);
      await sql`comment on column meter_value.key is 'tells values of one moment apart; a repeat has the same'`.execute(
        db,
      );
      await sql`comment on column meter_value.evse_id is '0: the meter of the whole station'`.execute(db);
      await sql`create table meter_value_default partition of meter_value default`.execute(db);
    },
  },
  "0041-meter-value-hours": {
    async up(db: Kysely<unknown>): Promise<void> {
      // Values of a station lie far apart on the disk; those of a week are some thousand pages.
      await sql`
        create table meter_value_hour (
          station_id text not null,
          hour timestamptz not null,
          meter_values integer not null,
          series jsonb not null,
          primary key (station_id, hour)
        ) partition by range (hour)`.execute(db);
      await sql`comment on column meter_value_hour.meter_values is
        'how many were summed up: the sums hold for as long as the hour has as many'`.execute(db);
      await sql`create table meter_value_hour_default partition of meter_value_hour default`.execute(db);
    },
  },
};

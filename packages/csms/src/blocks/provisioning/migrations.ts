import { type Kysely, type Migration, sql } from "kysely";

/** Tables of provisioning: stations and their variables. */
export const migrations: Record<string, Migration> = {
  "0010-provisioning-stations": {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`
        create table station (
          station_id text primary key,
          registration_status text not null check (registration_status in ('Accepted', 'Pending', 'Rejected')),
          security_profile integer not null check (security_profile between 0 and 3),
          configured_version text,
          site text,
          tags jsonb not null,
          notes text,
          version text,
          vendor_name text,
          model text,
          serial_number text,
          firmware_version text,
          iccid text,
          imsi text,
          meter_type text,
          meter_serial_number text,
          last_boot_at timestamptz,
          last_boot_reason text,
          inventory_status text not null,
          inventory_at timestamptz,
          created_at timestamptz not null
        )`.execute(db);
    },
  },
  "0011-provisioning-variables": {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`
        create table variable (
          station_id text not null,
          component text collate "C" not null,
          component_instance text collate "C" not null,
          evse_id integer not null,
          connector_id integer not null,
          variable text collate "C" not null,
          variable_instance text collate "C" not null,
          attribute text collate "C" not null check (attribute in ('Actual', 'Target', 'MinSet', 'MaxSet')),
          value text,
          mutability text,
          persistent boolean,
          constant boolean,
          data_type text,
          unit text,
          min_limit double precision,
          max_limit double precision,
          max_elements integer,
          values_list text,
          supports_monitoring boolean,
          reported_at timestamptz not null,
          primary key (
            station_id, component, component_instance, evse_id, connector_id, variable, variable_instance, attribute
          )
        )`.execute(db);
      await sql`comment on column variable.evse_id is '0 where the component belongs to no EVSE'`.execute(db);
      await sql`comment on column variable.connector_id is '0 where the component belongs to no connector'`.execute(db);
    },
  },
};

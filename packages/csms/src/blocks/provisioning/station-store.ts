import type { OcppVersion } from "@polyphase/ocpp";
import type { Kysely } from "kysely";
import type { WriteStatement } from "../../database/write-unit.ts";
import type { RegistrationStatus, SecurityProfile } from "../../gateway/known-stations.ts";
import type { BootFacts, InventoryStatus, Station, StationSettings } from "./station.ts";

type StationTable = {
  readonly station_id: string;
  readonly registration_status: RegistrationStatus;
  readonly security_profile: SecurityProfile;
  readonly configured_version: OcppVersion | null;
  readonly site: string | null;
  readonly tags: readonly string[];
  readonly notes: string | null;
  readonly version: OcppVersion | null;
  readonly vendor_name: string | null;
  readonly model: string | null;
  readonly serial_number: string | null;
  readonly firmware_version: string | null;
  readonly iccid: string | null;
  readonly imsi: string | null;
  readonly meter_type: string | null;
  readonly meter_serial_number: string | null;
  readonly last_boot_at: Date | null;
  readonly last_boot_reason: string | null;
  readonly inventory_status: InventoryStatus;
  readonly inventory_at: Date | null;
  readonly created_at: Date;
};

type Tables = { station: StationTable };

const settingsColumns = {
  station_id: "text",
  registration_status: "text",
  security_profile: "integer",
  configured_version: "text",
  site: "text",
  tags: "jsonb",
  notes: "text",
} as const;

type SettingsRow = { readonly [Column in keyof typeof settingsColumns]: unknown };

/** The settings of a station as a row. */
export function settingsRow(stationId: string, settings: StationSettings): SettingsRow {
  return {
    station_id: stationId,
    registration_status: settings.registrationStatus,
    security_profile: settings.securityProfile,
    configured_version: settings.configuredVersion ?? null,
    site: settings.site ?? null,
    tags: JSON.stringify(settings.tags),
    notes: settings.notes ?? null,
  };
}

/** Adds a station; one that is there already stays as it is. */
export const insertStation: WriteStatement<SettingsRow & { readonly created_at: string }> = {
  name: "station-insert",
  order: 1,
  columns: { ...settingsColumns, created_at: "timestamptz" },
  sql: (rows) => `
    insert into station (
      station_id, registration_status, security_profile, configured_version, site, tags, notes, created_at,
      inventory_status
    )
    select
      station_id, registration_status, security_profile, configured_version, site, tags, notes, created_at, 'None'
    from ${rows}
    on conflict (station_id) do nothing`,
  key: (row) => String(row.station_id),
};

/** Stores what an operator decided. */
export const updateSettings: WriteStatement<SettingsRow> = {
  name: "station-settings",
  order: 2,
  columns: settingsColumns,
  sql: (rows) => `
    update station set
      registration_status = r.registration_status, security_profile = r.security_profile,
      configured_version = r.configured_version, site = r.site, tags = r.tags, notes = r.notes
    from (select * from ${rows}) as r
    where station.station_id = r.station_id`,
  key: (row) => String(row.station_id),
};

const bootColumns = {
  station_id: "text",
  version: "text",
  vendor_name: "text",
  model: "text",
  serial_number: "text",
  firmware_version: "text",
  iccid: "text",
  imsi: "text",
  meter_type: "text",
  meter_serial_number: "text",
  last_boot_at: "timestamptz",
  last_boot_reason: "text",
} as const;

type BootRow = { readonly [Column in keyof typeof bootColumns]: unknown };

/** A boot as a row. */
export function bootRow(stationId: string, version: OcppVersion, facts: BootFacts, at: Date, reason: string): BootRow {
  return {
    station_id: stationId,
    version,
    vendor_name: facts.vendorName,
    model: facts.model,
    serial_number: facts.serialNumber ?? null,
    firmware_version: facts.firmwareVersion ?? null,
    iccid: facts.iccid ?? null,
    imsi: facts.imsi ?? null,
    meter_type: facts.meterType ?? null,
    meter_serial_number: facts.meterSerialNumber ?? null,
    last_boot_at: at.toISOString(),
    last_boot_reason: reason,
  };
}

/** Stores what a station told when it booted. */
export const updateBoot: WriteStatement<BootRow> = {
  name: "station-boot",
  order: 2,
  columns: bootColumns,
  sql: (rows) => `
    update station set
      version = r.version, vendor_name = r.vendor_name, model = r.model, serial_number = r.serial_number,
      firmware_version = r.firmware_version, iccid = r.iccid, imsi = r.imsi, meter_type = r.meter_type,
      meter_serial_number = r.meter_serial_number, last_boot_at = r.last_boot_at,
      last_boot_reason = r.last_boot_reason
    from (select * from ${rows}) as r
    where station.station_id = r.station_id`,
  key: (row) => String(row.station_id),
};

/** Stores how far the station's variables are known. */
export const updateInventory: WriteStatement<{
  readonly station_id: string;
  readonly inventory_status: InventoryStatus;
  readonly inventory_at: string;
}> = {
  name: "station-inventory",
  order: 2,
  columns: { station_id: "text", inventory_status: "text", inventory_at: "timestamptz" },
  sql: (rows) => `
    update station set inventory_status = r.inventory_status, inventory_at = r.inventory_at
    from (select * from ${rows}) as r
    where station.station_id = r.station_id`,
  key: (row) => row.station_id,
};

/** Removes a station. */
export const deleteStation: WriteStatement<{ readonly station_id: string }> = {
  name: "station-delete",
  order: 90,
  columns: { station_id: "text" },
  sql: (rows) => `delete from station where station_id in (select station_id from ${rows})`,
  key: (row) => row.station_id,
};

/** Reads all stations. */
export async function readStations(database: Kysely<unknown>): Promise<Station[]> {
  const rows = await database.withTables<Tables>().selectFrom("station").selectAll().execute();
  return rows.map(toStation);
}

function toStation(row: StationTable): Station {
  return {
    stationId: row.station_id,
    registrationStatus: row.registration_status,
    securityProfile: row.security_profile,
    configuredVersion: row.configured_version ?? undefined,
    site: row.site ?? undefined,
    tags: row.tags,
    notes: row.notes ?? undefined,
    version: row.version ?? undefined,
    vendorName: row.vendor_name ?? undefined,
    model: row.model ?? undefined,
    serialNumber: row.serial_number ?? undefined,
    firmwareVersion: row.firmware_version ?? undefined,
    iccid: row.iccid ?? undefined,
    imsi: row.imsi ?? undefined,
    meterType: row.meter_type ?? undefined,
    meterSerialNumber: row.meter_serial_number ?? undefined,
    lastBootAt: row.last_boot_at ?? undefined,
    lastBootReason: row.last_boot_reason ?? undefined,
    // A fetch that was under way when the process ended goes on at the next boot.
    inventoryStatus: row.inventory_status === "Requested" ? "Incomplete" : row.inventory_status,
    inventoryAt: row.inventory_at ?? undefined,
    createdAt: row.created_at,
  };
}

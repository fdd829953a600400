import { type Kysely, sql } from "kysely";
import type { WriteStatement } from "../database/write-unit.ts";

/** Removes the presence of a station. */
export const deletePresence: WriteStatement<{ readonly station_id: string }> = {
  name: "station-presence-delete",
  order: 6,
  columns: { station_id: "text" },
  sql: (rows) => `delete from station_presence where station_id in (select station_id from ${rows})`,
  key: (row) => row.station_id,
};

/** An OCPP-S station that can be called although it has not sent anything since the start. */
export interface RememberedAddress {
  readonly stationId: string;
  readonly version: string;
  readonly address: string;
  readonly connected: boolean;
}

/** Sockets do not outlive the process: whoever was connected when it ended is not any more. */
export async function forgetConnections(database: Kysely<unknown>): Promise<void> {
  await sql`update station_presence set connected = false where connected and transport = 'OCPP-J'`.execute(database);
}

/** The addresses at which OCPP-S stations listen, as they gave them last. */
export async function rememberedAddresses(database: Kysely<unknown>): Promise<readonly RememberedAddress[]> {
  const { rows } = await sql<RememberedAddress>`
    select station_id as "stationId", version, soap_address as address, connected
    from station_presence where soap_address is not null and transport = 'OCPP-S'`.execute(database);
  return rows;
}

/** When stations were last heard of, for those of which it is known. */
export async function readLastSeen(
  database: Kysely<unknown>,
  stationIds: readonly string[],
): Promise<ReadonlyMap<string, Date>> {
  if (stationIds.length === 0) return new Map();
  const { rows } = await sql<{ stationId: string; lastSeenAt: Date }>`
    select station_id as "stationId", last_seen_at as "lastSeenAt"
    from station_presence where station_id = any(${stationIds})`.execute(database);
  return new Map(rows.map(({ stationId, lastSeenAt }) => [stationId, lastSeenAt]));
}

/** The addresses from which stations came last, for those of which it is known. */
export async function readAddresses(database: Kysely<unknown>): Promise<ReadonlyMap<string, string>> {
  const { rows } = await sql<{ stationId: string; address: string }>`
    select station_id as "stationId", remote_address as address from station_presence`.execute(database);
  return new Map(rows.map(({ stationId, address }) => [stationId, address]));
}

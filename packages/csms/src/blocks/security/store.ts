import { type Kysely, type SqlBool, sql } from "kysely";
import type { WriteStatement } from "../../database/write-unit.ts";

/** One row of `station_credentials`. */
export interface CredentialsRow {
  readonly station_id: string;
  readonly password_hash: string | null;
  readonly previous_password_hash: string | null;
  readonly certificate_common_name: string | null;
  readonly changed_at: Date;
}

/** Writes the credentials of a station. */
export const upsertCredentials: WriteStatement<CredentialsRow> = {
  name: "station-credentials-upsert",
  order: 10,
  columns: {
    station_id: "text",
    password_hash: "text",
    previous_password_hash: "text",
    certificate_common_name: "text",
    changed_at: "timestamptz",
  },
  sql: (rows) => `
    insert into station_credentials
      (station_id, password_hash, previous_password_hash, certificate_common_name, changed_at)
    select station_id, password_hash, previous_password_hash, certificate_common_name, changed_at from ${rows}
    on conflict (station_id) do update set
      password_hash = excluded.password_hash, previous_password_hash = excluded.previous_password_hash,
      certificate_common_name = excluded.certificate_common_name, changed_at = excluded.changed_at`,
  key: (row) => row.station_id,
};

/** Removes the credentials of a station. */
export const deleteCredentials: WriteStatement<{ readonly station_id: string }> = {
  name: "station-credentials-delete",
  order: 10,
  columns: { station_id: "text" },
  sql: (rows) => `delete from station_credentials where station_id in (select station_id from ${rows})`,
  key: (row) => row.station_id,
};

/** Reads the credentials of all stations. */
export async function readCredentials(database: Kysely<unknown>): Promise<readonly CredentialsRow[]> {
  const { rows } = await sql<CredentialsRow>`select * from station_credentials`.execute(database);
  return rows;
}

/** One row of `security_event`. */
export interface SecurityEventRow {
  readonly station_id: string;
  readonly type: string;
  readonly occurred_at: Date;
  /** Empty where the station told nothing. */
  readonly tech_info: string;
  readonly received_at: Date;
}

/** Stores a security event; one that is repeated changes nothing. */
export const insertSecurityEvent: WriteStatement<SecurityEventRow> = {
  name: "security-event-insert",
  order: 40,
  columns: {
    station_id: "text",
    type: "text",
    occurred_at: "timestamptz",
    tech_info: "text",
    received_at: "timestamptz",
  },
  sql: (rows) => `
    insert into security_event (station_id, type, occurred_at, tech_info, received_at)
    select station_id, type, occurred_at, tech_info, received_at from ${rows}
    on conflict do nothing`,
};

/** Which security events are wanted. */
export interface SecurityEventFilter {
  readonly stationId?: string | undefined;
  readonly type?: string | undefined;
  /** Only those after this position in the order of {@link readSecurityEvents}. */
  readonly after?: readonly [receivedAt: string, stationId: string, type: string] | undefined;
  readonly limit: number;
}

/** Security events, the last received first. */
export async function readSecurityEvents(
  database: Kysely<unknown>,
  { stationId, type, after, limit }: SecurityEventFilter,
): Promise<readonly SecurityEventRow[]> {
  const conditions = [sql<SqlBool>`true`];
  if (stationId !== undefined) conditions.push(sql`station_id = ${stationId}`);
  if (type !== undefined) conditions.push(sql`type = ${type}`);
  if (after !== undefined) {
    const [receivedAt, lastStation, lastType] = after;
    conditions.push(sql`(received_at, station_id, type) < (${receivedAt}::timestamptz, ${lastStation}, ${lastType})`);
  }
  const { rows } = await sql<SecurityEventRow>`
    select * from security_event where ${sql.join(conditions, sql` and `)}
    order by received_at desc, station_id desc, type desc limit ${limit}`.execute(database);
  return rows;
}

/** Removes security events that were received before a time. */
export async function deleteSecurityEventsBefore(database: Kysely<unknown>, before: Date): Promise<void> {
  await sql`delete from security_event where received_at < ${before}`.execute(database);
}

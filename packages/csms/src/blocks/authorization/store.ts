import { type Kysely, sql } from "kysely";
import type { ColumnType, WriteStatement } from "../../database/write-unit.ts";
import { type AllowedStation, type AuthorizationStatus, type IdToken, keyOf } from "./id-token.ts";
import type { RemoteStart } from "./remote-starts.ts";

type TokenColumns = {
  readonly key: string;
  readonly id_token: string;
  readonly type: string | null;
  readonly status: AuthorizationStatus;
  readonly group_id_token: string | null;
  readonly expires_at: Date | null;
  readonly max_concurrent_transactions: number | null;
  readonly allowed_stations: readonly AllowedStation[] | null;
  readonly allowed_sites: readonly string[] | null;
  readonly language1: string | null;
  readonly language2: string | null;
  readonly personal_message: NonNullable<IdToken["personalMessage"]> | null;
  readonly charging_priority: number | null;
  readonly note: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
};

type RemoteStartColumns = {
  readonly station_id: string;
  readonly remote_start_id: number;
  readonly id_token: string;
  readonly evse_id: number | null;
  readonly requested_at: Date;
};

type Tables = { id_token: TokenColumns; remote_start: RemoteStartColumns };

type TokenRow = {
  readonly [Column in keyof TokenColumns]: TokenColumns[Column] extends string | number | Date | null
    ? TokenColumns[Column]
    : string | null;
};

const tokenColumns = {
  key: "text",
  id_token: "text",
  type: "text",
  status: "text",
  group_id_token: "text",
  expires_at: "timestamptz",
  max_concurrent_transactions: "integer",
  allowed_stations: "jsonb",
  allowed_sites: "jsonb",
  language1: "text",
  language2: "text",
  personal_message: "jsonb",
  charging_priority: "integer",
  note: "text",
  created_at: "timestamptz",
  updated_at: "timestamptz",
} as const satisfies { readonly [Column in keyof TokenColumns]: ColumnType };

const names = Object.keys(tokenColumns).join(", ");

/** Stores a token. */
export const saveToken: WriteStatement<TokenRow> = {
  name: "id-token-save",
  order: 20,
  columns: tokenColumns,
  sql: (rows) => `
    insert into id_token (${names}) select ${names} from ${rows}
    on conflict (key) do update set ${Object.keys(tokenColumns)
      .filter((column) => column !== "key" && column !== "created_at")
      .map((column) => `${column} = excluded.${column}`)
      .join(", ")}`,
  key: (row) => row.key,
};

/** Removes a token. */
export const deleteToken: WriteStatement<{ readonly key: string }> = {
  name: "id-token-delete",
  order: 21,
  columns: { key: "text" },
  sql: (rows) => `delete from id_token where key in (select key from ${rows})`,
};

/** Stores a remote start. */
export const saveRemoteStart: WriteStatement<RemoteStartColumns> = {
  name: "remote-start-save",
  order: 22,
  columns: {
    station_id: "text",
    remote_start_id: "bigint",
    id_token: "text",
    evse_id: "bigint",
    requested_at: "timestamptz",
  },
  sql: (rows) => `
    insert into remote_start (station_id, remote_start_id, id_token, evse_id, requested_at)
    select station_id, remote_start_id, id_token, evse_id, requested_at from ${rows}
    on conflict (station_id, remote_start_id) do update
    set id_token = excluded.id_token, evse_id = excluded.evse_id, requested_at = excluded.requested_at`,
  key: (row) => `${row.remote_start_id} ${row.station_id}`,
};

/** The row that stores a token. */
export function tokenRow(token: IdToken): TokenRow {
  const json = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));
  return {
    key: keyOf(token.idToken),
    id_token: token.idToken,
    type: token.type ?? null,
    status: token.status,
    group_id_token: token.groupIdToken ?? null,
    expires_at: token.expiresAt ?? null,
    max_concurrent_transactions: token.maxConcurrentTransactions ?? null,
    allowed_stations: json(token.allowedStations),
    allowed_sites: json(token.allowedSites),
    language1: token.language1 ?? null,
    language2: token.language2 ?? null,
    personal_message: json(token.personalMessage),
    charging_priority: token.chargingPriority ?? null,
    note: token.note ?? null,
    created_at: token.createdAt,
    updated_at: token.updatedAt,
  };
}

/** The row that stores a remote start. */
export function remoteStartRow(start: RemoteStart): RemoteStartColumns {
  return {
    station_id: start.stationId,
    remote_start_id: start.remoteStartId,
    id_token: start.idToken,
    evse_id: start.evseId ?? null,
    requested_at: start.requestedAt,
  };
}

/** Which tokens to list. */
export interface TokenFilter {
  readonly status?: AuthorizationStatus | undefined;
  readonly type?: string | undefined;
  /** In any case of letters. */
  readonly groupIdToken?: string | undefined;
  /** Part of the token or the note, in any case of letters. */
  readonly search?: string | undefined;
}

/** Reads tokens in the order of their keys. */
export async function readTokens(
  database: Kysely<unknown>,
  filter: TokenFilter = {},
  page: { readonly limit?: number; readonly afterKey?: string | undefined } = {},
): Promise<IdToken[]> {
  let query = database.withTables<Tables>().selectFrom("id_token").selectAll().orderBy("key");
  const { status, type, groupIdToken, search } = filter;
  if (status !== undefined) query = query.where("status", "=", status);
  if (type !== undefined) query = query.where("type", "=", type);
  if (groupIdToken !== undefined) query = query.where(sql`lower(group_id_token)`, "=", groupIdToken.toLowerCase());
  if (search !== undefined) {
    const part = search.toLowerCase();
    query = query.where(sql<boolean>`(position(${part} in key) > 0 or position(${part} in lower(note)) > 0)`);
  }
  if (page.afterKey !== undefined) query = query.where("key", ">", page.afterKey);
  if (page.limit !== undefined) query = query.limit(page.limit);
  return (await query.execute()).map(tokenOf);
}

/** Forgets remote starts of before a time and reads the others, oldest first. */
export async function readRemoteStarts(database: Kysely<unknown>, since: Date): Promise<RemoteStart[]> {
  const tables = database.withTables<Tables>();
  await tables.deleteFrom("remote_start").where("requested_at", "<", since).execute();
  const rows = await tables.selectFrom("remote_start").selectAll().orderBy("requested_at").execute();
  return rows.map((row) => ({
    stationId: row.station_id,
    remoteStartId: row.remote_start_id,
    idToken: row.id_token,
    evseId: row.evse_id ?? undefined,
    requestedAt: row.requested_at,
  }));
}

function tokenOf(row: TokenColumns): IdToken {
  return {
    idToken: row.id_token,
    status: row.status,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    ...(row.type === null ? {} : { type: row.type }),
    ...(row.group_id_token === null ? {} : { groupIdToken: row.group_id_token }),
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at }),
    ...(row.max_concurrent_transactions === null ? {} : { maxConcurrentTransactions: row.max_concurrent_transactions }),
    ...(row.allowed_stations === null ? {} : { allowedStations: row.allowed_stations }),
    ...(row.allowed_sites === null ? {} : { allowedSites: row.allowed_sites }),
    ...(row.language1 === null ? {} : { language1: row.language1 }),
    ...(row.language2 === null ? {} : { language2: row.language2 }),
    ...(row.personal_message === null ? {} : { personalMessage: row.personal_message }),
    ...(row.charging_priority === null ? {} : { chargingPriority: row.charging_priority }),
    ...(row.note === null ? {} : { note: row.note }),
  };
}

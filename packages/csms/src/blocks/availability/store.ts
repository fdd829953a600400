import type { Kysely } from "kysely";
import type { ColumnType, WriteStatement } from "../../database/write-unit.ts";
import type { ConnectorState, ConnectorStatus } from "./connector-status.ts";

/** Changes kept of each connector. */
export const CHANGES_KEPT = 256;

type StateColumns = {
  readonly station_id: string;
  readonly evse_id: number;
  readonly connector_id: number;
  readonly status: ConnectorStatus;
  readonly detail: string | null;
  readonly error_code: string | null;
  readonly info: string | null;
  readonly vendor_id: string | null;
  readonly vendor_error_code: string | null;
  readonly since: Date;
  readonly received_at: Date;
};

type Tables = {
  connector: StateColumns & { readonly changes: number };
  connector_status_change: StateColumns & { readonly slot: number; readonly change: number };
};

type Written<Row> = { readonly [Column in keyof Row]: Row[Column] extends Date ? string : Row[Column] };
type ConnectorRow = Written<StateColumns> & { readonly changes: number };
type ChangeRow = Written<StateColumns> & { readonly slot: number; readonly change: number };

const stateColumns = {
  station_id: "text",
  evse_id: "integer",
  connector_id: "integer",
  status: "text",
  detail: "text",
  error_code: "text",
  info: "text",
  vendor_id: "text",
  vendor_error_code: "text",
  since: "timestamptz",
  received_at: "timestamptz",
} as const satisfies { readonly [Column in keyof StateColumns]: ColumnType };

const names = Object.keys(stateColumns).join(", ");
const assignments = (columns: readonly string[]) =>
  columns.map((column) => `${column} = excluded.${column}`).join(", ");
const stateAssignments = assignments(Object.keys(stateColumns).slice(3));

/** Stores the state of a connector. */
export const saveConnector: WriteStatement<ConnectorRow> = {
  name: "connector-save",
  order: 20,
  columns: { ...stateColumns, changes: "bigint" },
  sql: (rows) => `
    insert into connector (${names}, changes) select ${names}, changes from ${rows}
    on conflict (station_id, evse_id, connector_id) do update set ${stateAssignments}, changes = excluded.changes`,
  key: (row) => `${row.evse_id} ${row.connector_id} ${row.station_id}`,
};

/** Keeps a change, in the place of the oldest one kept. */
export const saveChange: WriteStatement<ChangeRow> = {
  name: "connector-status-change",
  order: 21,
  columns: { ...stateColumns, slot: "integer", change: "bigint" },
  sql: (rows) => `
    insert into connector_status_change (${names}, slot, change) select ${names}, slot, change from ${rows}
    on conflict (station_id, evse_id, connector_id, slot) do update set ${stateAssignments}, change = excluded.change`,
  key: (row) => `${row.slot} ${row.evse_id} ${row.connector_id} ${row.station_id}`,
};

/** Removes the connectors of a station. */
export const deleteConnectors: WriteStatement<{ readonly station_id: string }> = {
  name: "connector-delete",
  order: 91,
  columns: { station_id: "text" },
  sql: (rows) => `delete from connector where station_id in (select station_id from ${rows})`,
};

/** Removes the changes of a station's connectors. */
export const deleteChanges: WriteStatement<{ readonly station_id: string }> = {
  name: "connector-status-change-delete",
  order: 92,
  columns: { station_id: "text" },
  sql: (rows) => `delete from connector_status_change where station_id in (select station_id from ${rows})`,
};

function stateRow(stationId: string, state: ConnectorState): Written<StateColumns> {
  return {
    station_id: stationId,
    evse_id: state.evseId,
    connector_id: state.connectorId,
    status: state.status,
    detail: state.detail ?? null,
    error_code: state.errorCode ?? null,
    info: state.info ?? null,
    vendor_id: state.vendorId ?? null,
    vendor_error_code: state.vendorErrorCode ?? null,
    since: state.since.toISOString(),
    received_at: state.receivedAt.toISOString(),
  };
}

/** The row that stores a state. */
export function connectorRow(stationId: string, state: ConnectorState): ConnectorRow {
  return { ...stateRow(stationId, state), changes: state.changes };
}

/** The row that keeps a state as a change. */
export function changeRow(stationId: string, state: ConnectorState): ChangeRow {
  return { ...stateRow(stationId, state), slot: state.changes % CHANGES_KEPT, change: state.changes };
}

function toState(row: StateColumns, changes: number): ConnectorState {
  return {
    evseId: row.evse_id,
    connectorId: row.connector_id,
    status: row.status,
    detail: row.detail ?? undefined,
    errorCode: row.error_code ?? undefined,
    info: row.info ?? undefined,
    vendorId: row.vendor_id ?? undefined,
    vendorErrorCode: row.vendor_error_code ?? undefined,
    since: row.since,
    receivedAt: row.received_at,
    changes,
  };
}

/** Reads the state of every connector. */
export async function readConnectors(
  database: Kysely<unknown>,
): Promise<{ stationId: string; state: ConnectorState }[]> {
  const rows = await database.withTables<Tables>().selectFrom("connector").selectAll().execute();
  return rows.map((row) => ({ stationId: row.station_id, state: toState(row, row.changes) }));
}

/** Reads changes of a station's connectors, newest first. */
export async function readChanges(
  database: Kysely<unknown>,
  stationId: string,
  filter: { readonly evseId?: number | undefined; readonly connectorId?: number | undefined },
  page: {
    readonly limit: number;
    readonly before?:
      | { readonly receivedAt: Date; readonly evseId: number; readonly connectorId: number; readonly change: number }
      | undefined;
  },
): Promise<ConnectorState[]> {
  const { before } = page;
  let query = database
    .withTables<Tables>()
    .selectFrom("connector_status_change")
    .selectAll()
    .where("station_id", "=", stationId)
    .orderBy("received_at", "desc")
    .orderBy("evse_id", "desc")
    .orderBy("connector_id", "desc")
    .orderBy("change", "desc")
    .limit(page.limit);
  if (filter.evseId !== undefined) query = query.where("evse_id", "=", filter.evseId);
  if (filter.connectorId !== undefined) query = query.where("connector_id", "=", filter.connectorId);
  if (before !== undefined) {
    query = query.where(({ eb, refTuple, tuple }) =>
      eb(
        refTuple("received_at", "evse_id", "connector_id", "change"),
        "<",
        tuple(before.receivedAt, before.evseId, before.connectorId, before.change),
      ),
    );
  }
  const rows = await query.execute();
  return rows.map((row) => toState(row, row.change));
}

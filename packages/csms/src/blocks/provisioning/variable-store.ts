import type { Ocpp21 } from "@polyphase/ocpp";
import { type Kysely, sql } from "kysely";
import type { ColumnType, WriteStatement } from "../../database/write-unit.ts";
import { isSecret, type ReportedVariable, type VariableValue } from "./variable.ts";

type AddressColumns = {
  readonly station_id: string;
  readonly component: string;
  readonly component_instance: string;
  readonly evse_id: number;
  readonly connector_id: number;
  readonly variable: string;
  readonly variable_instance: string;
  readonly attribute: Ocpp21.AttributeEnumType;
};

type TraitColumns = {
  readonly mutability: Ocpp21.MutabilityEnumType | null;
  readonly persistent: boolean | null;
  readonly constant: boolean | null;
  readonly data_type: Ocpp21.DataEnumType | null;
  readonly unit: string | null;
  readonly min_limit: number | null;
  readonly max_limit: number | null;
  readonly max_elements: number | null;
  readonly values_list: string | null;
  readonly supports_monitoring: boolean | null;
};

type Tables = {
  variable: AddressColumns & TraitColumns & { readonly value: string | null; readonly reported_at: Date };
};

type ValueRow = AddressColumns & { readonly value: string | null; readonly reported_at: string };
type ReportRow = ValueRow & TraitColumns;

const addressColumns = {
  station_id: "text",
  component: "text",
  component_instance: "text",
  evse_id: "integer",
  connector_id: "integer",
  variable: "text",
  variable_instance: "text",
  attribute: "text",
} as const satisfies { readonly [Column in keyof AddressColumns]: ColumnType };

const valueColumns = { ...addressColumns, value: "text", reported_at: "timestamptz" } as const;

const reportColumns = {
  ...valueColumns,
  mutability: "text",
  persistent: "boolean",
  constant: "boolean",
  data_type: "text",
  unit: "text",
  min_limit: "double precision",
  max_limit: "double precision",
  max_elements: "integer",
  values_list: "text",
  supports_monitoring: "boolean",
} as const satisfies { readonly [Column in keyof ReportRow]: ColumnType };

const addressNames = Object.keys(addressColumns) as readonly (keyof AddressColumns)[];
const identity = addressNames.join(", ");
const keyOf = (row: AddressColumns): string => addressNames.map((name) => row[name]).join("\n");

function upsert<Columns extends object>(name: string, columns: Columns): (rows: string) => string {
  const names = Object.keys(columns);
  const assignments = names.slice(addressNames.length).map((column) => `${column} = excluded.${column}`);
  return (rows) => `
    insert into ${name} (${names.join(", ")}) select ${names.join(", ")} from ${rows}
    on conflict (${identity}) do update set ${assignments.join(", ")}`;
}

/** Stores an attribute with all that a report tells of it. */
export const saveReported: WriteStatement<ReportRow> = {
  name: "variable-report",
  order: 10,
  columns: reportColumns,
  sql: upsert("variable", reportColumns),
  key: keyOf,
};

/** Stores the value of an attribute and leaves the rest as it is. */
export const saveValue: WriteStatement<ValueRow> = {
  name: "variable-value",
  order: 11,
  columns: valueColumns,
  sql: upsert("variable", valueColumns),
  key: keyOf,
};

/** Removes what a complete report of a station's variables did not tell any more. */
export const deleteStale: WriteStatement<{ readonly station_id: string; readonly reported_since: string }> = {
  name: "variable-stale",
  order: 12,
  columns: { station_id: "text", reported_since: "timestamptz" },
  sql: (rows) => `
    delete from variable using (select * from ${rows}) as r
    where variable.station_id = r.station_id and variable.reported_at < r.reported_since`,
  key: (row) => row.station_id,
};

/** Removes the variables of a station. */
export const deleteVariables: WriteStatement<{ readonly station_id: string }> = {
  name: "variable-delete",
  order: 91,
  columns: { station_id: "text" },
  sql: (rows) => `delete from variable where station_id in (select station_id from ${rows})`,
};

/** The row of a value. A secret's value is left out. */
export function valueRow(stationId: string, value: VariableValue, reportedAt: Date): ValueRow {
  return {
    station_id: stationId,
    component: value.component,
    component_instance: value.componentInstance ?? "",
    evse_id: value.evseId ?? 0,
    connector_id: value.connectorId ?? 0,
    variable: value.variable,
    variable_instance: value.variableInstance ?? "",
    attribute: value.attribute,
    value: isSecret(value) ? null : (value.value ?? null),
    reported_at: reportedAt.toISOString(),
  };
}

const isInt32 = (number: number | undefined): number is number => number !== undefined && (number | 0) === number;

/** Whether the address has numbers that an EVSE and a connector can have; what else a station sends is left out. */
export function isStorable({ evseId = 0, connectorId = 0 }: VariableValue): boolean {
  return isInt32(evseId) && isInt32(connectorId);
}

/** The row of a reported attribute. */
export function reportRow(stationId: string, reported: ReportedVariable, reportedAt: Date): ReportRow {
  const { characteristics } = reported;
  const maxElements = characteristics?.maxElements;
  return {
    ...valueRow(stationId, reported, reportedAt),
    mutability: reported.mutability ?? null,
    persistent: reported.persistent ?? null,
    constant: reported.constant ?? null,
    data_type: characteristics?.dataType ?? null,
    unit: characteristics?.unit ?? null,
    min_limit: characteristics?.minLimit ?? null,
    max_limit: characteristics?.maxLimit ?? null,
    max_elements: isInt32(maxElements) ? maxElements : null,
    values_list: characteristics?.valuesList ?? null,
    supports_monitoring: characteristics?.supportsMonitoring ?? null,
  };
}

/** A stored attribute. */
export interface StoredVariable extends ReportedVariable {
  readonly reportedAt: Date;
}

/** Which attributes to read; names in any case. */
export interface VariableFilter {
  readonly component?: string | undefined;
  readonly variable?: string | undefined;
  readonly evseId?: number | undefined;
  readonly attribute?: Ocpp21.AttributeEnumType | undefined;
  /** Part of a component's or variable's name. */
  readonly search?: string | undefined;
}

/** Position of an attribute in the order of reading: all of its address but the station. */
export type VariablePosition = readonly [string, string, number, number, string, string, string];

/** The position of an attribute. */
export function positionOf(value: VariableValue): VariablePosition {
  return [
    value.component,
    value.componentInstance ?? "",
    value.evseId ?? 0,
    value.connectorId ?? 0,
    value.variable,
    value.variableInstance ?? "",
    value.attribute,
  ];
}

/** Reads the variables of a station in the order of their addresses. */
export async function readVariables(
  database: Kysely<unknown>,
  stationId: string,
  filter: VariableFilter,
  page: { readonly limit: number; readonly after?: VariablePosition | undefined },
): Promise<StoredVariable[]> {
  let query = database
    .withTables<Tables>()
    .selectFrom("variable")
    .selectAll()
    .where("station_id", "=", stationId)
    .limit(page.limit);
  for (const column of addressNames.slice(1)) query = query.orderBy(column);
  if (filter.component !== undefined) query = query.where(lower("component"), "=", filter.component.toLowerCase());
  if (filter.variable !== undefined) query = query.where(lower("variable"), "=", filter.variable.toLowerCase());
  if (filter.evseId !== undefined) query = query.where("evse_id", "=", filter.evseId);
  if (filter.attribute !== undefined) query = query.where("attribute", "=", filter.attribute);
  if (filter.search !== undefined) {
    const part = filter.search.toLowerCase();
    query = query.where(sql<boolean>`(strpos(lower(component), ${part}) > 0 or strpos(lower(variable), ${part}) > 0)`);
  }
  if (page.after !== undefined) {
    const position = sql.join(page.after.map((part) => sql`${part}`));
    query = query.where(sql<boolean>`(${sql.raw(addressNames.slice(1).join(", "))}) > (${position})`);
  }
  return (await query.execute()).map(toVariable);
}

const lower = (column: "component" | "variable") => sql<string>`lower(${sql.ref(column)})`;

/** Tells the stored value of a station's variable, attribute Actual; undefined when it is not known. */
export type StoredActual = (
  stationId: string,
  component: string,
  variable: string,
  variableInstance?: string,
) => Promise<string | undefined>;

/** Reads the value of one variable's attribute Actual; undefined when it is not known. */
export async function readActual(
  database: Kysely<unknown>,
  stationId: string,
  component: string,
  variable: string,
  variableInstance = "",
): Promise<string | undefined> {
  const row = await database
    .withTables<Tables>()
    .selectFrom("variable")
    .select("value")
    .where("station_id", "=", stationId)
    .where("component", "=", component)
    .where("variable", "=", variable)
    .where("variable_instance", "=", variableInstance)
    .where("attribute", "=", "Actual")
    .where("evse_id", "=", 0)
    .executeTakeFirst();
  return row?.value ?? undefined;
}

function toVariable(row: Tables["variable"]): StoredVariable {
  const { data_type: dataType } = row;
  return {
    component: row.component,
    componentInstance: row.component_instance === "" ? undefined : row.component_instance,
    evseId: row.evse_id === 0 ? undefined : row.evse_id,
    connectorId: row.connector_id === 0 ? undefined : row.connector_id,
    variable: row.variable,
    variableInstance: row.variable_instance === "" ? undefined : row.variable_instance,
    attribute: row.attribute,
    value: row.value ?? undefined,
    mutability: row.mutability ?? undefined,
    persistent: row.persistent ?? undefined,
    constant: row.constant ?? undefined,
    characteristics:
      dataType === null
        ? undefined
        : {
            dataType,
            unit: row.unit ?? undefined,
            minLimit: row.min_limit ?? undefined,
            maxLimit: row.max_limit ?? undefined,
            maxElements: row.max_elements ?? undefined,
            valuesList: row.values_list ?? undefined,
            supportsMonitoring: row.supports_monitoring ?? false,
          },
    reportedAt: row.reported_at,
  };
}

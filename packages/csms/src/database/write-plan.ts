import { type ColumnCodec, columnCodecs, type EncodableValue } from "./column-codec.ts";
import type { WriteStatement } from "./write-unit.ts";

/** A statement made ready: its text and the codecs of its columns. */
export interface CompiledStatement {
  readonly name: string;
  readonly order: number;
  readonly text: string;
  readonly columns: readonly { readonly name: string; readonly codec: ColumnCodec }[];
}

/** A row that was checked; `key` as in {@link WriteStatement.key}. */
export interface CompiledRow {
  readonly statement: CompiledStatement;
  readonly values: readonly EncodableValue[];
  readonly key: string | undefined;
  /** About how much memory it takes. */
  readonly bytes: number;
}

/** A prepared statement with its parameters, in the shape that `pg` takes. */
export interface PreparedWrite {
  readonly name: string;
  readonly text: string;
  readonly values: readonly Buffer[];
}

function rowSource(columns: CompiledStatement["columns"], condition: string | undefined): string {
  const parameters = columns.map(({ codec }, index) => `$${index + 1}::${codec.parameterType}[]`).join(", ");
  const names = columns.map(({ name }) => `"${name}"`).join(", ");
  const source = `unnest(${parameters}) as input(${names})`;
  if (condition === undefined && columns.every(({ codec }) => codec.castTo === undefined)) return source;
  const selected = columns.map(({ name, codec }) =>
    codec.castTo === undefined ? `"${name}"` : `"${name}"::${codec.castTo} as "${name}"`,
  );
  return `(select ${selected.join(", ")} from ${source} where ${condition ?? "true"}) as input`;
}

function byteLength(value: EncodableValue): number {
  if (typeof value === "string") return value.length + 16;
  return value instanceof Uint8Array ? value.length + 16 : 16;
}

/** Compiles statements once and keeps them by identity. */
export class StatementCompiler {
  readonly #condition: string | undefined;
  readonly #compiled = new Map<unknown, CompiledStatement>();
  readonly #names = new Set<string>();

  /** @param condition SQL that every statement asks for before it reads its rows */
  constructor(condition?: string) {
    this.#condition = condition;
  }

  /**
   * Checks a row and gives it the form that is sent.
   *
   * @throws TypeError or RangeError, naming statement and column, when a value does not fit its column
   */
  row<Row extends object>(statement: WriteStatement<Row>, row: Row): CompiledRow {
    const compiled = this.#compiled.get(statement) ?? this.#compile(statement);
    const values: EncodableValue[] = [];
    let bytes = 0;
    for (const column of compiled.columns) {
      try {
        const value = column.codec.check((row as Readonly<Record<string, unknown>>)[column.name]);
        values.push(value);
        bytes += byteLength(value);
      } catch (error) {
        if (error instanceof Error) error.message = `${compiled.name}.${column.name}: ${error.message}`;
        throw error;
      }
    }
    return { statement: compiled, values, key: statement.key?.(row), bytes };
  }

  #compile<Row extends object>(statement: WriteStatement<Row>): CompiledStatement {
    const { name, order } = statement;
    if (this.#names.has(name)) throw new TypeError(`two write statements are named ${name}`);
    if (name.length === 0 || Buffer.byteLength(name) > 63) {
      throw new TypeError(`the name of a write statement has 1 to 63 bytes: ${name}`);
    }
    const columns = Object.entries<keyof typeof columnCodecs>(statement.columns).map(([column, type]) => ({
      name: column,
      codec: columnCodecs[type],
    }));
    const compiled = { name, order, columns, text: statement.sql(rowSource(columns, this.#condition)) };
    this.#names.add(name);
    this.#compiled.set(statement, compiled);
    return compiled;
  }
}

/** Puts the rows of a group together by statement, in the order in which the statements run. */
export function planWrites(rows: Iterable<CompiledRow>): readonly PreparedWrite[] {
  const gathered = new Map<CompiledStatement, { readonly rows: CompiledRow[]; readonly places: Map<string, number> }>();
  for (const row of rows) {
    let entry = gathered.get(row.statement);
    if (entry === undefined) {
      entry = { rows: [], places: new Map() };
      gathered.set(row.statement, entry);
    }
    const place = row.key === undefined ? undefined : entry.places.get(row.key);
    if (place !== undefined) {
      entry.rows[place] = row;
      continue;
    }
    if (row.key !== undefined) entry.places.set(row.key, entry.rows.length);
    entry.rows.push(row);
  }
  return [...gathered]
    .sort(([first], [second]) => first.order - second.order || (first.name < second.name ? -1 : 1))
    .map(([{ name, text, columns }, entry]) => ({
      name,
      text,
      values: columns.map(({ codec }, index) => codec.encode(entry.rows.map(({ values }) => values[index] ?? null))),
    }));
}

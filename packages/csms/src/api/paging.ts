import { type Static, type TSchema, Type } from "typebox";
import { invalid } from "./problem.ts";

/** Largest page a client may ask for. */
export const MAX_PAGE_LIMIT = 500;

/** Query parameters of every paged list; spread its properties into a route's own query schema. */
export const PageQuery = Type.Object({
  limit: Type.Integer({ minimum: 1, maximum: MAX_PAGE_LIMIT, default: 50, description: "Most items of a page" }),
  cursor: Type.Optional(
    Type.String({ maxLength: 1024, description: "`nextCursor` of the page before; absent for the first page" }),
  ),
});

/** Values of {@link PageQuery}. */
export type PageQuery = Static<typeof PageQuery>;

/** A page of a list. `nextCursor` is null on the last page. */
export interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
}

/** Schema of a page of items. */
export function PageOf<Item extends TSchema>(item: Item) {
  return Type.Object({
    items: Type.Array(item),
    nextCursor: Type.Union([Type.String(), Type.Null()], {
      description: "Give as `cursor` to get the next page; null at the end",
    }),
  });
}

/** What a cursor holds: the sort key of the last item of a page. */
export type CursorPosition = readonly (string | number)[];

/** Makes the opaque text of a cursor. */
export function encodeCursor(position: CursorPosition): string {
  return Buffer.from(JSON.stringify(position), "utf8").toString("base64url");
}

/**
 * Reads a cursor that {@link encodeCursor} made for a sort key of these types.
 *
 * @example
 * ```ts
 * const [startedAt, id] = decodeCursor(query.cursor, ["string", "number"]);
 * ```
 * @throws ProblemError 400 when it is not such a cursor
 */
export function decodeCursor<const Kinds extends readonly ("string" | "number")[]>(
  cursor: string,
  kinds: Kinds,
): { -readonly [Index in keyof Kinds]: Kinds[Index] extends "string" ? string : number } {
  let position: unknown;
  try {
    position = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch {
    position = undefined;
  }
  const fits =
    Array.isArray(position) &&
    position.length === kinds.length &&
    kinds.every((kind, index) => {
      const value: unknown = (position as unknown[])[index];
      return typeof value === kind;
    });
  if (!fits) {
    throw invalid([{ in: "query", field: "/cursor", rule: "cursor", message: "is not a cursor of this list" }]);
  }
  return position as never;
}

/**
 * Makes a page of rows that were read with a limit of one more than the page's, so that a next page is known of
 * without counting.
 */
export function pageOfRows<Row, Item>(
  rows: readonly Row[],
  limit: number,
  toItem: (row: Row) => Item,
  positionOf: (row: Row) => CursorPosition,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(toItem),
    nextCursor: rows.length > limit && last !== undefined ? encodeCursor(positionOf(last)) : null,
  };
}

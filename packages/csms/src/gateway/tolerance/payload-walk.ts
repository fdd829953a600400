import { type CatalogueEntry, catalogue, type Deviation, definitionsOf, type JsonSchema } from "@polyphase/ocpp";

/** Returned by a visitor to leave a value out. */
export const removed: unique symbol = Symbol("removed");

/** A value inside a payload and what the schema says of it. */
export interface Place {
  readonly value: unknown;
  /** The schema, references resolved. */
  readonly schema: JsonSchema;
  /** Name of the schema's type in the specification; undefined for an unnamed one. */
  readonly typeName: string | undefined;
  /** Name of the property that holds the value; undefined for items of lists and the payload itself. */
  readonly property: string | undefined;
  /** Whether the value's object must have it. */
  readonly isRequired: boolean;
}

/** Returns what is to stand at a place: the same value, another, or {@link removed}. */
export type Visitor = (place: Place) => unknown;

/** The schema of a payload that broke it. */
export function schemaOf({ version, action, direction }: Deviation): JsonSchema | undefined {
  const entry: CatalogueEntry | undefined = catalogue(version).get(action);
  return direction === "request" ? entry?.requestSchema : entry?.responseSchema;
}

/**
 * Copies a payload with changes, value by value along its schema. `enter` sees a value before those inside it,
 * `leave` afterwards. Values that the schema does not describe are kept. Returns the very payload when nothing changed.
 */
export function walk(deviation: Deviation, visitor: { readonly enter?: Visitor; readonly leave?: Visitor }): unknown {
  const schema = schemaOf(deviation);
  if (schema === undefined) return deviation.payload;
  const definitions = definitionsOf(deviation.version);
  const unchanged: Visitor = ({ value }) => value;
  const { enter = unchanged, leave = unchanged } = visitor;

  function visit(value: unknown, reference: JsonSchema, property: string | undefined, isRequired: boolean): unknown {
    const typeName = reference.$ref?.slice(reference.$ref.lastIndexOf("/") + 1);
    const schema = typeName === undefined ? reference : (definitions[typeName] ?? {});
    const entered = enter({ value, schema, typeName, property, isRequired });
    if (entered === removed) return removed;
    const inner = Array.isArray(entered) ? visitItems(entered, schema) : visitProperties(entered, schema);
    return leave({ value: inner, schema, typeName, property, isRequired });
  }

  function visitItems(items: readonly unknown[], { items: itemSchema }: JsonSchema): unknown {
    if (itemSchema === undefined) return items;
    const visited = items.map((item) => visit(item, itemSchema, undefined, false));
    const isSame = visited.every((item, index) => item === items[index]);
    return isSame ? items : visited.filter((item) => item !== removed);
  }

  function visitProperties(value: unknown, { properties, required = [] }: JsonSchema): unknown {
    if (typeof value !== "object" || value === null || properties === undefined) return value;
    let copy: Record<string, unknown> | undefined;
    for (const [name, item] of Object.entries(value)) {
      const propertySchema = Object.hasOwn(properties, name) ? properties[name] : undefined;
      if (propertySchema === undefined) continue;
      const visited = visit(item, propertySchema, name, required.includes(name));
      if (visited === item) continue;
      copy ??= { ...value };
      if (visited === removed) delete copy[name];
      else copy[name] = visited;
    }
    return copy ?? value;
  }

  const result = visit(deviation.payload, schema, undefined, true);
  return result === removed ? deviation.payload : result;
}

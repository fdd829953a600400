import type { JsonSchema } from "../catalogue/catalogue.ts";

/** How a text becomes a JSON value. */
export interface TextPlan {
  /** `token` is a string in which surrounding white space means nothing: an enumeration or a URI. */
  readonly type: "string" | "token" | "dateTime" | "integer" | "number" | "boolean";
}

/** How a complex element becomes a JSON object. */
export interface ObjectPlan {
  readonly type: "object";
  /** In the order of the WSDL's sequence. */
  readonly fields: readonly Field[];
  readonly elements: ReadonlyMap<string, Field>;
  readonly attributes: ReadonlyMap<string, Field>;
  /** The property that carries the element's own text. */
  readonly text: Field | undefined;
  /** Whether an empty element lacks nothing: all that is required is its text, if anything. */
  readonly mayBeEmpty: boolean;
}

export type ValuePlan = TextPlan | ObjectPlan;

/** One property of an object and its place in XML. */
export interface Field {
  readonly name: string;
  readonly place: "element" | "attribute" | "text";
  /** Place in the sequence, from 0. */
  readonly index: number;
  /** A JSON array: the element repeats. */
  readonly repeated: boolean;
  readonly required: boolean;
  readonly plan: ValuePlan;
}

type Definitions = Readonly<Record<string, JsonSchema>>;

function resolve(schema: JsonSchema, definitions: Definitions): JsonSchema {
  if (schema.$ref === undefined) return schema;
  const target = definitions[schema.$ref.slice("#/definitions/".length)];
  if (target === undefined) throw new TypeError(`no definition ${schema.$ref}`);
  return resolve(target, definitions);
}

function textPlan(schema: JsonSchema): TextPlan {
  switch (schema.type) {
    case "integer":
    case "number":
    case "boolean":
      return { type: schema.type };
    case "string":
      if (schema.format === "date-time") return { type: "dateTime" };
      return { type: schema.enum !== undefined || schema.format !== undefined ? "token" : "string" };
    default:
      throw new TypeError(`XML has no form for the schema type ${schema.type}`);
  }
}

function objectPlan(schema: JsonSchema, definitions: Definitions): ObjectPlan {
  const required = new Set(schema.required);
  const fields = Object.entries(schema.properties ?? {}).map(([name, property], index): Field => {
    const target = resolve(property, definitions);
    const repeated = target.type === "array";
    return {
      name,
      place: property.xml?.nodeType ?? target.xml?.nodeType ?? "element",
      index,
      repeated,
      required: required.has(name),
      plan: planOf(repeated ? (target.items ?? {}) : target, definitions),
    };
  });
  const placed = (place: Field["place"]) =>
    new Map(fields.filter((field) => field.place === place).map((field) => [field.name, field]));
  return {
    type: "object",
    fields,
    elements: placed("element"),
    attributes: placed("attribute"),
    text: fields.find((field) => field.place === "text"),
    mayBeEmpty: fields.every((field) => !field.required || field.place === "text"),
  };
}

/**
 * Works out once, from a message's schema, how its XML is read and written.
 *
 * @throws TypeError when the schema uses something that has no XML form.
 */
export function planOf(schema: JsonSchema, definitions: Definitions): ValuePlan {
  const target = resolve(schema, definitions);
  return target.type === "object" ? objectPlan(target, definitions) : textPlan(target);
}

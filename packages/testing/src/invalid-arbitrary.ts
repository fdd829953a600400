import type { JsonSchema } from "@polyphase/ocpp";
import fc from "fast-check";
import { arbitraryFromSchema, type Definitions, noDateTimes, noUris, resolveSchema } from "./schema-arbitrary.ts";

/** A value that breaks exactly one rule of its schema. */
export interface BrokenInstance {
  readonly instance: unknown;
  /** The JSON Schema keyword that it breaks. */
  readonly rule: string;
  /** JSON pointer to the value that breaks it; the object itself for `required` and `additionalProperties`. */
  readonly path: string;
}

/** One way to break an instance. `choice` is any whole number from 0, for ways that have variants. */
interface Break {
  readonly rule: string;
  readonly path: string;
  replace(choice: number): unknown;
}

function pick<T>(values: readonly T[], choice: number): T {
  return values[choice % values.length] as T;
}

const wrongTypes: Readonly<Record<string, readonly unknown[]>> = {
  object: ["text", 5, true, null, []],
  array: ["text", 5, true, null, {}],
  string: [5, true, null, [], {}, 0.5],
  integer: ["5", true, null, 0.5, [], {}],
  number: ["5", true, null, [], {}],
  boolean: ["true", 1, 0, null, [], {}],
};

function textBreaks(schema: JsonSchema, value: string, path: string): Break[] {
  const breaks: Break[] = [];
  if (schema.enum !== undefined) {
    const variants = [`${value}x`, "", value.toLowerCase(), value.toUpperCase(), ` ${value}`];
    const outside = variants.filter((text) => schema.enum?.includes(text) === false);
    breaks.push({ rule: "enum", path, replace: (choice) => pick(outside, choice) });
    return breaks;
  }
  if (schema.format !== undefined) {
    const texts = schema.format === "date-time" ? noDateTimes : noUris;
    breaks.push({ rule: "format", path, replace: (choice) => pick(texts, choice) });
    return breaks;
  }
  const { minLength = 0, maxLength } = schema;
  if (maxLength !== undefined) {
    const letters = ["x", "é", "漢", "🔌"];
    breaks.push({
      rule: "maxLength",
      path,
      replace: (choice) => pick(letters, choice).repeat(maxLength + 1 + (choice % 3)),
    });
  }
  if (minLength > 0) breaks.push({ rule: "minLength", path, replace: () => "x".repeat(minLength - 1) });
  return breaks;
}

function numberBreaks(schema: JsonSchema, path: string): Break[] {
  const { minimum, maximum, multipleOf, type } = schema;
  const breaks: Break[] = [];
  const least = type === "integer" || multipleOf !== undefined ? 1 : 0.001;
  if (minimum !== undefined) {
    breaks.push({ rule: "minimum", path, replace: (choice) => minimum - pick([least, 1, 1000], choice) });
  }
  if (maximum !== undefined) {
    breaks.push({ rule: "maximum", path, replace: (choice) => maximum + pick([least, 1, 1000], choice) });
  }
  if (multipleOf !== undefined) {
    breaks.push({ rule: "multipleOf", path, replace: (choice) => (choice % 1000) + multipleOf / 2 });
  }
  return breaks;
}

function escapePointer(step: string | number): string {
  return String(step).replaceAll("~", "~0").replaceAll("/", "~1");
}

/** Lifts a break of a part to a break of the whole. */
function within(whole: object, key: string | number, part: Break): Break {
  return {
    ...part,
    replace(choice) {
      const copy: Record<string | number, unknown> | unknown[] = Array.isArray(whole) ? [...whole] : { ...whole };
      (copy as Record<string | number, unknown>)[key] = part.replace(choice);
      return copy;
    },
  };
}

function objectBreaks(schema: JsonSchema, value: object, definitions: Definitions, path: string): Break[] {
  const breaks: Break[] = [];
  for (const name of schema.required ?? []) {
    breaks.push({
      rule: "required",
      path,
      replace: () => Object.fromEntries(Object.entries(value).filter(([key]) => key !== name)),
    });
  }
  if (schema.additionalProperties === false) {
    const names = ["unknownProperty", "", "constructor", "x/y~z"];
    breaks.push({ rule: "additionalProperties", path, replace: (choice) => ({ ...value, [pick(names, choice)]: 1 }) });
  }
  for (const [name, part] of Object.entries(value)) {
    const property = schema.properties?.[name];
    if (property === undefined) continue;
    const inner = breaksOf(property, part, definitions, `${path}/${escapePointer(name)}`);
    breaks.push(...inner.map((each) => within(value, name, each)));
  }
  return breaks;
}

function arrayBreaks(schema: JsonSchema, value: readonly unknown[], definitions: Definitions, path: string): Break[] {
  const { minItems = 0, maxItems, items = {} } = schema;
  const breaks: Break[] = [];
  if (minItems > 0) breaks.push({ rule: "minItems", path, replace: () => value.slice(0, minItems - 1) });
  const [first] = value;
  if (maxItems !== undefined && first !== undefined) {
    breaks.push({ rule: "maxItems", path, replace: () => Array.from({ length: maxItems + 1 }, () => first) });
  }
  for (const [index, part] of value.entries()) {
    const inner = breaksOf(items, part, definitions, `${path}/${index}`);
    breaks.push(...inner.map((each) => within(value, index, each)));
  }
  return breaks;
}

function breaksOf(reference: JsonSchema, value: unknown, definitions: Definitions, path: string): Break[] {
  const schema = resolveSchema(reference, definitions);
  const wrong = schema.type === undefined ? undefined : wrongTypes[schema.type];
  const type: Break[] =
    wrong === undefined ? [] : [{ rule: "type", path, replace: (choice) => structuredClone(pick(wrong, choice)) }];
  if (typeof value === "string") return [...type, ...textBreaks(schema, value, path)];
  if (typeof value === "number") return [...type, ...numberBreaks(schema, path)];
  if (Array.isArray(value)) return [...type, ...arrayBreaks(schema, value, definitions, path)];
  if (typeof value === "object" && value !== null) return [...type, ...objectBreaks(schema, value, definitions, path)];
  return type;
}

/**
 * Generates values that break exactly one rule of a schema, and names the rule and the place. Rules are drawn evenly
 * by their kind, so that a rare one (`multipleOf`) comes as often as `type`.
 */
export function invalidFromSchema(schema: JsonSchema, definitions: Definitions): fc.Arbitrary<BrokenInstance> {
  return fc
    .tuple(arbitraryFromSchema(schema, definitions), fc.nat(), fc.nat(), fc.nat())
    .map(([valid, ruleChoice, placeChoice, choice]) => {
      const breaks = breaksOf(schema, valid, definitions, "");
      const rules = [...new Set(breaks.map(({ rule }) => rule))].sort();
      const rule = pick(rules, ruleChoice);
      const { path, replace } = pick(
        breaks.filter((each) => each.rule === rule),
        placeChoice,
      );
      return { instance: replace(choice), rule, path };
    });
}

import type { JsonSchema } from "@polyphase/ocpp";
import { type Definitions, resolveSchema } from "@polyphase/testing";

/** Deeper than any message of OCPP that does not contain itself. */
const DEEPEST = 12;

/** Makes the text for a field that may have so many characters; undefined where there is no limit. */
export type TextOf = (maxLength: number | undefined) => string;

/** Makes the number for a field of a schema. */
export type NumberOf = (schema: JsonSchema) => number;

const leastNumber: NumberOf = (schema) => schema.minimum ?? 1;

/**
 * A payload with every property that a schema describes, and a text in every place where any text may stand; numbers as
 * asked for.
 */
export function fullInstance(
  reference: JsonSchema,
  definitions: Definitions,
  textOf: TextOf,
  numberOf: NumberOf = leastNumber,
  depth = 0,
): unknown {
  const schema = resolveSchema(reference, definitions);
  switch (schema.type) {
    case "object": {
      const wanted = Object.entries(schema.properties ?? {}).filter(
        ([name]) => depth < DEEPEST || schema.required?.includes(name) === true,
      );
      return Object.fromEntries(
        wanted.map(([name, property]) => [name, fullInstance(property, definitions, textOf, numberOf, depth + 1)]),
      );
    }
    case "array":
      return [fullInstance(schema.items ?? {}, definitions, textOf, numberOf, depth + 1)];
    case "string":
      if (schema.enum !== undefined) return schema.enum[0];
      if (schema.format === "date-time") return "2026-04-01T10:00:00Z";
      if (schema.format !== undefined) return "https://example.org/";
      return textOf(schema.maxLength);
    case "integer":
    case "number":
      return numberOf(schema);
    case "boolean":
      return true;
    default:
      return textOf(undefined);
  }
}

/** As many characters of a text as a field may have, a character being a code point as schemas count them. */
export function fitted(text: string, maxLength: number | undefined): string {
  return maxLength === undefined ? text : Array.from(text).slice(0, maxLength).join("");
}

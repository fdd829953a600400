import { definitionsOf, type JsonSchema, type OcppVersion } from "@polyphase/ocpp";
import type { Arbitrary } from "fast-check";

/** The library of arbitraries, handed in because only tests have it. */
type FastCheck = typeof import("fast-check");

/** Valid instances of a schema, for property tests. `longest` bounds texts that the schema does not. */
export function payloadsOf(
  fc: FastCheck,
  version: OcppVersion,
  schema: JsonSchema,
  longest: (property: string | undefined) => number = () => 600,
): Arbitrary<unknown> {
  function instances(given: JsonSchema, depth: number, property?: string): Arbitrary<unknown> {
    if (given.$ref !== undefined) {
      const name = given.$ref.slice(given.$ref.lastIndexOf("/") + 1);
      return instances(definitionsOf(version)[name] ?? {}, depth, property);
    }
    if (given.enum !== undefined) return fc.constantFrom(...given.enum);
    const { minimum = -1_000_000, maximum = 1_000_000, minItems = 0, maxItems = 3 } = given;
    switch (given.type) {
      case "integer":
        return fc.integer({ min: Math.max(minimum, -2_000_000_000), max: Math.min(maximum, 2_000_000_000) });
      case "number":
        return fc.integer({ min: Math.ceil(minimum), max: Math.floor(maximum) });
      case "boolean":
        return fc.boolean();
      case "array": {
        const items = instances(given.items ?? {}, depth + 1);
        return fc.array(items, { minLength: minItems, maxLength: Math.max(minItems, Math.min(maxItems, 3)) });
      }
      case "object":
        return objects(given, depth);
      default:
        return texts(given, property);
    }
  }

  function texts({ format, maxLength, minLength = 0 }: JsonSchema, property: string | undefined): Arbitrary<string> {
    if (format === "date-time") {
      return fc
        .date({ noInvalidDate: true, min: new Date("1970-01-01"), max: new Date("9999-12-31") })
        .map((date) => date.toISOString());
    }
    if (format === "uri") return fc.webUrl();
    return fc.string({ unit: "grapheme", minLength, maxLength: Math.floor((maxLength ?? longest(property)) / 4) }).map(
      // Now and then as long as allowed.
      (text) => (text.length % 7 === 3 ? text.padEnd(maxLength ?? longest(property), "x").slice(0, maxLength) : text),
    );
  }

  function objects({ properties = {}, required = [] }: JsonSchema, depth: number): Arbitrary<unknown> {
    const shown = Object.entries(properties).filter(([name]) => depth < 4 || required.includes(name));
    const model = Object.fromEntries(shown.map(([name, item]) => [name, instances(item, depth + 1, name)]));
    return fc.record(model, { requiredKeys: [...required] }).map((value) => ({ ...value }));
  }

  return instances(schema, 0);
}

import { type JsonSchema, ocppVersions } from "@polyphase/ocpp";
import { arbitraryFromSchema, type Definitions, invalidFromSchema, resolveSchema } from "@polyphase/testing";
import fc from "fast-check";
import { type Schema, Validator } from "jsonschema";
import { describe, expect, test } from "vitest";
import { deepFreeze, messagesOf, runsPerMessage } from "./every-message.ts";

// A validator of another author judges the same instances. It knows date-times only by a loose pattern, so that
// format is judged by a slow reference of our own.
const second = new Validator();
second.customFormats["exact-date-time"] = (text: unknown) => typeof text !== "string" || isDateTimeByCalendar(text);

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

function isDateTimeByCalendar(text: string): boolean {
  const match = RFC_3339.exec(text);
  if (match === null) return false;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const date = new Date(Date.UTC(2000, 0, 1));
  date.setUTCFullYear(year, month - 1, day);
  const exists = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (!exists || hour > 23 || minute > 59) return false;
  if (second < 60) return true;
  const offset = (Number(match[8] ?? 0) * 60 + Number(match[9] ?? 0)) * (match[7] === "-" ? -1 : 1);
  const utc = new Date(Date.UTC(2000, 0, 1, hour, minute - offset));
  return second === 60 && utc.getUTCHours() === 23 && utc.getUTCMinutes() === 59;
}

/** The second validator would take a property named "constructor" for a known one. */
function withoutPrototype(properties: readonly (readonly [string, Schema])[]): Record<string, Schema> {
  return Object.assign(Object.create(null) as Record<string, Schema>, Object.fromEntries(properties));
}

/** Puts definitions in the place of references: the second validator would scan all of them at each call. */
function standalone(reference: JsonSchema, definitions: Definitions): Schema {
  const { format, items, properties, ...rest } = resolveSchema(reference, definitions);
  const parts = Object.entries(properties ?? {}).map(([name, part]) => [name, standalone(part, definitions)] as const);
  return {
    ...(rest as Schema),
    ...(format === undefined ? {} : { format: format === "date-time" ? "exact-date-time" : format }),
    ...(items === undefined ? {} : { items: standalone(items, definitions) }),
    ...(properties === undefined ? {} : { properties: withoutPrototype(parts) }),
  };
}

describe.each(ocppVersions)("OCPP %s", (version) => {
  test.each(messagesOf(version))(
    "$name: both validators accept what its schema allows, and change nothing",
    ({ schema, definitions, validate }) => {
      const foreign = standalone(schema, definitions);
      fc.assert(
        fc.property(arbitraryFromSchema(schema, definitions), (instance) => {
          const before = JSON.stringify(instance);
          deepFreeze(instance);
          expect(validate(instance)).toBeUndefined();
          expect(JSON.stringify(instance)).toBe(before);
          expect(second.validate(instance, foreign).errors).toEqual([]);
          // What came through JSON is judged the same.
          const parsed: unknown = JSON.parse(before);
          expect(parsed).toEqual(instance);
          expect(validate(parsed)).toBeUndefined();
        }),
        runsPerMessage(10),
      );
    },
  );

  test.each(messagesOf(version))(
    "$name: both validators refuse an instance that breaks one rule",
    ({ schema, definitions, validate }) => {
      const foreign = standalone(schema, definitions);
      fc.assert(
        fc.property(invalidFromSchema(schema, definitions), ({ instance, rule, path }) => {
          const before = structuredClone(instance);
          deepFreeze(instance);
          expect(validate(instance)).toMatchObject({ rule, path });
          expect(instance).toEqual(before);
          expect(second.validate(instance, foreign).valid).toBe(false);
        }),
        runsPerMessage(20),
      );
    },
  );
});

test("the messages of all versions are 236 requests and 235 responses: NotifyPeriodicEventStream has none", () => {
  const all = ocppVersions.flatMap(messagesOf);
  expect(all.filter(({ direction }) => direction === "request")).toHaveLength(236);
  expect(all.filter(({ direction }) => direction === "response")).toHaveLength(235);
});

/** Names of all properties below a schema, `[]` standing for the items of a list. */
function propertiesOf(reference: JsonSchema, definitions: Definitions, path = ""): string[] {
  const { items, properties = {} } = resolveSchema(reference, definitions);
  const inner = Object.entries(properties).flatMap(([name, part]) => [
    `${path}.${name}`,
    ...propertiesOf(part, definitions, `${path}.${name}`),
  ]);
  return items === undefined ? inner : [...inner, ...propertiesOf(items, definitions, `${path}[]`)];
}

function collectPaths(value: unknown, found: Set<string>, path = ""): void {
  if (Array.isArray(value)) for (const item of value) collectPaths(item, found, `${path}[]`);
  else if (typeof value === "object" && value !== null) {
    for (const [name, part] of Object.entries(value)) {
      found.add(`${path}.${name}`);
      collectPaths(part, found, `${path}.${name}`);
    }
  }
}

test.each(ocppVersions)("the generated messages of OCPP %s have every property that a schema describes", (version) => {
  for (const { name, schema, definitions } of messagesOf(version)) {
    const found = new Set<string>();
    for (const instance of fc.sample(arbitraryFromSchema(schema, definitions), { numRuns: 20, seed: 1 })) {
      collectPaths(instance, found);
    }
    const missing = propertiesOf(schema, definitions).filter((path) => !found.has(path));
    expect({ name, missing }).toEqual({ name, missing: [] });
  }
});

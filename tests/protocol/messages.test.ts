import {
  type CatalogueEntry,
  catalogue,
  definitionsOf,
  type JsonSchema,
  type OcppVersion,
  ocppVersions,
} from "@polyphase/ocpp";
import { arbitraryFromSchema, type Definitions, invalidFromSchema, resolveSchema } from "@polyphase/testing";
import fc from "fast-check";
import { type Schema, Validator } from "jsonschema";
import { describe, expect, test } from "vitest";

// A validator of another author judges the same instances. It knows date-times only by a loose pattern, so that
// format is judged by a slow reference of our own.
const second = new Validator();
second.customFormats["exact-date-time"] = (text: unknown) => typeof text !== "string" || isDateTimeByCalendar(text);

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

function isDateTimeByCalendar(text: string): boolean {
  const match = RFC_3339.exec(text);
  if (match === null) return false;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, seconds = 0] = match.slice(1, 7).map(Number);
  const date = new Date(Date.UTC(2000, 0, 1));
  date.setUTCFullYear(year, month - 1, day);
  const exists = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return exists && hour < 24 && minute < 60 && seconds < 60;
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

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const part of Object.values(value)) deepFreeze(part);
    Object.freeze(value);
  }
  return value;
}

interface Message {
  readonly name: string;
  readonly version: OcppVersion;
  readonly schema: JsonSchema;
  validate(payload: unknown): ReturnType<CatalogueEntry["validateRequest"]>;
}

function messagesOf(version: OcppVersion): readonly Message[] {
  return [...catalogue(version).values()].flatMap((entry) => {
    const { action, requestSchema, responseSchema } = entry;
    const request = {
      name: `${action}Request`,
      version,
      schema: requestSchema,
      validate: (payload: unknown) => entry.validateRequest(payload),
    };
    if (responseSchema === undefined) return [request];
    const response = {
      name: `${action}Response`,
      version,
      schema: responseSchema,
      validate: (payload: unknown) => entry.validateResponse(payload),
    };
    return [request, response];
  });
}

describe.each(ocppVersions)("OCPP %s", (version) => {
  const definitions = definitionsOf(version);

  test.each(messagesOf(version))(
    "$name: both validators accept what its schema allows, and change nothing",
    (message) => {
      const foreign = standalone(message.schema, definitions);
      fc.assert(
        fc.property(arbitraryFromSchema(message.schema, definitions), (instance) => {
          const before = JSON.stringify(instance);
          deepFreeze(instance);
          expect(message.validate(instance)).toBeUndefined();
          expect(JSON.stringify(instance)).toBe(before);
          expect(second.validate(instance, foreign).errors).toEqual([]);
          // What came through JSON is judged the same.
          const parsed: unknown = JSON.parse(before);
          expect(parsed).toEqual(instance);
          expect(message.validate(parsed)).toBeUndefined();
        }),
        { numRuns: 15 },
      );
    },
  );

  test.each(messagesOf(version))("$name: both validators refuse an instance that breaks one rule", (message) => {
    const foreign = standalone(message.schema, definitions);
    fc.assert(
      fc.property(invalidFromSchema(message.schema, definitions), ({ instance, rule, path }) => {
        deepFreeze(instance);
        expect(message.validate(instance)).toMatchObject({ rule, path });
        expect(second.validate(instance, foreign).valid).toBe(false);
      }),
      { numRuns: 25 },
    );
  });
});

test("the messages of all versions are 236 requests and 235 responses: NotifyPeriodicEventStream has none", () => {
  const all = ocppVersions.flatMap(messagesOf);
  expect(all.filter(({ name }) => name.endsWith("Request"))).toHaveLength(236);
  expect(all.filter(({ name }) => name.endsWith("Response"))).toHaveLength(235);
});

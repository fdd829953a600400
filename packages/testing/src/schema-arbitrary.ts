import type { JsonSchema } from "@polyphase/ocpp";
import fc from "fast-check";

/** Named schemas that references point at, as `definitionsOf` of \@polyphase/ocpp gives them. */
export type Definitions = Readonly<Record<string, JsonSchema>>;

/** Which optional properties an instance has. With "all" it has every property that its schema describes. */
type Optional = "all" | "some" | "none";

/** Below this depth lists are short, so that the large messages of 2.1 stay small. */
const DEPTH_OF_LISTS = 3;
const LONGEST_FREE_TEXT = 60;
const MOST_ITEMS = 3;

/**
 * Follows the reference of a schema.
 *
 * @throws Error when it points nowhere
 */
export function resolveSchema(schema: JsonSchema, definitions: Definitions): JsonSchema {
  if (schema.$ref === undefined) return schema;
  const found = definitions[schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1)];
  if (found === undefined) throw new Error(`no definition for ${schema.$ref}`);
  return resolveSchema(found, definitions);
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

const zone = fc.oneof(
  fc.constantFrom("Z", "z"),
  fc
    .tuple(fc.constantFrom("+", "-"), fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
    .map(([sign, hours, minutes]) => `${sign}${two(hours)}:${two(minutes)}`),
);

const ordinaryDateTimes = fc
  .tuple(
    fc.oneof(
      fc.date({ min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true }),
      fc.constantFrom(new Date("2024-02-29T23:59:59Z"), new Date("2000-02-29T00:00:00Z"), new Date(0)),
    ),
    fc.constantFrom("T", "t"),
    fc.option(fc.stringMatching(/^[0-9]{1,12}$/), { nil: undefined }),
    zone,
  )
  .map(([date, separator, fraction, offset]) => {
    const [day, time] = date.toISOString().slice(0, 19).split("T");
    return `${day}${separator}${time}${fraction === undefined ? "" : `.${fraction}`}${offset}`;
  });

/**
 * Date-times of RFC 3339 with every freedom it gives: fractions of any length, offsets, small letters, leap days,
 * leap seconds.
 */
export const dateTimeArbitrary: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: ordinaryDateTimes, weight: 9 },
  { arbitrary: fc.constantFrom("2016-12-31T23:59:60Z", "1990-12-31t15:59:60.5-08:00"), weight: 1 },
);

/** Texts that are no date-time, each for another reason. */
export const noDateTimes: readonly string[] = [
  "",
  "yesterday",
  "2026-01-01",
  "2026-01-01T00:00:00",
  "2026-01-01 00:00:00Z",
  "2026-02-29T00:00:00Z",
  "1900-02-29T00:00:00Z",
  "2026-13-01T00:00:00Z",
  "2026-00-10T00:00:00Z",
  "2026-01-00T00:00:00Z",
  "2026-04-31T00:00:00Z",
  "2026-01-01T24:00:00Z",
  "2026-01-01T00:60:00Z",
  "2026-01-01T00:00:60Z",
  "2026-01-01T00:00:00.Z",
  "2026-01-01T00:00:00+01",
  "2026-01-01T00:00:00+0100",
  "2026-01-01T00:00:00+24:00",
  "2026-01-01T00:00:00Z ",
  "26-01-01T00:00:00Z",
  "2026-1-1T00:00:00Z",
];

const uris = fc.constantFrom(
  "https://csms.example.org/firmware/a.bin?version=1.2#part",
  "ftp://user@files.example.org:2121/logs/",
  "http://[2001:db8::1]:8080/ocpp",
  "urn:example:a%20b",
);

/** Texts that are no absolute URI. */
export const noUris: readonly string[] = [
  "",
  "no uri",
  "/only/a/path",
  "//host/path",
  "http://host/a b",
  "1http://host",
];

/** Text with a length, counted in code points, between the bounds; the bounds themselves come often. */
function textBetween(least: number, most: number): fc.Arbitrary<string> {
  const exact = (length: number): fc.Arbitrary<string> =>
    fc.oneof(
      fc.constant("x".repeat(length)),
      fc.integer({ min: 0x20, max: 0x10_ff_ff }).map((point) => String.fromCodePoint(tame(point)).repeat(length)),
    );
  const short = Math.min(most, Math.max(least, LONGEST_FREE_TEXT));
  return fc.oneof(
    { arbitrary: fc.string({ unit: "grapheme-ascii", minLength: least, maxLength: short }), weight: 4 },
    { arbitrary: fc.string({ unit: "binary", minLength: least, maxLength: short }), weight: 1 },
    { arbitrary: exact(least), weight: 1 },
    { arbitrary: exact(most), weight: 1 },
  );
}

/** Keeps out halves of surrogate pairs, which no UTF-8 text can hold. */
function tame(point: number): number {
  return point >= 0xd800 && point <= 0xdfff ? 0x1f50c : point;
}

function textArbitrary(schema: JsonSchema): fc.Arbitrary<string> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.format === "date-time") return dateTimeArbitrary;
  if (schema.format === "uri") return uris;
  if (schema.format !== undefined) throw new Error(`no arbitrary for format ${schema.format}`);
  return textBetween(schema.minLength ?? 0, schema.maxLength ?? LONGEST_FREE_TEXT);
}

function integerArbitrary(schema: JsonSchema): fc.Arbitrary<number> {
  const min = Math.ceil(schema.minimum ?? -(2 ** 31));
  const max = Math.floor(schema.maximum ?? Math.max(2 ** 31 - 1, min));
  return fc.oneof(fc.integer({ min, max }), fc.constantFrom(min, max));
}

function numberArbitrary(schema: JsonSchema): fc.Arbitrary<number> {
  const min = schema.minimum ?? -1e9;
  const max = schema.maximum ?? Math.max(1e9, min);
  if (schema.multipleOf !== undefined) {
    const steps = Math.round(1 / schema.multipleOf);
    const bound = { min: Math.ceil(Math.max(min, -1e6) * steps), max: Math.floor(Math.min(max, 1e6) * steps) };
    // Divided and not multiplied: 3 / 10 is the number that "0.3" is read as, 3 * 0.1 is not.
    return fc.integer(bound).map((value) => value / steps);
  }
  return fc.oneof(
    integerArbitrary({ minimum: min, maximum: max }),
    // JSON has no negative zero.
    fc.double({ min, max, noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
    fc.constantFrom(min, max),
  );
}

const anyValue = fc.oneof(fc.string({ maxLength: 20 }), fc.integer(), fc.boolean(), fc.constant({ any: ["value"] }));
const freeName = fc.stringMatching(/^x[A-Za-z]{0,8}$/);

function objectArbitrary(
  schema: JsonSchema,
  definitions: Definitions,
  depth: number,
  optional: Optional,
): fc.Arbitrary<object> {
  const required = schema.required ?? [];
  const wanted = Object.entries(schema.properties ?? {}).filter(
    ([name]) => optional !== "none" || required.includes(name),
  );
  const known = fc.record(
    Object.fromEntries(wanted.map(([name, property]) => [name, instance(property, definitions, depth + 1, optional)])),
    { requiredKeys: optional === "all" ? wanted.map(([name]) => name) : [...required], noNullPrototype: true },
  );
  if (schema.additionalProperties === false) return known;
  const extra = fc.dictionary(
    freeName.filter((name) => schema.properties?.[name] === undefined),
    anyValue,
    { maxKeys: 2, noNullPrototype: true },
  );
  return fc.tuple(known, extra).map(([values, more]) => ({ ...more, ...values }));
}

function arrayArbitrary(
  { items = {}, minItems = 0, maxItems = Number.POSITIVE_INFINITY }: JsonSchema,
  definitions: Definitions,
  depth: number,
  optional: Optional,
): fc.Arbitrary<unknown[]> {
  const minLength = Math.min(maxItems, Math.max(minItems, optional === "all" ? 1 : 0));
  const most = depth < DEPTH_OF_LISTS && optional !== "all" ? MOST_ITEMS : 1;
  const maxLength = Math.min(maxItems, Math.max(minLength, most));
  return fc.array(instance(items, definitions, depth + 1, optional), { minLength, maxLength });
}

function instance(
  reference: JsonSchema,
  definitions: Definitions,
  depth: number,
  optional: Optional,
): fc.Arbitrary<unknown> {
  const schema = resolveSchema(reference, definitions);
  switch (schema.type) {
    case "object":
      return objectArbitrary(schema, definitions, depth, optional);
    case "array":
      return arrayArbitrary(schema, definitions, depth, optional);
    case "string":
      return textArbitrary(schema);
    case "integer":
      return integerArbitrary(schema);
    case "number":
      return numberArbitrary(schema);
    case "boolean":
      return fc.boolean();
    default:
      return anyValue;
  }
}

/**
 * Generates values that a schema of the catalogue accepts, honouring every keyword that its schemas use. Some have
 * every property down to the deepest, some only what is required. The values survive a trip through JSON unchanged.
 */
export function arbitraryFromSchema(schema: JsonSchema, definitions: Definitions): fc.Arbitrary<unknown> {
  return fc.oneof(
    { arbitrary: instance(schema, definitions, 0, "none"), weight: 1 },
    { arbitrary: instance(schema, definitions, 0, "some"), weight: 2 },
    { arbitrary: instance(schema, definitions, 0, "all"), weight: 2 },
  );
}

import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { columnCodecs } from "./column-codec.ts";
import { planWrites, StatementCompiler } from "./write-plan.ts";
import type { ColumnType, WriteStatement } from "./write-unit.ts";

let testDatabase: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  client = new pg.Client({ connectionString: testDatabase.url });
  await client.connect();
  await client.query("set timezone = 'UTC'");
});

afterAll(async () => {
  await client.end();
  await testDatabase.drop();
});

/** What the server makes of the values, as text. */
async function sent(type: ColumnType, values: readonly unknown[], output = "value::text"): Promise<readonly unknown[]> {
  const statement: WriteStatement<{ readonly value: unknown }> = {
    name: "echo",
    order: 1,
    columns: { value: type },
    sql: (rows) => `select ${output} as value from ${rows}`,
  };
  const compiler = new StatementCompiler();
  const [write] = planWrites(values.map((value) => compiler.row(statement, { value })));
  const { rows } = await client.query<{ value: unknown }>(write?.text ?? "", [...(write?.values ?? [])]);
  return rows.map(({ value }) => value);
}

function tidy(text: string): string {
  return text.replace(/\0|\p{Surrogate}/gu, "\uFFFD");
}

const texts = fc.array(fc.option(fc.string({ unit: "binary", maxLength: 40 })), { minLength: 1, maxLength: 30 });

test("text of any kind arrives as it is, but for NUL and broken surrogates", async () => {
  await fc.assert(
    fc.asyncProperty(texts, async (values) => {
      const expected = values.map((value) => (value === null ? null : tidy(value)));
      expect(await sent("text", values)).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

test("jsonb holds any JSON value, but for NUL and broken surrogates", async () => {
  const clean = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value, (_, part: unknown) => (typeof part === "string" ? tidy(part) : part)));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue({ stringUnit: "binary", maxDepth: 3 }), { minLength: 1, maxLength: 10 }),
      async (values) => {
        const withoutOddKeys = values.filter(
          (value) => !/"(?:[^"\\]|\\.)*\\u(?:0000|d[89a-f]).*":/.test(JSON.stringify(value)),
        );
        fc.pre(withoutOddKeys.length > 0);
        const arrived = await sent(
          "jsonb",
          withoutOddKeys.map((value) => JSON.stringify(value)),
          "value",
        );
        expect(arrived.map(sortKeys)).toEqual(withoutOddKeys.map((value) => sortKeys(clean(value))));
      },
    ),
    { numRuns: 60 },
  );
});

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? 0 : value;
  const entries = Object.entries(value).map(([key, part]) => [key, sortKeys(part)] as const);
  return Object.fromEntries(entries.sort(([first], [second]) => (first < second ? -1 : 1)));
}

test("JSON that is broken only by NUL or half a surrogate pair is mended, and escaped text is left alone", async () => {
  const texts = [
    '"a\\u0000b"',
    '"\\ud83d"',
    '"\\ude00\\ud83d"',
    '"\\ud83d\\ude00"',
    '"\\\\u0000"',
    '"\\\\\\u0000"',
    '"é\\n"',
  ];
  expect(await sent("jsonb", texts, "value")).toEqual(["a�b", "�", "��", "😀", "\\u0000", "\\�", "é\n"]);
});

test("integers, bigints and floating-point numbers arrive exactly", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { minLength: 1 }),
      fc.array(fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), { minLength: 1 }),
      fc.array(fc.double(), { minLength: 1 }),
      async (integers, bigints, doubles) => {
        expect(await sent("integer", integers)).toEqual(integers.map(String));
        expect(await sent("bigint", bigints)).toEqual(bigints.map((value) => (value === 0 ? "0" : String(value))));
        const arrived = await sent("double precision", doubles, "value");
        expect(arrived.map((value) => (Object.is(value, -0) ? 0 : value))).toEqual(
          doubles.map((value) => (Object.is(value, -0) ? 0 : value)),
        );
      },
    ),
    { numRuns: 40 },
  );
});

test("times arrive exactly, as Date and as text with microseconds and any offset", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true }), {
        minLength: 1,
      }),
      async (dates) => {
        const expected = dates.map((date) => String(BigInt(date.getTime()) * 1000n));
        const output = "trunc(extract(epoch from value) * 1000000)::text";
        expect(await sent("timestamptz", dates, output)).toEqual(expected);
        const asTexts = dates.map((date) => date.toISOString());
        expect(await sent("timestamptz", asTexts, output)).toEqual(expected);
      },
    ),
    { numRuns: 40 },
  );
  expect(
    await sent("timestamptz", [
      "2026-01-01T01:00:00.1234567+01:00",
      "2026-01-01T00:00:00.1Z",
      "1969-12-31T23:59:59.999999Z",
      "1970-01-01T00:00:00Z",
    ]),
  ).toEqual([
    "2026-01-01 00:00:00.123456+00",
    "2026-01-01 00:00:00.1+00",
    "1969-12-31 23:59:59.999999+00",
    "1970-01-01 00:00:00+00",
  ]);
});

test("booleans, bytes, decimals and identifiers arrive as they are", async () => {
  expect(await sent("boolean", [true, null, false], "value")).toEqual([true, null, false]);
  const bytes = [Buffer.from([0, 255, 1]), null, Buffer.alloc(0)];
  expect(await sent("bytea", bytes, "value")).toEqual(bytes);
  expect(await sent("numeric", ["12345678901234567890.123", 0.5, -7n, null])).toEqual([
    "12345678901234567890.123",
    "0.5",
    "-7",
    null,
  ]);
  expect(await sent("uuid", ["0b0e5d3c-6f0c-4ee2-9d94-0f5f0d3b3b11", null])).toEqual([
    "0b0e5d3c-6f0c-4ee2-9d94-0f5f0d3b3b11",
    null,
  ]);
});

test.each<readonly [ColumnType, unknown]>([
  ["text", 5],
  ["jsonb", { a: 1 }],
  ["integer", 2 ** 31],
  ["integer", 1.5],
  ["integer", "1"],
  ["bigint", 2 ** 53],
  ["bigint", 2n ** 63n],
  ["double precision", "1"],
  ["boolean", 1],
  ["timestamptz", "2026-01-01T00:00:00"],
  ["timestamptz", "yesterday"],
  ["timestamptz", new Date(Number.NaN)],
  ["numeric", "1,5"],
  ["numeric", Number.NaN],
  ["uuid", "not-one"],
  ["bytea", "text"],
])("a column of type %s refuses %o", (type, value) => {
  expect(() => columnCodecs[type].check(value)).toThrow(/./);
});

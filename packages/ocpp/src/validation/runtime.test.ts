import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { characterCount, isDateTime, isUri } from "./runtime.ts";

const GRAMMAR = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|([+-])(\d\d):(\d\d))$/;

/** RFC 3339 §5.6 and §5.7 spelt out slowly: its grammar, a calendar that counts days one by one, and leap seconds. */
function isDateTimeByTheBook(text: string): boolean {
  const match = GRAMMAR.exec(text);
  if (match === null) return false;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (month < 1 || month > 12 || day < 1 || day > daysOf(year, month)) return false;
  if (hour > 23 || minute > 59 || second > 60) return false;
  const [sign, zoneHour, zoneMinute] = [match[9], Number(match[10] ?? 0), Number(match[11] ?? 0)];
  if (zoneHour > 23 || zoneMinute > 59) return false;
  if (second < 60) return true;
  const behindUtc = (zoneHour * 60 + zoneMinute) * (sign === "-" ? -1 : 1);
  const minuteOfDayUtc = (hour * 60 + minute - behindUtc + 2 * 1440) % 1440;
  return minuteOfDayUtc === 23 * 60 + 59;
}

function daysOf(year: number, month: number): number {
  let days = 28;
  for (;;) {
    const next = new Date(Date.UTC(2000, 0, 1));
    next.setUTCFullYear(year, month - 1, days + 1);
    if (next.getUTCMonth() !== month - 1) return days;
    days++;
  }
}

const twoDigits = fc
  .oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 99 }))
  .map((n) => String(n).padStart(2, "0"));
/** Mostly one of the values that are right in many places, at times an odd one. */
const mostly = (right: readonly string[], odd: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(
    { arbitrary: fc.constantFrom(...right), weight: 12 },
    { arbitrary: fc.constantFrom(...odd), weight: 2 },
    { arbitrary: twoDigits, weight: 1 },
  );

/** Texts close to a date-time: each part is mostly right, and now and then just wrong. */
const nearDateTimes = fc
  .tuple(
    mostly(["2024", "2023", "1900", "2000", "9999", "0001"], ["0000", "10000", "-001"]),
    mostly(["01", "02", "04", "12"], ["13", "00"]),
    mostly(["28", "29", "30", "01"], ["31", "00", "32"]),
    mostly(["T", "t"], [" ", "", "4"]),
    mostly(["00", "23", "12"], ["24"]),
    mostly(["59", "00"], ["60"]),
    mostly(["59", "00"], ["60", "61"]),
    mostly(["", ".0", ".123456789012"], [".", ",5", ".5x"]),
    fc.oneof(
      mostly(["Z", "z", "-00:00", "+23:59", "-23:59"], ["", "+01", "+0100", "Z ", "+24:00", "+00:60", "*01:00"]),
      fc
        .tuple(fc.constantFrom("+", "-"), twoDigits, twoDigits)
        .map(([sign, hours, minutes]) => `${sign}${hours}:${minutes}`),
    ),
  )
  .map(([year, month, day, separator, hour, minute, second, fraction, zone]) =>
    [`${year}-${month}-${day}`, separator, `${hour}:${minute}:${second}`, fraction, zone].join(""),
  );

describe("isDateTime", () => {
  test("judges as RFC 3339 does, for texts that are nearly date-times", () => {
    let valid = 0;
    fc.assert(
      fc.property(nearDateTimes, (text) => {
        const expected = isDateTimeByTheBook(text);
        if (expected) valid++;
        expect(isDateTime(text)).toBe(expected);
      }),
      { numRuns: 20_000 },
    );
    // Both verdicts were exercised.
    expect(valid).toBeGreaterThan(500);
  });

  test("judges every day of four centuries, and the days beside them, as the calendar does", () => {
    for (let year = 1896; year <= 2304; year++) {
      for (let month = 0; month <= 13; month++) {
        for (const day of [0, 1, 28, 29, 30, 31, 32]) {
          const text = `${year}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}T00:00:00Z`;
          if (isDateTime(text) !== isDateTimeByTheBook(text)) expect(text).toBe("judged equally");
        }
      }
    }
    expect(isDateTime("2000-02-29T00:00:00Z")).toBe(true);
    expect(isDateTime("2100-02-29T00:00:00Z")).toBe(false);
  });

  test("takes second 60 exactly where it is 23:59 in UTC", () => {
    let leaps = 0;
    for (let offset = -23 * 60 - 59; offset <= 23 * 60 + 59; offset += 7) {
      for (let minuteOfDay = 0; minuteOfDay < 1440; minuteOfDay += 1) {
        const size = Math.abs(offset);
        const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
        const zone = `${offset < 0 ? "-" : "+"}${two(size / 60)}:${two(size % 60)}`;
        const text = `2016-12-31T${two(minuteOfDay / 60)}:${two(minuteOfDay % 60)}:60${zone}`;
        const leap = (((minuteOfDay - offset) % 1440) + 1440) % 1440 === 1439;
        if (leap) leaps++;
        if (isDateTime(text) !== leap) expect(text).toBe("judged as a leap second");
      }
    }
    expect(leaps).toBeGreaterThan(400);
  });

  test("takes any text without failing", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        expect(isDateTime(text)).toBe(isDateTimeByTheBook(text));
      }),
    );
  });
});

test("characterCount counts code points, and halves of pairs as one each", () => {
  fc.assert(
    fc.property(
      fc
        .array(fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("\ud83d", "\ude00", "😀")))
        .map((parts) => parts.join("")),
      (text) => {
        expect(characterCount(text)).toBe([...text].length);
      },
    ),
    { numRuns: 2_000 },
  );
});

describe("isUri", () => {
  test.each([
    "http://csms.example.org",
    "https://user@host:8443/a/b;c=1?x=%20#y",
    "ftp://[2001:db8::1]/file",
    "urn:ocpp:x",
    "data:,a",
    "a+b-c.d:e",
  ])("takes %s", (text) => {
    expect(isUri(text)).toBe(true);
  });

  test.each([
    "",
    "http",
    "http:",
    "://x",
    "1http://host",
    "/path",
    "http://a b",
    "http://host/%zz",
    "http://host/%2",
    "http://ü",
    "ht tp://x",
  ])("refuses %j", (text) => {
    expect(isUri(text)).toBe(false);
  });

  test("takes what URL makes of any path, query and fragment", () => {
    fc.assert(
      fc.property(fc.webUrl({ withFragments: true, withQueryParameters: true }), (text) => {
        expect(isUri(new URL(text).href)).toBe(true);
      }),
    );
  });
});

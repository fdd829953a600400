const PARTS = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(?:\s*([Zz])|\s*([+-]\d{2})(?::?(\d{2}))?)?$/;

const LEAP_SECOND = /^(\d{2}:\d{2}):60(\.\d+)?$/;

/** The earliest and the latest moment that PostgreSQL and a JavaScript Date both hold with four digits of year. */
const EARLIEST_MS = Date.parse("0001-01-01T00:00:00Z");
const LATEST_MS = Date.parse("9999-12-31T23:59:59.999Z");

/**
 * Milliseconds since 1970 of a station's date-time, or undefined when the text is none. Stations also write no zone
 * (read as UTC, as the specification recommends to use) and offsets such as `+02`.
 */
export function stationTime(text: string): number | undefined {
  // The usual form needs no picking apart.
  const fast = text.endsWith("Z") ? Date.parse(text) : Number.NaN;
  const ms = Number.isNaN(fast) ? parseTolerantly(text) : fast;
  return ms >= EARLIEST_MS && ms <= LATEST_MS ? ms : undefined;
}

function parseTolerantly(text: string): number {
  const match = PARTS.exec(text.trim());
  if (match === null) return Number.NaN;
  const [, date, time, , offsetHours, offsetMinutes] = match;
  const zone = offsetHours === undefined ? "Z" : `${offsetHours}:${offsetMinutes ?? "00"}`;
  // RFC 3339 allows the leap second, which a Date does not have: it is the first moment of the next minute.
  const [, minute, fraction = ""] = LEAP_SECOND.exec(time ?? "") ?? [];
  if (minute === undefined) return Date.parse(`${date}T${time}${zone}`);
  return Date.parse(`${date}T${minute}:59${fraction}${zone}`) + 1_000;
}

/** As {@link stationTime}, with the moment of arrival for what is no date-time. */
export function stationDate(text: string, receivedAt: Date): Date {
  const ms = stationTime(text);
  return ms === undefined ? receivedAt : new Date(ms);
}

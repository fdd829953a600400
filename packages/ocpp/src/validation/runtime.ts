// What the generated validators call.

/**
 * Length of a text in Unicode code points, as JSON Schema counts `maxLength`.
 */
export function characterCount(text: string): number {
  const units = text.length;
  let surrogatePairs = 0;
  for (let index = 0; index < units - 1; index++) {
    const unit = text.charCodeAt(index);
    if (unit >= 0xd800 && unit <= 0xdbff) {
      const next = text.charCodeAt(index + 1);
      if (next >= 0xdc00 && next <= 0xdfff) {
        surrogatePairs++;
        index++;
      }
    }
  }
  return units - surrogatePairs;
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function digits(text: string, from: number, count: number): number {
  let value = 0;
  for (let index = from; index < from + count; index++) {
    const digit = text.charCodeAt(index) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/**
 * Whether the text is a date-time of RFC 3339 §5.6: calendar days that exist, `T` and `Z` in either case, a
 * zone always present, and second 60 only where a leap second can be, at 23:59 UTC.
 */
export function isDateTime(text: string): boolean {
  const length = text.length;
  if (length < 20) return false;
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  const day = digits(text, 8, 2);
  const hour = digits(text, 11, 2);
  const minute = digits(text, 14, 2);
  const second = digits(text, 17, 2);
  if (!(year >= 0 && month >= 1 && month <= 12 && day >= 1 && hour <= 23 && minute <= 59 && second <= 60)) {
    return false;
  }
  const separator = text.charCodeAt(10) | 0x20;
  if (
    text.charCodeAt(4) !== 45 ||
    text.charCodeAt(7) !== 45 ||
    separator !== 0x74 ||
    text.charCodeAt(13) !== 58 ||
    text.charCodeAt(16) !== 58
  ) {
    return false;
  }
  const leapYear = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const lastDay = month === 2 && leapYear ? 29 : (DAYS[month - 1] ?? 0);
  if (day > lastDay) return false;
  let zone = 19;
  if (text.charCodeAt(zone) === 46) {
    zone++;
    const fraction = zone;
    while (zone < length && text.charCodeAt(zone) >= 48 && text.charCodeAt(zone) <= 57) zone++;
    if (zone === fraction) return false;
  }
  const sign = text.charCodeAt(zone);
  if (sign === 0x5a || sign === 0x7a) {
    return zone + 1 === length && (second < 60 || (hour === 23 && minute === 59));
  }
  if ((sign !== 43 && sign !== 45) || zone + 6 !== length || text.charCodeAt(zone + 3) !== 58) return false;
  const zoneHour = digits(text, zone + 1, 2);
  const zoneMinute = digits(text, zone + 4, 2);
  if (!(zoneHour <= 23 && zoneMinute <= 59)) return false;
  if (second < 60) return true;
  const offset = (zoneHour * 60 + zoneMinute) * (sign === 43 ? 1 : -1);
  return (((hour * 60 + minute - offset) % 1440) + 1440) % 1440 === 1439;
}

const ABSOLUTE_URI = /^[A-Za-z][A-Za-z0-9+.-]*:[\w\-.~:/?#[\]@!$&'()*+,;=%]+$/;
const BROKEN_ESCAPE = /%(?![0-9A-Fa-f]{2})/;

/** Whether the text is an absolute URI of RFC 3986: a scheme, then only characters that a URI may hold. */
export function isUri(text: string): boolean {
  return ABSOLUTE_URI.test(text) && !BROKEN_ESCAPE.test(text);
}

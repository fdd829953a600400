import { catalogue, definitionsOf, isDateTime, type JsonSchema } from "@polyphase/ocpp";
import { removed, type Visitor, walk } from "./payload-walk.ts";
import { repaired, type ToleranceRule } from "./rule.ts";

/** `null` stands for an absent value in many stations; OCPP leaves absent values out. */
export const nullValues: ToleranceRule = {
  name: "null-values",
  description: "Properties that are null are read as if they were absent",
  isDefault: true,
  payload: (deviation) =>
    repaired(deviation, walk(deviation, { enter: ({ value }) => (value === null ? removed : value) })),
};

/** Vendors add properties of their own. */
export const unknownProperties: ToleranceRule = {
  name: "unknown-properties",
  description: "Properties that the message does not have are ignored",
  isDefault: true,
  payload: (deviation) => repaired(deviation, walk(deviation, { enter: withoutUnknownProperties })),
};

const withoutUnknownProperties: Visitor = ({ value, schema }) => {
  const { properties, additionalProperties } = schema;
  const isClosed = additionalProperties === false && properties !== undefined;
  if (!isClosed || typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const known = Object.entries(value).filter(([name]) => Object.hasOwn(properties, name));
  return known.length === Object.keys(value).length ? value : Object.fromEntries(known);
};

/** Configuration values and meter values that are numbers or booleans where the schema wants text. */
export const numberForText: ToleranceRule = {
  name: "number-for-text",
  description: "Numbers and booleans are taken where text is due",
  isDefault: true,
  payload: (deviation) =>
    repaired(
      deviation,
      walk(deviation, {
        enter: ({ value, schema }) => {
          const isPlainText = schema.type === "string" && schema.enum === undefined && schema.format === undefined;
          return isPlainText && (typeof value === "number" || typeof value === "boolean") ? String(value) : value;
        },
      }),
    ),
};

/** DataTransfer's data as an object: 1.6 wants text, and vendors mean JSON in it. */
export const objectForText: ToleranceRule = {
  name: "object-for-text",
  description: "Objects and lists in the data of a DataTransfer of 1.x are taken as their JSON text",
  isDefault: true,
  payload: (deviation) =>
    repaired(
      deviation,
      walk(deviation, {
        enter: ({ value, schema, property }) => {
          const isText = schema.type === "string" && deviation.action === "DataTransfer" && property === "data";
          return isText && typeof value === "object" && value !== null ? JSON.stringify(value) : value;
        },
      }),
    ),
};

/** Times without zone, with a short offset, or with a space. */
export const timeFormat: ToleranceRule = {
  name: "time-format",
  description: "Times without a zone are read as UTC; offsets such as +02 and +0200 are understood",
  isDefault: true,
  payload: (deviation) =>
    repaired(
      deviation,
      walk(deviation, {
        enter: ({ value, schema }) =>
          schema.format === "date-time" && typeof value === "string" && !isDateTime(value)
            ? (readableTime(value) ?? value)
            : value,
      }),
    ),
};

const looseTime = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(:\d\d)?(?:[.,](\d+))? ?(?:([Zz])|([+-]\d\d)(?::?(\d\d))?)?$/;

function readableTime(text: string): string | undefined {
  const match = looseTime.exec(text.trim());
  if (match === null) return undefined;
  const [, date, minutes, seconds = ":00", fraction, , offsetHours, offsetMinutes = "00"] = match;
  const zone = offsetHours === undefined ? "Z" : `${offsetHours}:${offsetMinutes}`;
  const time = `${date}T${minutes}${seconds}${fraction === undefined ? "" : `.${fraction}`}${zone}`;
  return isDateTime(time) ? time : undefined;
}

/** Lists that are empty where the schema wants an item: a sampledValue without values, and what holds nothing else. */
export const emptyLists: ToleranceRule = {
  name: "empty-lists",
  description: "Empty lists are read as if they were absent; meter values without a sampled value are ignored",
  isDefault: true,
  payload: (deviation) => repaired(deviation, walk(deviation, { leave: withoutEmptyLists })),
};

const withoutEmptyLists: Visitor = ({ value, schema, property, isRequired }) => {
  if (Array.isArray(value)) {
    const mayGo = value.length === 0 && (schema.minItems ?? 0) > 0 && property !== undefined && !isRequired;
    return mayGo ? removed : value;
  }
  if (property !== undefined || typeof value !== "object" || value === null) return value;
  const { sampledValue } = value as { readonly sampledValue?: unknown };
  const isEmptyMeterValue = schema.properties?.sampledValue !== undefined && isEmpty(sampledValue);
  return isEmptyMeterValue ? removed : value;
};

const isEmpty = (value: unknown) => Array.isArray(value) && value.length === 0;

/**
 * Serial numbers, tokens and texts that are longer than allowed are kept whole: a cut token would be another token.
 * Nothing else may be wrong with the payload, which is why this rule comes last.
 */
export const overLongTexts: ToleranceRule = {
  name: "over-long-texts",
  description: "Texts up to eight times their allowed length, and at least 255 characters, are taken as they are",
  isDefault: true,
  payload(deviation) {
    const clipped = walk(deviation, { enter: clip });
    if (clipped === deviation.payload) return undefined;
    const entry = catalogue(deviation.version).get(deviation.action);
    const violation =
      deviation.direction === "request" ? entry?.validateRequest(clipped) : entry?.validateResponse(clipped);
    return violation === undefined ? { payload: deviation.payload, skipValidation: true } : undefined;
  },
};

const clip: Visitor = ({ value, schema }) => {
  const { maxLength } = schema;
  if (maxLength === undefined || typeof value !== "string" || value.length <= maxLength) return value;
  return value.length <= Math.max(8 * maxLength, 255) ? [...value].slice(0, maxLength).join("") : value;
};

/** The definition of a type, for rules that know types by name. */
export function enumOf(version: Parameters<typeof definitionsOf>[0], schema: JsonSchema): readonly string[] {
  if (schema.enum !== undefined) return schema.enum;
  const name = schema.$ref?.slice(schema.$ref.lastIndexOf("/") + 1);
  return (name === undefined ? undefined : definitionsOf(version)[name]?.enum) ?? [];
}

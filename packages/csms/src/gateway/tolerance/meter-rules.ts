import type { JsonSchema } from "@polyphase/ocpp";
import { walk } from "./payload-walk.ts";
import { repaired, type ToleranceRule } from "./rule.ts";

/** Meters with decimals, told where OCPP 1.x wants whole watt-hours: refusing the stop would leave the transaction open. */
export const fractionalMeter: ToleranceRule = {
  name: "fractional-meter",
  description: "meterStart and meterStop with a fraction are rounded to whole watt-hours",
  isDefault: true,
  payload: (deviation) =>
    repaired(
      deviation,
      walk(deviation, {
        enter: ({ value, property }) =>
          typeof value === "number" && (property === "meterStart" || property === "meterStop")
            ? Math.round(value)
            : value,
      }),
    ),
};

/** Messages without their time, which stations send before their clock is set. */
export const missingTime: ToleranceRule = {
  name: "missing-time",
  description: "A message without the time that it must have is given the time of its arrival",
  isDefault: true,
  payload: (deviation, now) =>
    repaired(
      deviation,
      walk(deviation, {
        enter({ value, schema }) {
          // Only the message itself: what a meter value measured came to pass at any time before.
          if (value !== deviation.payload || deviation.direction !== "request") return value;
          const missing = requiredTimes(schema).filter((name) => !Object.hasOwn(Object(value), name));
          if (missing.length === 0 || typeof value !== "object" || value === null || Array.isArray(value)) return value;
          return { ...value, ...Object.fromEntries(missing.map((name) => [name, now().toISOString()])) };
        },
      }),
    ),
};

function requiredTimes({ required = [], properties = {} }: JsonSchema): readonly string[] {
  return required.filter((name) => properties[name]?.format === "date-time");
}

/** Numbers in quotes. Off, because a text may be anything: a rule for stations that are known to write so. */
export const textForNumber: ToleranceRule = {
  name: "text-for-number",
  description: "Numbers and booleans that are written as texts are taken where a number or boolean is due",
  isDefault: false,
  payload: (deviation) =>
    repaired(
      deviation,
      walk(deviation, {
        enter: ({ value, schema }) => (typeof value === "string" ? (typed(value.trim(), schema.type) ?? value) : value),
      }),
    ),
};

function typed(text: string, type: JsonSchema["type"]): unknown {
  if (type === "integer") return /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
  if (type === "number") return /^-?\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : undefined;
  if (type === "boolean" && (text === "true" || text === "false")) return text === "true";
  return undefined;
}

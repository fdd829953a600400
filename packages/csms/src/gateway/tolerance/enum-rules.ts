import type { Deviation, JsonSchema } from "@polyphase/ocpp";
import { type Place, removed, walk } from "./payload-walk.ts";
import { repaired, type ToleranceRule } from "./rule.ts";
import { enumOf } from "./shape-rules.ts";

/** Values that differ from a known one in nothing but case. */
export const enumSpelling: ToleranceRule = {
  name: "enum-spelling",
  description:
    "Values that differ from a known one only in upper and lower case, or in spaces around it, are understood",
  isDefault: true,
  payload: (deviation) =>
    repaired(
      deviation,
      walk(deviation, {
        enter: ({ value, schema }) =>
          typeof value === "string" && schema.enum !== undefined ? (sameButCase(value, schema.enum) ?? value) : value,
      }),
    ),
};

/** Values that the specification does not list, where one stands for all others or the value may be left out. */
export const unknownValues: ToleranceRule = {
  name: "unknown-values",
  description:
    "Unknown error codes and reasons become OtherError and Other; sampled values of an unknown measurand, phase or " +
    "format are ignored; unknown contexts, locations and units are left out where that changes no meaning",
  isDefault: true,
  payload: (deviation) => repaired(deviation, walk(deviation, { enter: (place) => withKnownValues(deviation, place) })),
};

function withKnownValues(deviation: Deviation, place: Place): unknown {
  const { value, schema, typeName } = place;
  if (typeName === "SampledValue" || typeName === "SampledValueType") {
    return typeof value === "object" && value !== null ? knownSampledValue(deviation, value, schema) : value;
  }
  if (typeof value !== "string" || schema.enum === undefined || schema.enum.includes(value)) return value;
  return catchAll(typeName, schema.enum) ?? value;
}

/** The value that stands for all that are not listed, for types that have one. */
function catchAll(typeName: string | undefined, known: readonly string[]): string | undefined {
  const candidate = typeName === "ChargePointErrorCode" ? "OtherError" : "Other";
  const isOpenKind = typeName === "ChargePointErrorCode" || typeName === "Reason" || typeName === "ReasonEnumType";
  return isOpenKind && known.includes(candidate) ? candidate : undefined;
}

interface LooseSampledValue {
  readonly measurand?: unknown;
  readonly context?: unknown;
  readonly unit?: unknown;
}

/**
 * The sampled value with what is known of it. Without its measurand it would count as the energy register, without
 * its phase as the sum of all, without its format as a plain number: then it is ignored rather than misread.
 */
function knownSampledValue(deviation: Deviation, value: object, schema: JsonSchema): unknown {
  const isKnown = (property: string, item: unknown) => {
    const listed = enumOf(deviation.version, schema.properties?.[property] ?? {});
    return item === undefined || listed.length === 0 || (typeof item === "string" && listed.includes(item));
  };
  const entries = Object.entries(value);
  if (entries.some(([name, item]) => ["measurand", "phase", "format"].includes(name) && !isKnown(name, item))) {
    return removed;
  }
  const { measurand = "Energy.Active.Import.Register", context, unit } = value as LooseSampledValue;
  const isEnergy = typeof measurand === "string" && measurand.startsWith("Energy.");
  // Without a unit it would be read as Wh.
  if (!isKnown("unit", unit) && isEnergy) return removed;
  const unknown = entries.filter(([name, item]) => !isKnown(name, item)).map(([name]) => name);
  if (unknown.length === 0) return value;
  const kept = Object.fromEntries(entries.filter(([name]) => !unknown.includes(name)));
  const contexts = enumOf(deviation.version, schema.properties?.context ?? {});
  return context !== undefined && unknown.includes("context") && contexts.includes("Other")
    ? { ...kept, context: "Other" }
    : kept;
}

function sameButCase(value: string, known: readonly string[]): string | undefined {
  if (known.includes(value)) return undefined;
  const wanted = value.trim().toLowerCase();
  return known.find((candidate) => candidate.toLowerCase() === wanted);
}

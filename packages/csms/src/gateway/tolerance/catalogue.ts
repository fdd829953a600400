import { type Conduct, conductDeviations } from "./conduct.ts";
import { delayedStartAnswer, missingSubprotocol, noPing, spacedCalls } from "./connection-rules.ts";
import { endpointRules } from "./endpoint-rules.ts";
import { enumSpelling, unknownValues } from "./enum-rules.ts";
import { emptyValue, leadingComma, nulInText, trailingNul } from "./frame-rules.ts";
import { fractionalMeter, missingTime, textForNumber } from "./meter-rules.ts";
import { namedRejections, type Rejection } from "./rejections.ts";
import type { ToleranceRule } from "./rule.ts";
import {
  emptyLists,
  nullValues,
  numberForText,
  objectForText,
  overLongTexts,
  timeFormat,
  unknownProperties,
} from "./shape-rules.ts";

/** Every rule that can be switched; those for frames and payloads in the order in which they are applied. */
export const toleranceRules: readonly ToleranceRule[] = [
  missingSubprotocol,
  noPing,
  delayedStartAnswer,
  spacedCalls,
  trailingNul,
  nulInText,
  leadingComma,
  emptyValue,
  nullValues,
  unknownProperties,
  numberForText,
  textForNumber,
  objectForText,
  fractionalMeter,
  missingTime,
  timeFormat,
  enumSpelling,
  unknownValues,
  emptyLists,
  overLongTexts,
  ...endpointRules,
  ...conductDeviations
    .filter(({ isSwitchable }) => isSwitchable)
    .map(({ name, description, isDefault }) => ({ name, description, isDefault })),
];

/** A deviation with a name: what stations do against the specification, and what becomes of it. */
export interface NamedDeviation {
  readonly name: string;
  /** `tolerance`: it passes where its rule is on. `rejection`: it never does. */
  readonly kind: "tolerance" | "rejection";
  /** One sentence for operators. */
  readonly description: string;
  /** Whether it passes where nobody has decided otherwise. */
  readonly isDefault: boolean;
  /** Whether that can be decided for stations and models. */
  readonly isSwitchable: boolean;
  /** From when on a decision counts. */
  readonly appliesFrom: "message" | "connection";
}

/** Everything that stations are counted for, by name. */
export const namedDeviations: ReadonlyMap<string, NamedDeviation> = new Map(
  [
    ...toleranceRules.map(({ name, description, isDefault, isOfConnection = false }) => ({
      ...{ name, kind: "tolerance" as const, description, isDefault, isSwitchable: true },
      appliesFrom: isOfConnection ? ("connection" as const) : ("message" as const),
    })),
    ...conductDeviations
      .filter(({ isSwitchable }) => !isSwitchable)
      .map(({ name, description }) => fixed(name, "tolerance", description)),
    ...namedRejections.map(({ name, description }) => fixed(name, "rejection", description)),
  ].map((deviation) => [deviation.name, deviation]),
);

function fixed(name: Conduct | Rejection, kind: NamedDeviation["kind"], description: string): NamedDeviation {
  const isDefault = kind === "tolerance";
  return { name, kind, description, isDefault, isSwitchable: false, appliesFrom: "message" };
}

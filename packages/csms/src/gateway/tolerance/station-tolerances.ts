import type { Deviation, OcppVersion, Tolerance, ToleranceHook } from "@polyphase/ocpp";
import { enumSpelling, unknownValues } from "./enum-rules.ts";
import { emptyValue, leadingComma, nulInText, trailingNul } from "./frame-rules.ts";
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

/** A station that offers no subprotocol is taken for the version configured for it, or for 1.6. */
export const missingSubprotocol: ToleranceRule = {
  name: "missing-subprotocol",
  description: "A WebSocket without subprotocol speaks OCPP 1.6. A configured version is always used instead",
  isDefault: false,
};

/** For stations that break when they are pinged. */
export const noPing: ToleranceRule = {
  name: "no-ping",
  description: "The station is not pinged; a lost connection is noticed when it connects again",
  isDefault: false,
};

/** For stations that lose the answer to a StartTransaction, or hang up, when it comes before they wait for it. */
export const delayedStartAnswer: ToleranceRule = {
  name: "delayed-start-answer",
  description: "StartTransaction is answered after a second; everything else is answered meanwhile",
  isDefault: false,
};

/** Every rule; payload rules in the order in which they are applied. */
export const toleranceRules: readonly ToleranceRule[] = [
  missingSubprotocol,
  noPing,
  delayedStartAnswer,
  trailingNul,
  nulInText,
  leadingComma,
  emptyValue,
  nullValues,
  unknownProperties,
  numberForText,
  objectForText,
  timeFormat,
  enumSpelling,
  unknownValues,
  emptyLists,
  overLongTexts,
];

/** Whether a rule applies to a station, and why. */
export interface StationTolerance {
  readonly rule: string;
  readonly description: string;
  readonly enabled: boolean;
  /** False while nobody has decided otherwise for this station. */
  readonly isOverridden: boolean;
}

/** Which rules apply to which station, and their application to what stations send. */
export class StationTolerances implements ToleranceHook {
  readonly #overrides = new Map<string, Map<string, boolean>>();

  /** Decides about one rule for one station; undefined returns to the default. */
  override(stationId: string, rule: string, enabled: boolean | undefined): void {
    let overrides = this.#overrides.get(stationId);
    if (overrides === undefined) {
      overrides = new Map();
      this.#overrides.set(stationId, overrides);
    }
    if (enabled === undefined) overrides.delete(rule);
    else overrides.set(rule, enabled);
    if (overrides.size === 0) this.#overrides.delete(stationId);
  }

  /** Returns every rule of a station to its default. */
  forget(stationId: string): void {
    this.#overrides.delete(stationId);
  }

  /** Whether a rule applies to a station. */
  isEnabled(stationId: string, rule: ToleranceRule): boolean {
    return this.#overrides.get(stationId)?.get(rule.name) ?? rule.isDefault;
  }

  /** All rules as they are for a station. */
  of(stationId: string): readonly StationTolerance[] {
    const overrides = this.#overrides.get(stationId);
    return toleranceRules.map((rule) => ({
      rule: rule.name,
      description: rule.description,
      enabled: this.isEnabled(stationId, rule),
      isOverridden: overrides?.has(rule.name) ?? false,
    }));
  }

  payload(deviation: Deviation): Tolerance | undefined {
    for (const rule of toleranceRules) {
      if (rule.payload === undefined || !this.isEnabled(deviation.identity, rule)) continue;
      const repair = rule.payload(deviation);
      if (repair !== undefined) return { rule: rule.name, ...repair };
    }
    return undefined;
  }

  /** Applies rules until the text is JSON; what cannot be repaired so is left as it is. */
  frame(frame: { readonly identity: string; readonly version: OcppVersion; readonly text: string }) {
    const applied: string[] = [];
    let { text } = frame;
    for (const rule of toleranceRules) {
      if (rule.frame === undefined || !this.isEnabled(frame.identity, rule)) continue;
      const changed = rule.frame(text);
      if (changed === undefined) continue;
      text = changed;
      applied.push(rule.name);
      if (isJson(text)) return { rule: applied.join("+"), text };
    }
    return undefined;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

import type { Deviation, OcppVersion, Tolerance, ToleranceHook } from "@polyphase/ocpp";
import { type Clock, systemClock } from "../../clock.ts";
import type { KnownStation } from "../known-stations.ts";
import { toleranceRules } from "./catalogue.ts";
import { ModelDecisions } from "./model-decisions.ts";
import type { ToleranceRule } from "./rule.ts";

/** Whether a rule applies to a station, and why. */
export interface StationTolerance {
  readonly rule: string;
  readonly description: string;
  readonly enabled: boolean;
  /** Who decided: for this station, for its model, or nobody. */
  readonly decidedFor: "station" | "model" | "default";
}

const rulesByName: ReadonlyMap<string, ToleranceRule> = new Map(toleranceRules.map((rule) => [rule.name, rule]));
const payloadRules = toleranceRules.filter((rule) => rule.payload !== undefined);
const frameRules = toleranceRules.filter((rule) => rule.frame !== undefined);

/** What {@link StationTolerances} works with. */
export interface StationTolerancesOptions {
  /** Vendor and model of a station; nothing is decided by model when absent. */
  station?(stationId: string): Pick<KnownStation, "vendorName" | "model"> | undefined;
  readonly clock?: Clock;
}

/**
 * Which rules apply to which station, and their application to what stations send. What was decided for a station
 * counts before what was decided for its model, and that before the default.
 */
export class StationTolerances implements ToleranceHook {
  readonly models = new ModelDecisions();
  readonly #stationDecisions = new Map<string, Map<string, boolean>>();
  readonly #station: NonNullable<StationTolerancesOptions["station"]>;
  readonly #now: () => Date;

  constructor({ station, clock = systemClock }: StationTolerancesOptions = {}) {
    this.#station = station ?? (() => undefined);
    this.#now = () => clock.now();
  }

  /** Decides about one rule for one station; undefined takes the decision back. */
  decide(stationId: string, rule: string, enabled: boolean | undefined): void {
    let decisions = this.#stationDecisions.get(stationId);
    if (decisions === undefined) {
      decisions = new Map();
      this.#stationDecisions.set(stationId, decisions);
    }
    if (enabled === undefined) decisions.delete(rule);
    else decisions.set(rule, enabled);
    if (decisions.size === 0) this.#stationDecisions.delete(stationId);
  }

  /** Takes every decision about a station back. */
  forget(stationId: string): void {
    this.#stationDecisions.delete(stationId);
  }

  /** Whether a rule applies to a station. */
  isEnabled(stationId: string, rule: ToleranceRule): boolean {
    return (
      this.#stationDecisions.get(stationId)?.get(rule.name) ?? this.#ofModel(stationId, rule.name) ?? rule.isDefault
    );
  }

  /** Whether a rule applies to a station, by the rule's name. What is no rule cannot be forbidden. */
  isTolerated(stationId: string, rule: string): boolean {
    const known = rulesByName.get(rule);
    return known === undefined || this.isEnabled(stationId, known);
  }

  /** All rules as they are for a station. */
  of(stationId: string): readonly StationTolerance[] {
    const decisions = this.#stationDecisions.get(stationId);
    return toleranceRules.map((rule) => ({
      rule: rule.name,
      description: rule.description,
      enabled: this.isEnabled(stationId, rule),
      decidedFor: decisions?.has(rule.name)
        ? "station"
        : this.#ofModel(stationId, rule.name) === undefined
          ? "default"
          : "model",
    }));
  }

  allows({ identity, rule }: { readonly identity: string; readonly rule: string }): boolean {
    return this.isTolerated(identity, rule);
  }

  payload(deviation: Deviation): Tolerance | undefined {
    for (const rule of payloadRules) {
      if (!this.isEnabled(deviation.identity, rule)) continue;
      const repair = rule.payload?.(deviation, this.#now);
      if (repair !== undefined) return { rule: rule.name, ...repair };
    }
    return undefined;
  }

  /** Applies rules until the text is JSON; what cannot be repaired so is left as it is. */
  frame(frame: { readonly identity: string; readonly version: OcppVersion; readonly text: string }) {
    const applied: string[] = [];
    let { text } = frame;
    for (const rule of frameRules) {
      if (!this.isEnabled(frame.identity, rule)) continue;
      const changed = rule.frame?.(text);
      if (changed === undefined) continue;
      text = changed;
      applied.push(rule.name);
      if (isJson(text)) return { rule: applied.join("+"), text };
    }
    return undefined;
  }

  #ofModel(stationId: string, rule: string): boolean | undefined {
    if (this.models.isEmpty) return undefined;
    const { vendorName, model } = this.#station(stationId) ?? {};
    if (vendorName === undefined && model === undefined) return undefined;
    return this.models.decided(vendorName ?? "", model ?? "", rule);
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

import type { StationDeviations } from "../../gateway/tolerance/conduct.ts";
import type { VariableValue } from "./variable.ts";

/** Accepted values that are remembered at once; one more replaces the oldest. */
const mostRemembered = 10_000;

/**
 * Remembers which values stations accepted until they tell the variable again: some answer Accepted and go on as
 * before. After a restart of ours nothing is known of what was accepted before.
 */
export class AcceptedValues {
  readonly #deviations: StationDeviations;
  readonly #accepted = new Map<string, string>();

  constructor(deviations: StationDeviations) {
    this.#deviations = deviations;
  }

  /** A station accepted a value. */
  accepted(stationId: string, value: VariableValue): void {
    if (value.value === undefined) return;
    const key = keyOf(stationId, value);
    this.#accepted.delete(key);
    if (this.#accepted.size >= mostRemembered) {
      for (const oldest of this.#accepted.keys()) {
        this.#accepted.delete(oldest);
        break;
      }
    }
    this.#accepted.set(key, normal(value.value));
  }

  /** A station tells a value. */
  told(stationId: string, value: VariableValue): void {
    if (this.#accepted.size === 0 || value.value === undefined) return;
    const key = keyOf(stationId, value);
    const accepted = this.#accepted.get(key);
    if (accepted === undefined) return;
    this.#accepted.delete(key);
    if (accepted === normal(value.value)) return;
    const { component, variable } = value;
    // The values stay out of it: they may be secrets.
    this.#deviations.showed(stationId, "configuration-ignored", { component, variable });
  }

  /** Whatever was accepted of a value does not count any more. */
  forget(stationId: string, value: VariableValue): void {
    this.#accepted.delete(keyOf(stationId, value));
  }
}

function keyOf(stationId: string, { attribute, value: _, ...address }: VariableValue): string {
  const { component, componentInstance, evseId, connectorId, variable, variableInstance } = address;
  const place = [component, componentInstance, evseId, connectorId, variable, variableInstance, attribute];
  return `${stationId} ${JSON.stringify(place).toLowerCase()}`;
}

/** Stations write a value back in their own way. */
function normal(value: string): string {
  const text = value.replaceAll(/\s/g, "").toLowerCase();
  const number = Number(text);
  return text !== "" && Number.isFinite(number) ? String(number) : text;
}

import type { Deviation } from "@polyphase/ocpp";

/** What a rule makes of a payload. */
export interface Repair {
  readonly payload: unknown;
  /** The payload is accepted although it still breaks its schema. */
  readonly skipValidation?: boolean;
}

/** A named deviation from the specification that is let pass, and can be switched. */
export interface ToleranceRule {
  /** Kebab-case; the same in logs, metrics, the API and the database. */
  readonly name: string;
  /** One sentence for operators. */
  readonly description: string;
  /** Whether stations have it unless told otherwise. */
  readonly isDefault: boolean;
  /** A switch of the rule counts from the next connection on, where it cannot from the next message on. */
  readonly isOfConnection?: boolean;
  /** Repairs a frame that is not JSON; undefined when there is nothing of its kind to repair. */
  frame?(text: string): string | undefined;
  /** Repairs every place of its kind in a payload that came at `now`; undefined when there is none. */
  payload?(deviation: Deviation, now: () => Date): Repair | undefined;
}

/** The repaired payload, or undefined when nothing changed. */
export function repaired(deviation: Deviation, payload: unknown): Repair | undefined {
  return payload === deviation.payload ? undefined : { payload };
}

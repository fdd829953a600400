import type { CatalogueEntry } from "../catalogue/catalogue.ts";
import type { Deviation, EndpointObserver, Tolerance, ToleranceHook } from "../connection.ts";
import type { Violation } from "../validation/violation.ts";

/** What became of a payload of the peer. */
export interface CheckedPayload {
  /** The payload to go on with. */
  readonly payload: unknown;
  /** Why it is refused; undefined when it is accepted. */
  readonly violation: Violation | undefined;
  /** Tolerance rules that were applied, in their order. */
  readonly rules: readonly string[];
}

// A rule that does not get a payload through in so many steps never will.
const MOST_STEPS = 8;

function validate(entry: CatalogueEntry, direction: "request" | "response", payload: unknown): Violation | undefined {
  return direction === "request" ? entry.validateRequest(payload) : entry.validateResponse(payload);
}

function ask(
  tolerance: ToleranceHook | undefined,
  deviation: Deviation,
  observer: EndpointObserver | undefined,
): Tolerance | undefined {
  try {
    return tolerance?.payload?.(deviation);
  } catch (error) {
    observer?.failed?.({ identity: deviation.identity, action: deviation.action, error });
    return undefined;
  }
}

/**
 * Asks the tolerance hook about a payload that breaks its schema, again and again while the payload it returns breaks
 * another rule. Only for payloads that failed: valid ones never come here.
 */
export function applyTolerance(
  identity: string,
  entry: CatalogueEntry,
  direction: "request" | "response",
  original: unknown,
  first: Violation,
  tolerance: ToleranceHook | undefined,
  observer: EndpointObserver | undefined,
): CheckedPayload {
  const { version, action } = entry;
  const rules: string[] = [];
  let payload = original;
  let violation: Violation | undefined = first;
  for (let step = 0; step < MOST_STEPS && violation !== undefined; step++) {
    const allowed = ask(tolerance, { identity, version, action, direction, payload, violation }, observer);
    if (allowed === undefined) break;
    rules.push(allowed.rule);
    if (allowed.payload !== undefined) payload = allowed.payload;
    violation = allowed.skipValidation === true ? undefined : validate(entry, direction, payload);
  }
  if (violation !== undefined) {
    observer?.violated?.({ identity, version, action, direction, payload, violation });
    return { payload, violation, rules };
  }
  for (const rule of rules) observer?.tolerated?.({ identity, version, action, rule, evidence: original });
  return { payload, violation, rules };
}

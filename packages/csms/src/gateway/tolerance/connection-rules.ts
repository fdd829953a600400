import type { ToleranceRule } from "./rule.ts";

/** A station that offers no subprotocol is taken for the version configured for it, or for 1.6. */
export const missingSubprotocol: ToleranceRule = {
  name: "missing-subprotocol",
  description: "A WebSocket without subprotocol speaks OCPP 1.6. A configured version is always used instead",
  isDefault: false,
  isOfConnection: true,
};

/** For stations that break when they are pinged. */
export const noPing: ToleranceRule = {
  name: "no-ping",
  description: "The station is not pinged; a lost connection is noticed when it connects again",
  isDefault: false,
  isOfConnection: true,
};

/** For stations that lose the answer to a StartTransaction, or hang up, when it comes before they wait for it. */
export const delayedStartAnswer: ToleranceRule = {
  name: "delayed-start-answer",
  description: "StartTransaction is answered after a second; everything else is answered meanwhile",
  isDefault: false,
};

/** For stations that hang up when they are called often, for example by triggers. */
export const spacedCalls: ToleranceRule = {
  name: "spaced-calls",
  description: "After each answer of the station two seconds pass before it is called again",
  isDefault: false,
};

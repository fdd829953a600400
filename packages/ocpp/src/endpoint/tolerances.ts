import type { OcppVersion } from "../catalogue/version.ts";
import type { ToleranceHook } from "../connection.ts";

/**
 * Deviations of the peer that the endpoints set right by themselves, unless {@link ToleranceHook.allows} says no. The
 * names are those that observers are told.
 */
export const endpointTolerances = [
  "json-error-code",
  "soap-action",
  "soap-identity-in-path",
  "soap-no-addressing",
  "soap-no-from",
  "soap-no-identity",
  "soap-no-message-id",
  "soap-relates-to",
  "soap-reply-to",
  "xml-date-time-without-zone",
  "xml-element-order",
  "xml-empty-element",
  "xml-unqualified-element",
] as const;

/** Name of a deviation that the endpoints set right by themselves. */
export type EndpointTolerance = (typeof endpointTolerances)[number];

/** The first of some deviations that may not pass; undefined when all may. */
export function refusedTolerance(
  tolerance: ToleranceHook | undefined,
  peer: { readonly identity: string; readonly version: OcppVersion },
  deviations: Iterable<string>,
): string | undefined {
  if (tolerance?.allows === undefined) return undefined;
  for (const rule of deviations) {
    if (!tolerance.allows({ ...peer, rule })) return rule;
  }
  return undefined;
}

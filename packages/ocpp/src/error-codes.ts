import { isFamily2, type OcppVersion } from "./catalogue/version.ts";
import type { Violation } from "./validation/violation.ts";

/**
 * Error codes of OCPP-J under the names of 2.x. Version 1.6 as published spells two of them differently;
 * {@link wireErrorCode} and {@link parseErrorCode} translate.
 */
export const errorCodes = [
  "FormatViolation",
  "GenericError",
  "InternalError",
  "MessageTypeNotSupported",
  "NotImplemented",
  "NotSupported",
  "OccurrenceConstraintViolation",
  "PropertyConstraintViolation",
  "ProtocolError",
  "RpcFrameworkError",
  "SecurityError",
  "TypeConstraintViolation",
] as const;

/** An OCPP-J error code, spelled as in 2.x. */
export type ErrorCode = (typeof errorCodes)[number];

const KNOWN: ReadonlySet<string> = new Set(errorCodes);

/** The code as the version spells it on the wire. 1.6 lacks two codes of 2.x and takes the nearest it has. */
export function wireErrorCode(version: OcppVersion, code: ErrorCode): string {
  if (isFamily2(version)) return code;
  switch (code) {
    case "FormatViolation":
      return "FormationViolation";
    case "OccurrenceConstraintViolation":
      return "OccurenceConstraintViolation";
    case "MessageTypeNotSupported":
    case "RpcFrameworkError":
      return "ProtocolError";
    default:
      return code;
  }
}

/** Whether a version knows a code as it is spelled. The errata of 1.6 spell two codes as 2.x does. */
export function isErrorCodeOf(version: OcppVersion, text: string): boolean {
  if (KNOWN.has(text))
    return isFamily2(version) || (text !== "MessageTypeNotSupported" && text !== "RpcFrameworkError");
  return !isFamily2(version) && (text === "FormationViolation" || text === "OccurenceConstraintViolation");
}

/** Reads a code in any version's spelling; what no specification lists becomes GenericError. */
export function parseErrorCode(text: string): ErrorCode {
  if (text === "FormationViolation") return "FormatViolation";
  if (text === "OccurenceConstraintViolation") return "OccurrenceConstraintViolation";
  return KNOWN.has(text) ? (text as ErrorCode) : "GenericError";
}

/** The error code that tells a peer of this version which kind of rule its payload broke. */
export function errorCodeFor(version: OcppVersion, violation: Violation): ErrorCode {
  switch (violation.rule) {
    case "type":
      return "TypeConstraintViolation";
    case "required":
      // OCPP-J 1.6 table 7: ProtocolError is "Payload for Action is incomplete".
      return isFamily2(version) ? "OccurrenceConstraintViolation" : "ProtocolError";
    case "minItems":
    case "maxItems":
      return "OccurrenceConstraintViolation";
    case "additionalProperties":
    case "frame":
      return "FormatViolation";
    default:
      return "PropertyConstraintViolation";
  }
}

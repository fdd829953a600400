import { isFamily2, type OcppVersion } from "./catalogue/version.ts";
import type { Violation } from "./validation/violation.ts";
import { describeViolation } from "./validation/violation.ts";

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

/** An error that is, or becomes, a CALLERROR (OCPP-J) or a Fault (OCPP-S). Throw it in a handler to choose the answer. */
export class OcppError extends Error {
  override readonly name: string = "OcppError";
  readonly code: ErrorCode;
  /** Goes to the peer as errorDetails. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    description: string,
    options: { details?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(description, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** The peer answered a call with CALLERROR or a Fault. `wireCode` is its code as it was spelled. */
export class PeerError extends OcppError {
  override readonly name = "PeerError";
  readonly wireCode: string;

  constructor(wireCode: string, description: string, details: Readonly<Record<string, unknown>> = {}) {
    super(parseErrorCode(wireCode), description, { details });
    this.wireCode = wireCode;
  }
}

/** A payload breaks its schema: one of ours before it is sent, or a response of the peer. */
export class ValidationError extends OcppError {
  override readonly name = "ValidationError";
  readonly action: string;
  readonly direction: "request" | "response";
  readonly violation: Violation;

  constructor(version: OcppVersion, action: string, direction: "request" | "response", violation: Violation) {
    super(errorCodeFor(version, violation), `${action} ${direction}: ${describeViolation(violation)}`, {
      details: { path: violation.path, rule: violation.rule },
    });
    this.action = action;
    this.direction = direction;
    this.violation = violation;
  }
}

/**
 * No response came within the call's time-out: whether the peer acted on the request is unknown. Or, where `sent` is
 * false, other calls went before it for too long, and the request never left.
 */
export class CallTimeoutError extends Error {
  override readonly name = "CallTimeoutError";
  readonly action: string;
  readonly timeoutMs: number;
  readonly sent: boolean;

  constructor(action: string, timeoutMs: number, sent = true) {
    super(sent ? `no response to ${action} within ${timeoutMs} ms` : `${action} had no turn within ${timeoutMs} ms`);
    this.action = action;
    this.timeoutMs = timeoutMs;
    this.sent = sent;
  }
}

/** The peer cannot be reached: never connected, or the connection ended before the response. `sent` tells whether the request left. */
export class NotConnectedError extends Error {
  override readonly name = "NotConnectedError";
  readonly action: string;
  readonly sent: boolean;

  constructor(action: string, sent: boolean, cause?: unknown) {
    super(
      sent ? `the connection ended before the response to ${action}` : `no connection for ${action}`,
      cause === undefined ? undefined : { cause },
    );
    this.action = action;
    this.sent = sent;
  }
}

/** The bounded queue of calls that wait for their turn is full. */
export class CallQueueFullError extends Error {
  override readonly name = "CallQueueFullError";
  readonly action: string;
  readonly limit: number;

  constructor(action: string, limit: number) {
    super(`${limit} calls wait already; ${action} was not queued`);
    this.action = action;
    this.limit = limit;
  }
}

/** The version has no such action for this role to send. */
export class UnknownActionError extends Error {
  override readonly name = "UnknownActionError";
  readonly version: OcppVersion;
  readonly action: string;

  constructor(version: OcppVersion, action: string) {
    super(`OCPP ${version} has no action ${action} for this role to send`);
    this.version = version;
    this.action = action;
  }
}

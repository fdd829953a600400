import type { OcppVersion } from "./catalogue/version.ts";
import { type ErrorCode, errorCodeFor, parseErrorCode } from "./error-codes.ts";
import { describeViolation, type Violation } from "./validation/violation.ts";

export type { ErrorCode };

function causedBy(cause: unknown): ErrorOptions | undefined {
  return cause === undefined ? undefined : { cause };
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
    super(description, causedBy(options.cause));
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

/** A call that was not answered, and of which action. */
abstract class CallFailure extends Error {
  readonly action: string;

  constructor(action: string, message: string, cause?: unknown) {
    super(message, causedBy(cause));
    this.action = action;
  }
}

/**
 * No response came within the call's time-out: whether the peer acted on the request is unknown. Or, where `sent` is
 * false, other calls went before it for too long, and the request never left.
 */
export class CallTimeoutError extends CallFailure {
  override readonly name = "CallTimeoutError";
  readonly timeoutMs: number;
  readonly sent: boolean;

  constructor(action: string, timeoutMs: number, sent = true) {
    const what = sent ? `no response to ${action}` : `${action} had no turn`;
    super(action, `${what} within ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
    this.sent = sent;
  }
}

/** The peer cannot be reached: never connected, or the connection ended before the response. `sent` tells whether the request left. */
export class NotConnectedError extends CallFailure {
  override readonly name = "NotConnectedError";
  readonly sent: boolean;

  constructor(action: string, sent: boolean, cause?: unknown) {
    const what = sent ? "the connection ended before the response to" : "no connection for";
    super(action, `${what} ${action}`, cause);
    this.sent = sent;
  }
}

/** The bounded queue of calls that wait for their turn is full. */
export class CallQueueFullError extends CallFailure {
  override readonly name = "CallQueueFullError";
  readonly limit: number;

  constructor(action: string, limit: number) {
    super(action, `${limit} calls wait already; ${action} was not queued`);
    this.limit = limit;
  }
}

/** The version has no such action for this role to send. */
export class UnknownActionError extends CallFailure {
  override readonly name = "UnknownActionError";
  readonly version: OcppVersion;

  constructor(version: OcppVersion, action: string) {
    super(action, `OCPP ${version} has no action ${action} for this role to send`);
    this.version = version;
  }
}

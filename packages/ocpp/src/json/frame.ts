import { isFamily2, type OcppVersion } from "../catalogue/version.ts";
import { type ErrorCode, wireErrorCode } from "../error-codes.ts";

/** Longest message id (OCPP-J 1.6 §4.1.4, 2.x Part 4 §4.1.4), in characters. */
export const maxMessageIdLength = 36;

/** Longest errorDescription (2.x Part 4 §4.2.3), in characters. */
export const maxErrorDescriptionLength = 255;

/** The id that answers a request whose own id cannot be read (2.x Part 4 §4.2.3). */
export const unreadableMessageId = "-1";

/** CALL, or SEND of 2.1. */
export interface RequestFrame {
  readonly kind: "CALL" | "SEND";
  readonly messageId: string;
  readonly action: string;
  readonly payload: unknown;
}

/** CALLRESULT. */
export interface ResultFrame {
  readonly kind: "CALLRESULT";
  readonly messageId: string;
  readonly payload: unknown;
}

/** CALLERROR, or CALLRESULTERROR of 2.1. */
export interface ErrorFrame {
  readonly kind: "CALLERROR" | "CALLRESULTERROR";
  readonly messageId: string;
  /** The code as the peer spelled it. */
  readonly code: string;
  readonly description: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** A frame that is none of the version's message types. */
export interface MalformedFrame {
  readonly kind: "malformed";
  /** Empty where it cannot be read. */
  readonly messageId: string;
  readonly reason: string;
  /** Code of the CALLERROR that the version wants as answer; undefined where it wants none. */
  readonly answer: ErrorCode | undefined;
  /** It is a broken CALLRESULT: the call it names has failed. */
  readonly isResult: boolean;
}

/** What one WebSocket message can be. */
export type Frame = RequestFrame | ResultFrame | ErrorFrame | MalformedFrame;

// An id longer than allowed is still answered under its own name, unless answering would only echo a flood.
const LONGEST_ECHOED_ID = 255;

function malformed(version: OcppVersion, reason: string, code: ErrorCode, messageId?: unknown): MalformedFrame {
  const readable = typeof messageId === "string" && messageId.length <= LONGEST_ECHOED_ID;
  return {
    kind: "malformed",
    messageId: readable ? messageId : "",
    reason,
    answer: readable || isFamily2(version) ? code : undefined,
    isResult: false,
  };
}

function ignorable(reason: string, messageId: unknown, isResult = false): MalformedFrame {
  const readable = typeof messageId === "string" && messageId.length <= LONGEST_ECHOED_ID;
  return { kind: "malformed", messageId: readable ? messageId : "", reason, answer: undefined, isResult };
}

/** Levels of lists and objects in a message. The deepest message of OCPP has a fifth of them. */
const DEEPEST_NESTING = 100;
/** A shorter text cannot be nested so deeply that a recursive reader of it would fail. */
const SHORTEST_DEEP_TEXT = 2_048;

/** Whether a text has more levels than a message may have: whoever copies or writes its payload would run out of stack. */
function isTooDeep(text: string): boolean {
  if (text.length < SHORTEST_DEEP_TEXT) return false;
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x22) {
      do {
        index = text.indexOf('"', index + 1);
        if (index < 0) return false;
      } while (isEscaped(text, index));
    } else if (code === 0x5b || code === 0x7b) {
      depth++;
      if (depth > DEEPEST_NESTING) return true;
    } else if (code === 0x5d || code === 0x7d) {
      depth--;
    }
  }
  return false;
}

function isEscaped(text: string, index: number): boolean {
  let first = index;
  while (text.charCodeAt(first - 1) === 0x5c) first--;
  return (index - first) % 2 === 1;
}

const START_OF_REQUEST = /^\s*\[\s*2\s*,\s*"([^"\\\p{Cc}]{0,255})"/u;
const START_OF_OTHER = /^\s*\[\s*([3-6])\s*,\s*"([^"\\\p{Cc}]{0,255})"/u;

/** Text that is no JSON, or none to be read. The beginning often survives, and tells whom to answer. */
function brokenJson(version: OcppVersion, text: string, reason = "not JSON"): MalformedFrame {
  const start = text.slice(0, 300);
  const request = START_OF_REQUEST.exec(start);
  if (request !== null) return malformed(version, reason, "FormatViolation", request[1]);
  const other = START_OF_OTHER.exec(start);
  if (other !== null) return ignorable(reason, other[2], other[1] === "3");
  return malformed(version, reason, "RpcFrameworkError");
}

function brokenRequest(
  version: OcppVersion,
  kind: RequestFrame["kind"],
  reason: string,
  messageId: unknown,
): MalformedFrame {
  // 2.1 Part 4 §4.2.4: a SEND is never answered.
  if (kind === "SEND") return ignorable(reason, messageId);
  // 1.6 calls whatever does not conform to the PDU structure a FormationViolation.
  return malformed(version, reason, isFamily2(version) ? "RpcFrameworkError" : "FormatViolation", messageId);
}

function requestFrame(
  version: OcppVersion,
  kind: RequestFrame["kind"],
  elements: readonly unknown[],
): RequestFrame | MalformedFrame {
  const messageId = elements[1];
  const action = elements[2];
  if (typeof messageId !== "string") return brokenRequest(version, kind, "the message id is not a text", messageId);
  if (messageId.length > maxMessageIdLength) {
    return brokenRequest(version, kind, `the message id has more than ${maxMessageIdLength} characters`, messageId);
  }
  if (elements.length !== 4) return brokenRequest(version, kind, `${kind} has 4 elements`, messageId);
  if (typeof action !== "string") return brokenRequest(version, kind, "the action is not a text", messageId);
  // OCPP-J 1.6 §4.2.1 and 2.x Part 4 §4.1.5 allow null where there is no payload.
  return { kind, messageId, action, payload: elements[3] ?? {} };
}

function resultFrame(elements: readonly unknown[]): ResultFrame | MalformedFrame {
  const messageId = elements[1];
  if (typeof messageId !== "string") return ignorable("the message id is not a text", messageId);
  if (elements.length !== 3) return ignorable("CALLRESULT has 3 elements", messageId, true);
  return { kind: "CALLRESULT", messageId, payload: elements[2] ?? {} };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An error frame ends a call, so it is read even where its last elements are missing or of a wrong type. */
function errorFrame(kind: ErrorFrame["kind"], elements: readonly unknown[]): ErrorFrame | MalformedFrame {
  const [, messageId, code, description, details] = elements;
  if (typeof messageId !== "string") return ignorable("the message id is not a text", messageId);
  return {
    kind,
    messageId,
    code: typeof code === "string" ? code.slice(0, 100) : "GenericError",
    description: typeof description === "string" ? description : "",
    details: isRecord(details) ? details : {},
  };
}

/** Reads one message. Never throws: what cannot be read is a {@link MalformedFrame} with the answer it deserves. */
export function parseFrame(version: OcppVersion, text: string): Frame {
  if (isTooDeep(text)) return brokenJson(version, text, `nested more than ${DEEPEST_NESTING} levels deep`);
  let elements: unknown;
  try {
    elements = JSON.parse(text);
  } catch {
    return brokenJson(version, text);
  }
  if (!Array.isArray(elements)) return malformed(version, "not a JSON array", "RpcFrameworkError");
  switch (elements[0]) {
    case 2:
      return requestFrame(version, "CALL", elements);
    case 3:
      return resultFrame(elements);
    case 4:
      return errorFrame("CALLERROR", elements);
    case 5:
      if (version === "2.1") return errorFrame("CALLRESULTERROR", elements);
      return ignorable("message type 5 is unknown to this version", elements[1]);
    case 6:
      if (version === "2.1") return requestFrame(version, "SEND", elements);
      break;
  }
  if (!Number.isInteger(elements[0])) return malformed(version, "no message type", "RpcFrameworkError", elements[1]);
  // The payload of an unknown type is ignored; 2.x has a code that says so, 1.6 has not.
  return isFamily2(version)
    ? malformed(version, "unknown message type", "MessageTypeNotSupported", elements[1])
    : ignorable("unknown message type", elements[1]);
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

/** `[2,…]` or `[6,…]`. @throws TypeError, RangeError when the payload cannot be written as JSON */
export function writeRequest(kind: RequestFrame["kind"], messageId: string, action: string, payload: unknown): string {
  return `[${kind === "CALL" ? 2 : 6},${quoted(messageId)},${quoted(action)},${JSON.stringify(payload)}]`;
}

/** `[3,…]`. @throws TypeError, RangeError when the payload cannot be written as JSON */
export function writeResult(messageId: string, payload: unknown): string {
  return `[3,${quoted(messageId)},${JSON.stringify(payload)}]`;
}

function detailsText(details: Readonly<Record<string, unknown>>): string {
  try {
    const text = JSON.stringify(details);
    return text.startsWith("{") ? text : "{}";
  } catch {
    return "{}";
  }
}

/** `[4,…]` or `[5,…]` in the version's spelling, the description cut to what the specification allows. Never throws. */
export function writeError(
  version: OcppVersion,
  kind: ErrorFrame["kind"],
  messageId: string,
  code: ErrorCode,
  description: string,
  details: Readonly<Record<string, unknown>> = {},
): string {
  const type = kind === "CALLERROR" ? 4 : 5;
  const shortened = Array.from(description.slice(0, 2 * maxErrorDescriptionLength)).slice(0, maxErrorDescriptionLength);
  return `[${type},${quoted(messageId)},"${wireErrorCode(version, code)}",${quoted(shortened.join(""))},${detailsText(details)}]`;
}

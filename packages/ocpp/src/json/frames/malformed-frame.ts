import { isFamily2, type OcppVersion } from "../../catalogue/version.ts";
import type { ErrorCode } from "../../error-codes.ts";
import type { MalformedFrame, RequestFrame } from "./frame.ts";

// An id longer than allowed is still answered under its own name, unless answering would only echo a flood.
const LONGEST_ECHOED_ID = 255;

/** A frame that the peer is told about, as far as its id can be read; 1.6 has no answer without one. */
export function malformed(version: OcppVersion, reason: string, code: ErrorCode, messageId?: unknown): MalformedFrame {
  const readable = typeof messageId === "string" && messageId.length <= LONGEST_ECHOED_ID;
  return {
    kind: "malformed",
    messageId: readable ? messageId : "",
    reason,
    answer: readable || isFamily2(version) ? code : undefined,
    isResult: false,
  };
}

/** A frame that no answer can help: a response, or what the version says to ignore. */
export function ignorable(reason: string, messageId: unknown, isResult = false): MalformedFrame {
  const readable = typeof messageId === "string" && messageId.length <= LONGEST_ECHOED_ID;
  return { kind: "malformed", messageId: readable ? messageId : "", reason, answer: undefined, isResult };
}

const START_OF_REQUEST = /^\s*\[\s*2\s*,\s*"([^"\\\p{Cc}]{0,255})"/u;
const START_OF_OTHER = /^\s*\[\s*([3-6])\s*,\s*"([^"\\\p{Cc}]{0,255})"/u;

/** Text that is no JSON, or none to be read. The beginning often survives, and tells whom to answer. */
export function brokenJson(version: OcppVersion, text: string, reason = "not JSON"): MalformedFrame {
  const start = text.slice(0, 300);
  const request = START_OF_REQUEST.exec(start);
  if (request !== null) return malformed(version, reason, "FormatViolation", request[1]);
  const other = START_OF_OTHER.exec(start);
  if (other !== null) return ignorable(reason, other[2], other[1] === "3");
  return malformed(version, reason, "RpcFrameworkError");
}

/** A CALL or SEND whose elements are not those of its kind. */
export function brokenRequest(
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

/** A binary message, which can be no frame: OCPP-J is text (2.x Part 4 §4.1.2). */
export const binaryFrame: MalformedFrame = Object.freeze(ignorable("binary frame", ""));

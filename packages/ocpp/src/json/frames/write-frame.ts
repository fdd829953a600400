import type { OcppVersion } from "../../catalogue/version.ts";
import { type ErrorCode, wireErrorCode } from "../../error-codes.ts";
import { type ErrorFrame, maxErrorDescriptionLength, type RequestFrame } from "./frame.ts";

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

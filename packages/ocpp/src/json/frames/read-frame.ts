import { isFamily2, type OcppVersion } from "../../catalogue/version.ts";
import {
  type ErrorFrame,
  type Frame,
  type MalformedFrame,
  maxMessageIdLength,
  type RequestFrame,
  type ResultFrame,
} from "./frame.ts";
import { brokenJson, brokenRequest, ignorable, malformed } from "./malformed-frame.ts";
import { deepestNesting, isTooDeep } from "./nesting.ts";

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
  if (isTooDeep(text)) return brokenJson(version, text, `nested more than ${deepestNesting} levels deep`);
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

import type { IgnoredCause, RefusedCause, Violation } from "@polyphase/ocpp";

/** What is refused of every station that no rule lets pass. */
const rejections = {
  "no-subprotocol": "No subprotocol was offered and the version is not known: closed with 1002",
  "unknown-subprotocol": "None but unknown subprotocols were offered: closed with 1002",
  "refused-handshake":
    "A connection or SOAP request under the station's identity did not prove who it is: 401, 403, 429",
  "unreadable-frame": "A frame that is not JSON or no message: answered by its id where it can be read, else ignored",
  "unreadable-answer": "A truncated or unreadable CALLRESULT: the call it answers fails at once with FormatViolation",
  "oversized-frame": "A frame above the limit: closed with 1009",
  "message-id-in-use": "A message id that another request uses: GenericError",
  "repeated-request": "A request that came again while it was in work: answered once",
  "unasked-answer": "An answer that is late, double or to no call: ignored",
  "unread-message": "The station could not read a message of ours, and cannot say which: ignored",
  "unknown-action": "An action that the version does not have: NotImplemented",
  "unsupported-action": "An action that stations may not ask for: NotSupported",
  "unsigned-message": "A message that had to be signed: SecurityError",
  "missing-property": "A property that must be there is missing",
  "unknown-property": "A property that the message does not have",
  "unknown-value": "A value that the version does not list",
  "wrong-type": "A value of another type than the message wants",
  "text-too-long": "A text that is longer than any rule allows",
  "unreadable-time": "A time that cannot be read",
  "list-length": "A list with fewer or more items than the message allows",
  "invalid-payload": "A payload that breaks its schema in another way",
  "invalid-answer": "An answer that breaks its schema: the call fails",
  "not-tolerated":
    "A deviation whose rule is off, which no schema names: Fault ProtocolError, or GenericError as its code",
  "boot-put-off": "A boot beyond what is admitted at once: answered Pending with an interval that spreads returns",
} as const;

/** Name of something that is refused. */
export type Rejection = keyof typeof rejections;

/** Everything that is refused by name. */
export const namedRejections: readonly { readonly name: Rejection; readonly description: string }[] = Object.entries(
  rejections,
).map(([name, description]) => ({ name: name as Rejection, description }));

/** The rejection of a payload that breaks its schema. */
export function rejectionOfViolation({ rule }: Violation, direction: "request" | "response"): Rejection {
  if (direction === "response") return "invalid-answer";
  switch (rule) {
    case "required":
      return "missing-property";
    case "additionalProperties":
      return "unknown-property";
    case "enum":
      return "unknown-value";
    case "type":
      return "wrong-type";
    case "maxLength":
      return "text-too-long";
    case "format":
      return "unreadable-time";
    case "minItems":
    case "maxItems":
      return "list-length";
    default:
      return "invalid-payload";
  }
}

/** The rejection of what was dropped; undefined where the station did nothing wrong. */
export function rejectionOfIgnored(cause: IgnoredCause): Rejection | undefined {
  switch (cause) {
    case "unreadable":
      return "unreadable-frame";
    case "unreadable-answer":
      return "unreadable-answer";
    case "unasked-answer":
      return "unasked-answer";
    case "not-read-by-peer":
      return "unread-message";
    case "repeated":
      return "repeated-request";
    case "not-supported":
      return "unsupported-action";
    case "closing":
      return undefined;
  }
}

/** The rejection of what was turned away before its payload was looked at. */
export function rejectionOfRefused(cause: RefusedCause): Rejection {
  switch (cause) {
    case "not-supported":
      return "unsupported-action";
    case "unsigned":
      return "unsigned-message";
    default:
      return cause;
  }
}

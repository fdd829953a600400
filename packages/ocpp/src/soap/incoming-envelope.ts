import type { IncomingMessage } from "node:http";
import { ANONYMOUS_ADDRESS, type Envelope, parseEnvelope } from "./envelope.ts";
import { SoapFault } from "./fault.ts";
import { HttpBodyError } from "./http-body.ts";
import type { Operation } from "./soap-version.ts";
import { decodeXml } from "./xml-encoding.ts";
import { readXml, XmlSyntaxError } from "./xml-reader.ts";

/** How HTTP says that the same request may succeed a little later. */
export const UNAVAILABLE = { status: 503, headers: { "retry-after": "5" } };

/** The Fault for a request that comes while too much is in work, or at the end. */
export function noCapacity(): SoapFault {
  return new SoapFault("Receiver", "InternalError", "no capacity at present", UNAVAILABLE);
}

/** The text of a body that came in. @throws SoapFault when the bytes are no text */
export function readText(request: IncomingMessage, bytes: Buffer): string {
  try {
    return decodeXml(bytes, request.headers["content-type"]);
  } catch (cause) {
    throw bodyFault(cause);
  }
}

/** The Fault for a body that cannot be read; other errors as they are. */
export function bodyFault(cause: unknown): unknown {
  if (cause instanceof HttpBodyError) {
    if (cause.status === 503) return noCapacity();
    const headers = cause.status === 413 ? { connection: "close" } : {};
    return new SoapFault("Sender", "ProtocolError", cause.message, { status: cause.status, headers, cause });
  }
  return cause instanceof XmlSyntaxError ? new SoapFault("Sender", "ProtocolError", cause.message, { cause }) : cause;
}

/** Takes the envelope of a request apart. @throws SoapFault when it is none */
export function openRequest(text: string): Envelope {
  try {
    const envelope = parseEnvelope(readXml(text));
    if (envelope.isFault) throw new SoapFault("Sender", "ProtocolError", "a Fault is no request");
    return envelope;
  } catch (error) {
    if (error instanceof XmlSyntaxError)
      throw new SoapFault("Sender", "ProtocolError", error.message, { cause: error });
    throw error;
  }
}

/** Missing and odd headers that OCPP-S 1.6 §3 asks for and stations in the field leave out. */
export function noteDeviations(envelope: Envelope, operation: Operation, deviations: Set<string>): void {
  if (envelope.addressingNamespace === undefined) {
    deviations.add("soap-no-addressing");
    return;
  }
  const { action, messageId, from, replyTo } = envelope.addressing;
  if (action !== `/${operation.entry.action}`) deviations.add("soap-action");
  if (messageId === undefined) deviations.add("soap-no-message-id");
  if (from === undefined) deviations.add("soap-no-from");
  if (replyTo !== undefined && replyTo !== ANONYMOUS_ADDRESS) deviations.add("soap-reply-to");
}

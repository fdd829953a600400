import { SoapFault } from "./fault.ts";
import { ownText } from "./own-text.ts";
import { findService } from "./soap-version.ts";
import type { XmlElement } from "./xml-reader.ts";
import { escapeText } from "./xml-writer.ts";

const SOAP_12 = "http://www.w3.org/2003/05/soap-envelope";
const SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/";
const ADDRESSING_10 = "http://www.w3.org/2005/08/addressing";
/** WS-Addressing as submitted, before 1.0; stacks of the time of OCPP 1.2 send it. */
const ADDRESSING_2004 = "http://schemas.xmlsoap.org/ws/2004/08/addressing";

/** The only lawful ReplyTo of OCPP-S: answer in the HTTP response (OCPP-S 1.6 §3.8). */
export const ANONYMOUS_ADDRESS = `${ADDRESSING_10}/anonymous`;
/** What RelatesTo holds when the request had no MessageID (WS-Addressing 1.0 Core §3.4). */
export const UNSPECIFIED_MESSAGE = `${ADDRESSING_10}/unspecified`;
/** Action of a fault (WS-Addressing 1.0 SOAP Binding §6). */
export const FAULT_ACTION = `${ADDRESSING_10}/soap/fault`;

/** The headers of WS-Addressing that OCPP-S uses. Addresses are those of the endpoint references. */
export interface Addressing {
  readonly action?: string | undefined;
  readonly messageId?: string | undefined;
  readonly relatesTo?: string | undefined;
  readonly from?: string | undefined;
  readonly replyTo?: string | undefined;
  readonly to?: string | undefined;
}

/** An envelope as it came in. */
export interface Envelope {
  readonly addressing: Addressing;
  /** WS-Addressing namespace of the headers; undefined when there were none. */
  readonly addressingNamespace: string | undefined;
  /** The station that the message is from or for; undefined without the header or with an empty one. */
  readonly chargeBoxIdentity: string | undefined;
  /** The one element of the body. */
  readonly body: XmlElement;
  /** Whether `body` is a Fault. */
  readonly isFault: boolean;
  /** Headers that must be understood and are not, as `{namespace}name`. */
  readonly notUnderstood: readonly string[];
}

function protocolError(reason: string): SoapFault {
  return new SoapFault("Sender", "ProtocolError", reason);
}

function filled(text: string | undefined): string | undefined {
  const trimmed = text?.trim() ?? "";
  return trimmed === "" ? undefined : ownText(trimmed);
}

function address(header: XmlElement | undefined): string | undefined {
  const element = header?.children.find(({ name }) => name === "Address");
  return filled(element?.text);
}

function mustUnderstand(header: XmlElement, envelopeNamespace: string): boolean {
  const attribute = (name: string) =>
    header.attributes
      .find((candidate) => candidate.namespace === envelopeNamespace && candidate.name === name)
      ?.value.trim();
  const value = attribute("mustUnderstand");
  if (value !== "true" && value !== "1") return false;
  const role = attribute("role");
  return role === undefined || role.endsWith("/role/next") || role.endsWith("/role/ultimateReceiver");
}

interface Headers {
  addressing: Map<string, XmlElement>;
  addressingNamespace: string | undefined;
  identities: string[];
  notUnderstood: string[];
}

function readHeaders(header: XmlElement | undefined, envelopeNamespace: string): Headers {
  const result: Headers = { addressing: new Map(), addressingNamespace: undefined, identities: [], notUnderstood: [] };
  for (const element of header?.children ?? []) {
    if (element.namespace === ADDRESSING_10 || element.namespace === ADDRESSING_2004) {
      result.addressingNamespace ??= element.namespace;
      if (!result.addressing.has(element.name)) result.addressing.set(element.name, element);
    } else if (
      // OCPP-S 1.6 §3.3: the name of this header is case insensitive.
      element.name.toLowerCase() === "chargeboxidentity" &&
      (element.namespace === "" || findService(element.namespace) !== undefined)
    ) {
      result.identities.push(element.text.trim());
    } else if (mustUnderstand(element, envelopeNamespace)) {
      result.notUnderstood.push(`{${element.namespace}}${element.name}`);
    }
  }
  return result;
}

function addressingOf(headers: ReadonlyMap<string, XmlElement>): Addressing {
  return {
    action: filled(headers.get("Action")?.text),
    messageId: filled(headers.get("MessageID")?.text),
    relatesTo: filled(headers.get("RelatesTo")?.text),
    from: address(headers.get("From")),
    replyTo: address(headers.get("ReplyTo")),
    to: filled(headers.get("To")?.text),
  };
}

/**
 * Takes an envelope apart.
 *
 * @param acceptSoap11 Reads SOAP 1.1 too, for responses of stacks that answer in it.
 * @throws SoapFault when the document is no envelope of SOAP 1.2 or its body does not hold exactly one element.
 */
export function parseEnvelope(root: XmlElement, acceptSoap11 = false): Envelope {
  if (root.name !== "Envelope") throw protocolError("the document is not a SOAP envelope");
  if (root.namespace !== SOAP_12 && !(acceptSoap11 && root.namespace === SOAP_11)) {
    throw new SoapFault("VersionMismatch", undefined, "OCPP-S is SOAP 1.2");
  }
  const part = (name: string) =>
    root.children.find((element) => element.name === name && element.namespace === root.namespace);
  const body = part("Body");
  const [content, ...others] = body?.children ?? [];
  if (content === undefined || others.length > 0)
    throw protocolError("the SOAP body does not hold exactly one element");
  const headers = readHeaders(part("Header"), root.namespace);
  const [identity, ...otherIdentities] = headers.identities;
  if (otherIdentities.some((other) => other !== identity))
    throw protocolError("two different chargeBoxIdentity headers");
  return {
    addressing: addressingOf(headers.addressing),
    addressingNamespace: headers.addressingNamespace,
    chargeBoxIdentity: filled(identity),
    body: content,
    isFault: content.name === "Fault" && content.namespace === root.namespace,
    notUnderstood: headers.notUnderstood,
  };
}

/** An envelope to be sent. */
export interface OutgoingEnvelope {
  /** Namespace of the OCPP service, bound to the prefix `o`. */
  readonly namespace: string;
  /** Only requests carry it. */
  readonly chargeBoxIdentity?: string | undefined;
  readonly addressing: Addressing;
  /** The namespace that the peer used; WS-Addressing 1.0 when absent. */
  readonly addressingNamespace?: string | undefined;
  /** The element inside the body, already in XML. */
  readonly body: string;
  /** Marks the headers of a request as OCPP-S 1.6 §3 shows them; responses go without. */
  readonly isRequest: boolean;
}

/**
 * Writes an envelope, with the XML declaration that OCPP-S 1.6 §3.1 asks for.
 *
 * @throws XmlCharacterError when a header holds a character that XML cannot carry.
 */
export function writeEnvelope(envelope: OutgoingEnvelope): string {
  const mark = envelope.isRequest ? ' s:mustUnderstand="true"' : "";
  const text = (name: string, value: string | undefined, attribute = "") =>
    value === undefined ? "" : `<${name}${attribute}>${escapeText(value)}</${name}>`;
  const reference = (name: string, value: string | undefined, attribute = "") =>
    value === undefined ? "" : `<${name}${attribute}><a:Address>${escapeText(value)}</a:Address></${name}>`;
  const { action, messageId, relatesTo, from, replyTo, to } = envelope.addressing;
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    `<s:Envelope xmlns:s="${SOAP_12}" xmlns:a="${envelope.addressingNamespace ?? ADDRESSING_10}" xmlns:o="${envelope.namespace}">` +
    "<s:Header>" +
    text("o:chargeBoxIdentity", envelope.chargeBoxIdentity, mark) +
    text("a:Action", action, mark) +
    text("a:MessageID", messageId) +
    text("a:RelatesTo", relatesTo) +
    reference("a:From", from) +
    reference("a:ReplyTo", replyTo, mark) +
    text("a:To", to, mark) +
    `</s:Header><s:Body>${envelope.body}</s:Body></s:Envelope>`
  );
}

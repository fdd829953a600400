import { isThrownAnswer } from "../endpoint/thrown-answer.ts";
import { type ErrorCode, PeerError } from "../errors.ts";
import type { XmlElement } from "./xml-reader.ts";
import { unencodableCharacter } from "./xml-reader.ts";
import { escapeText } from "./xml-writer.ts";

/** The fault codes of SOAP 1.2 that OCPP-S knows or that SOAP itself requires of every receiver. */
export type FaultCode = "Sender" | "Receiver" | "MustUnderstand" | "VersionMismatch";

/** The subcodes of OCPP-S 1.6 table 1. */
export type FaultSubcode = "SecurityError" | "IdentityMismatch" | "ProtocolError" | "InternalError" | "NotSupported";

/** Ends the handling of a request with a SOAP Fault. */
export class SoapFault extends Error {
  override readonly name = "SoapFault";
  readonly code: FaultCode;
  readonly subcode: FaultSubcode | undefined;
  /** SOAP 1.2 Part 2 §7.5.2.2 ties 400 to Sender and 500 to the others; some cases have a more precise status. */
  readonly httpStatus: number;
  readonly httpHeaders: Readonly<Record<string, string>>;

  constructor(
    code: FaultCode,
    subcode: FaultSubcode | undefined,
    reason: string,
    http: {
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly cause?: unknown;
    } = {},
  ) {
    super(reason, http.cause === undefined ? undefined : { cause: http.cause });
    this.code = code;
    this.subcode = subcode;
    this.httpStatus = http.status ?? (code === "Sender" ? 400 : 500);
    this.httpHeaders = http.headers ?? {};
  }
}

/**
 * The fault for an error code. Table 1 has "message does not comply with protocol specification" for every
 * payload that breaks its schema, so all violations become ProtocolError.
 */
export function faultForCode(code: ErrorCode, reason: string): SoapFault {
  switch (code) {
    case "SecurityError":
      return new SoapFault("Sender", "SecurityError", reason);
    case "NotImplemented":
    case "NotSupported":
      return new SoapFault("Receiver", "NotSupported", reason);
    case "InternalError":
    case "GenericError":
      return new SoapFault("Receiver", "InternalError", reason);
    default:
      return new SoapFault("Sender", "ProtocolError", reason);
  }
}

/** The fault that answers an error thrown while a request was handled; unknown errors tell the peer nothing. */
export function faultFor(error: unknown): SoapFault {
  if (error instanceof SoapFault) return error;
  if (isThrownAnswer(error)) return faultForCode(error.code, error.message);
  return new SoapFault("Receiver", "InternalError", "the request could not be handled", { cause: error });
}

/** The `Fault` element of a fault. The envelope declares the prefixes `s` and `o`. */
export function faultBody(fault: SoapFault): string {
  const subcode = fault.subcode === undefined ? "" : `<s:Subcode><s:Value>o:${fault.subcode}</s:Value></s:Subcode>`;
  const reason = unencodableCharacter(fault.message) === undefined ? fault.message : "the reason is not printable";
  return (
    `<s:Fault><s:Code><s:Value>s:${fault.code}</s:Value>${subcode}</s:Code>` +
    `<s:Reason><s:Text xml:lang="en">${escapeText(reason)}</s:Text></s:Reason></s:Fault>`
  );
}

function child(element: XmlElement | undefined, ...names: readonly string[]): XmlElement | undefined {
  let found = element;
  for (const name of names) found = found?.children.find((candidate) => candidate.name === name);
  return found;
}

function localPart(value: string | undefined): string | undefined {
  const text = value?.trim().replace(/^.*:/s, "");
  return text === "" ? undefined : text;
}

/**
 * Reads a peer's Fault of SOAP 1.2, or of 1.1, which some stacks send whatever they were asked. Any subcode is
 * accepted (OCPP-S 1.6 errata §3.3) and becomes `wireCode`; without one the fault code does.
 */
export function peerErrorOf(fault: XmlElement): PeerError {
  const code = localPart(child(fault, "Code", "Value")?.text ?? child(fault, "faultcode")?.text) ?? "Receiver";
  const subcode = localPart(child(fault, "Code", "Subcode", "Value")?.text);
  const reason = (child(fault, "Reason", "Text")?.text ?? child(fault, "faultstring")?.text ?? "").trim();
  return new PeerError(subcode ?? code, reason.slice(0, 1000), { faultCode: code, ...(subcode && { subcode }) });
}

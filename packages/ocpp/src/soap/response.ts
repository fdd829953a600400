import type { EndpointObserver, ToleranceHook, WireMessage } from "../connection.ts";
import { applyTolerance } from "../endpoint/payload-check.ts";
import { refusedTolerance } from "../endpoint/tolerances.ts";
import { OcppError, PeerError, ValidationError } from "../errors.ts";
import { sameNamespace } from "./decode.ts";
import { type Envelope, parseEnvelope } from "./envelope.ts";
import type { ExchangeResult } from "./exchange.ts";
import { peerErrorOf } from "./fault.ts";
import type { Operation } from "./soap-version.ts";
import { decodeXml } from "./xml-encoding.ts";
import { readXml } from "./xml-reader.ts";

/** The call that a response belongs to. */
export interface AwaitedResponse {
  readonly identity: string;
  readonly messageId: string;
  readonly tolerance: ToleranceHook | undefined;
  readonly observer: EndpointObserver | undefined;
  observe(kind: WireMessage["kind"], text: string, errorCode?: string): void;
}

function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299;
}

function unreadable(action: string, reason: string, cause?: unknown): OcppError {
  return new OcppError("ProtocolError", `the response to ${action} ${reason}`, cause === undefined ? {} : { cause });
}

function openEnvelope(
  result: ExchangeResult,
  action: string,
  awaited: AwaitedResponse,
): { envelope: Envelope; text: string } {
  let text = "";
  try {
    text = decodeXml(result.body, result.contentType);
    return { envelope: parseEnvelope(readXml(text), true), text };
  } catch (error) {
    awaited.observe("malformed", text || result.body.toString("latin1"));
    if (!isSuccess(result.status)) throw httpError(result);
    throw unreadable(action, `is not a SOAP envelope: ${(error as Error).message}`, error);
  }
}

function httpError(result: ExchangeResult): PeerError {
  return new PeerError(`HTTP ${result.status}`, result.statusText, { httpStatus: result.status });
}

/**
 * Makes of an HTTP response the payload that answers a call.
 *
 * @throws PeerError for a Fault, and for an HTTP error without one, with the wire code `HTTP` and the status
 * @throws OcppError ProtocolError when it is no SOAP message or answers something else
 * @throws ValidationError when the payload breaks its schema and no tolerance lets it pass
 */
export function readResponse(operation: Operation, result: ExchangeResult, awaited: AwaitedResponse): unknown {
  const { entry, namespace, responseElement } = operation;
  const { action } = entry;
  const { envelope, text } = openEnvelope(result, action, awaited);
  if (envelope.isFault) {
    const error = peerErrorOf(envelope.body);
    awaited.observe("CALLERROR", text, error.wireCode);
    throw error;
  }
  awaited.observe("CALLRESULT", text);
  if (!isSuccess(result.status)) throw httpError(result);
  if (envelope.body.name !== responseElement || !sameNamespace(envelope.body.namespace, namespace)) {
    throw unreadable(action, `holds {${envelope.body.namespace}}${envelope.body.name}`);
  }
  const deviations = new Set<string>();
  const { relatesTo } = envelope.addressing;
  // HTTP alone says which request a response belongs to, so a wrong or missing RelatesTo does no harm.
  if (relatesTo !== undefined && relatesTo !== awaited.messageId) deviations.add("soap-relates-to");
  const payload = operation.response.decode(envelope.body, deviations);
  const { identity, observer, tolerance } = awaited;
  const { version } = entry;
  const refused = refusedTolerance(tolerance, { identity, version }, deviations);
  if (refused !== undefined) {
    observer?.refused?.({ identity, version, action, cause: "not-tolerated", reason: refused, evidence: text });
    throw unreadable(action, `shows ${refused}, which is not tolerated of this station`);
  }
  for (const rule of deviations) observer?.tolerated?.({ identity, version, action, rule, evidence: text });
  const violation = entry.validateResponse(payload);
  if (violation === undefined) return payload;
  const checked = applyTolerance(identity, entry, "response", payload, violation, tolerance, observer);
  if (checked.violation !== undefined) throw new ValidationError(entry.version, action, "response", checked.violation);
  return checked.payload;
}

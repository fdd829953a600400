import {
  type CatalogueEntry,
  catalogue,
  definitionsOf,
  namespaceOf,
  type OcppVersion,
  type SoapVersion,
  xmlCodec,
} from "@polyphase/ocpp";
import { arbitraryFromSchema } from "@polyphase/testing";
import fc from "fast-check";
import type { Json } from "../protocol/frame-fuzzer.ts";

/** What stations of a version send: the requests of the catalogue. */
export function stationEntries(version: OcppVersion): readonly CatalogueEntry[] {
  return [...catalogue(version).values()].filter((entry) => entry.from !== "CSMS");
}

function samples(version: OcppVersion, entry: CatalogueEntry, seed: number, count: number): readonly Json[] {
  const payloads = arbitraryFromSchema(entry.requestSchema, definitionsOf(version));
  return fc.sample(payloads, { seed, numRuns: count }) as Json[];
}

/** Valid frames of every action of a version's stations, and what only a CSMS may send; the same for the same seed. */
export function validFrames(version: OcppVersion, seed: number, perAction: number): readonly (readonly Json[])[] {
  return [...catalogue(version).values()].flatMap((entry) =>
    samples(version, entry, seed, entry.from === "CSMS" ? 1 : perAction).map((payload): readonly Json[] => [
      entry.kind === "SEND" ? 6 : 2,
      "id",
      entry.action,
      payload,
    ]),
  );
}

/** A whole envelope of OCPP-S around the element of a message. `identity` is written as it is. */
export function soapEnvelope(version: SoapVersion, identity: string, body: string, header = ""): string {
  return (
    '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" ' +
    `xmlns:a="http://www.w3.org/2005/08/addressing" xmlns:c="${namespaceOf(version, "CentralSystemService")}">` +
    `<s:Header><c:chargeBoxIdentity s:mustUnderstand="true">${identity}</c:chargeBoxIdentity>${header}</s:Header>` +
    `<s:Body>${body}</s:Body></s:Envelope>`
  );
}

/** The body element of a message: `bootNotificationRequest` for BootNotification. */
export function soapBody(version: SoapVersion, entry: CatalogueEntry, payload: unknown): string {
  const name = `${entry.action.charAt(0).toLowerCase()}${entry.action.slice(1)}Request`;
  const codec = xmlCodec(entry.requestSchema, definitionsOf(version));
  return codec.encode(name, namespaceOf(version, "CentralSystemService"), payload);
}

/** Valid envelopes of every action of a version's stations, as far as XML can carry the texts. */
export function validEnvelopes(
  version: SoapVersion,
  identity: string,
  seed: number,
  perAction: number,
): readonly string[] {
  const entries = stationEntries(version).filter((entry) => entry.securityExtension !== true);
  return entries.flatMap((entry) =>
    samples(version, entry, seed, perAction).flatMap((payload) => {
      try {
        return [soapEnvelope(version, identity, soapBody(version, entry, payload))];
      } catch {
        // A text with a character that XML does not have.
        return [];
      }
    }),
  );
}

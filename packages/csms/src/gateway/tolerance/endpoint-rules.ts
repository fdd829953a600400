import type { EndpointTolerance } from "@polyphase/ocpp";
import type { ToleranceRule } from "./rule.ts";

/** What the protocol library sets right on its own; `soap-no-identity` can be met by stations only. */
const descriptions: Readonly<Record<Exclude<EndpointTolerance, "soap-no-identity">, string>> = {
  "json-error-code": "Error codes that the version does not have are told as spelled, and else as GenericError",
  "soap-no-addressing": "A SOAP request without any header of WS-Addressing is answered",
  "soap-no-from": "A SOAP request without From is answered; the address told earlier stays in use",
  "soap-no-message-id": "A SOAP request without MessageID is answered",
  "soap-action": "The header Action of a SOAP request is not compared with its body",
  "soap-reply-to": "A SOAP request is answered in its HTTP response, whatever its ReplyTo says",
  "soap-relates-to": "A SOAP response is taken whatever its RelatesTo says, since HTTP tells what it answers",
  "soap-identity-in-path": "A SOAP request without chargeBoxIdentity is taken for the station in its path",
  "xml-empty-element": "Elements and attributes that are empty or nil are read as if they were absent",
  "xml-element-order": "Elements that are out of order are read by their names",
  "xml-unqualified-element": "Elements without a namespace are read as if they were in the one of their message",
  "xml-date-time-without-zone": "Times in XML without a zone are read as UTC",
};

/** The rules by which the endpoints of the protocol library tolerate. */
export const endpointRules: readonly ToleranceRule[] = Object.entries(descriptions).map(([name, description]) => ({
  name,
  description,
  isDefault: true,
}));

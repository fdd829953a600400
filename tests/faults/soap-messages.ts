/** Namespaces of the service of the CSMS and of that of the station, by version of OCPP-S. */
const namespaces = {
  "1.5": ["urn://Ocpp/Cs/2012/06/", "urn://Ocpp/Cp/2012/06/"],
  "1.6": ["urn://Ocpp/Cs/2015/10/", "urn://Ocpp/Cp/2015/10/"],
} as const;

/** The versions of OCPP-S that are tried. */
export const soapVersions = ["1.5", "1.6"] as const;
export type SoapVersion = (typeof soapVersions)[number];

const envelope = (namespace: string, header: string, body: string) =>
  '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" ' +
  `xmlns:a="http://www.w3.org/2005/08/addressing" xmlns:c="${namespace}">` +
  `<s:Header>${header}</s:Header><s:Body>${body}</s:Body></s:Envelope>`;

/** A request as a station writes it; `from` is where it listens. */
export function soapRequest(
  version: SoapVersion,
  request: {
    readonly identity: string;
    readonly action: string;
    readonly body: string;
    readonly messageId: string;
    readonly from?: string;
  },
): string {
  const { identity, action, body, messageId, from } = request;
  const element = action.charAt(0).toLowerCase() + action.slice(1);
  const header =
    `<c:chargeBoxIdentity>${identity}</c:chargeBoxIdentity><a:Action>/${action}</a:Action>` +
    `<a:MessageID>${messageId}</a:MessageID>` +
    (from === undefined ? "" : `<a:From><a:Address>${from}</a:Address></a:From>`) +
    "<a:ReplyTo><a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address></a:ReplyTo>" +
    "<a:To>http://csms</a:To>";
  return envelope(namespaces[version][0], header, `<c:${element}Request>${body}</c:${element}Request>`);
}

/** A station's answer to ClearCache. */
export function clearCacheResponse(version: SoapVersion): string {
  return envelope(
    namespaces[version][1],
    "<a:Action>/ClearCacheResponse</a:Action>",
    "<c:clearCacheResponse><c:status>Accepted</c:status></c:clearCacheResponse>",
  );
}

/** A whole HTTP request, as bytes on the wire. */
export function httpPost(body: string): Buffer {
  const bytes = Buffer.from(body);
  const head =
    "POST /ocpp/soap HTTP/1.1\r\nHost: csms\r\nContent-Type: application/soap+xml; charset=utf-8\r\n" +
    `Content-Length: ${bytes.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

/** A whole HTTP response with an envelope. */
export function httpAnswer(body: string): string {
  const length = Buffer.byteLength(body);
  return `HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nContent-Length: ${length}\r\n\r\n${body}`;
}

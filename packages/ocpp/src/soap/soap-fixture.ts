import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server,
} from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { SoapCsms, type SoapCsmsOptions } from "./soap-csms.ts";
import { SoapStation, type SoapStationOptions } from "./soap-station.ts";
import { namespaceOf, type SoapVersion, soapVersions } from "./soap-version.ts";
import type { SoapPeer } from "./station-registry.ts";
import { readXml, type XmlElement } from "./xml-reader.ts";

/** What the CSMS of {@link openCsms} answers a Heartbeat with. */
export const now = "2026-03-01T12:00:00Z";

/** An HTTP response. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
}

/** Sends one HTTP request over a connection of its own. */
export function post(
  url: string,
  body: string | Buffer,
  headers: Record<string, string> = {},
  method = "POST",
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, {
      method,
      agent: false,
      headers: { "content-type": "application/soap+xml", ...headers },
    });
    request.on("error", reject).on("response", (response) => {
      const chunks: Buffer[] = [];
      response
        .on("data", (chunk: Buffer) => chunks.push(chunk))
        .on("end", () => {
          const bytes = Buffer.concat(chunks);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes, text: bytes.toString() });
        });
    });
    request.end(body);
  });
}

/** A header block as gSOAP stations write it. */
export function addressing(action: string, extra = ""): string {
  return (
    `<wsa5:Action se:mustUnderstand="true">/${action}</wsa5:Action><wsa5:MessageID>uuid:1</wsa5:MessageID>` +
    "<wsa5:From><wsa5:Address>http://127.0.0.1:12345</wsa5:Address></wsa5:From>" +
    '<wsa5:ReplyTo se:mustUnderstand="true"><wsa5:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa5:Address></wsa5:ReplyTo>' +
    `<wsa5:To se:mustUnderstand="true">http://csms/ocpp</wsa5:To>${extra}`
  );
}

/** An envelope with the prefixes `se`, `wsa5` and, for the namespace, `cs`. */
export function envelope(
  namespace: string,
  header: string,
  body: string,
  soap = "http://www.w3.org/2003/05/soap-envelope",
): string {
  return (
    `<?xml version="1.0" encoding="UTF-8"?><se:Envelope xmlns:se="${soap}" xmlns:wsa5="http://www.w3.org/2005/08/addressing" ` +
    `xmlns:cs="${namespace}"><se:Header>${header}</se:Header><se:Body>${body}</se:Body></se:Envelope>`
  );
}

/** The header that names the station CP1. */
export const identityHeader = '<cs:chargeBoxIdentity se:mustUnderstand="true">CP1</cs:chargeBoxIdentity>';

/** A Heartbeat, with all headers unless told otherwise. */
export function heartbeat(
  version: SoapVersion = "1.6",
  header: string = identityHeader + addressing("Heartbeat"),
): string {
  return envelope(namespaceOf(version, "CentralSystemService"), header, "<cs:heartbeatRequest/>");
}

/** The first element of this local name, the given one included. */
export function find(element: XmlElement, name: string): XmlElement | undefined {
  if (element.name === name) return element;
  for (const child of element.children) {
    const found = find(child, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** HTTP status, code and subcode of a Fault, or undefined for any other answer. */
export function faultOf({ status, text }: Answer): unknown {
  const fault = find(readXml(text), "Fault");
  if (fault === undefined) return undefined;
  const code = fault.children.find(({ name }) => name === "Code");
  const value = (element: XmlElement | undefined) => element?.children.find(({ name }) => name === "Value")?.text;
  return [status, value(code), value(code?.children.find(({ name }) => name === "Subcode"))];
}

/** A CSMS that answers Heartbeats of every version, closed after the test. */
export async function openCsms(
  options: SoapCsmsOptions = {},
): Promise<{ readonly csms: SoapCsms; readonly url: string }> {
  const csms = new SoapCsms(options);
  for (const version of soapVersions) csms.handle(version, "Heartbeat", () => ({ currentTime: now }));
  const { port } = await csms.listen({ port: 0 });
  onTestFinished(() => csms.close({ graceMs: 50 }));
  return { csms, url: `http://127.0.0.1:${port}/ocpp/soap` };
}

/** The station CP1, unless told otherwise, which listens; closed after the test. */
export async function openStation<V extends SoapVersion>(
  options: Pick<SoapStationOptions<V>, "url" | "version"> & Partial<SoapStationOptions<V>>,
): Promise<SoapStation<V>> {
  const station = new SoapStation<V>({ identity: "CP1", listen: { port: 0 }, ...options });
  await station.start();
  onTestFinished(() => station.close({ graceMs: 50 }));
  return station;
}

/** As {@link openStation}: of 1.5, with a handler of ClearCache, and no CSMS unless given one. */
export async function openClearableStation(
  options: Partial<SoapStationOptions<"1.5">> = {},
): Promise<SoapStation<"1.5">> {
  const station = await openStation({ url: "http://127.0.0.1:9/", version: "1.5", ...options });
  station.handle("1.5", "ClearCache", () => ({ status: "Accepted" }));
  return station;
}

/** The CSMS's connection to a station. @throws Error when there is none */
export function peerOf(csms: SoapCsms, identity = "CP1"): SoapPeer {
  const peer = csms.connections.get(identity);
  if (peer === undefined) throw new Error(`${identity} is not connected`);
  return peer;
}

/** An HTTP server on a free port of the loopback interface, closed after the test. Returns its address, without a path. */
export async function serveHttp(listener?: RequestListener): Promise<{ server: Server; origin: string }> {
  const server = createServer(...(listener === undefined ? [] : [listener]));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

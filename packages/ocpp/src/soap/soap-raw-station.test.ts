import { describe, expect, it } from "vitest";
import type { EndpointObserver, WireMessage } from "../connection.ts";
import {
  addressing,
  envelope,
  faultOf,
  find,
  heartbeat,
  identityHeader,
  now,
  openClearableStation,
  post,
  serveHttp,
} from "./soap-fixture.ts";
import { namespaceOf } from "./soap-version.ts";
import { readXml } from "./xml-reader.ts";

describe("a raw request to a station", () => {
  const namespace = namespaceOf("1.5", "ChargePointService");
  const clearCache = (header: string) => envelope(namespace, header, "<cs:clearCacheRequest/>");

  it("is answered", async () => {
    const station = await openClearableStation();
    const answer = await post(station.address ?? "", clearCache(identityHeader + addressing("ClearCache")));
    expect(find(readXml(answer.text), "clearCacheResponse")?.namespace).toBe(namespace);
    expect(find(readXml(answer.text), "From")?.children[0]?.text).toBe(station.address);
  });

  it("OCPP-S 1.6 §3.3: for another station gets the Fault IdentityMismatch", async () => {
    const station = await openClearableStation();
    const request = clearCache(identityHeader.replace("CP1", "CP2"));
    expect(faultOf(await post(station.address ?? "", request))).toEqual([400, "s:Sender", "o:IdentityMismatch"]);
  });

  it("without identity is taken, as by a rule", async () => {
    const rules: string[] = [];
    const station = await openClearableStation({ observer: { tolerated: ({ rule }) => rules.push(rule) } });
    expect((await post(station.address ?? "", clearCache(""))).status).toBe(200);
    expect(rules).toEqual(["soap-no-identity", "soap-no-addressing"]);
  });

  it("in another version or for the other service is refused", async () => {
    const station = await openClearableStation();
    const other = envelope(namespaceOf("1.6", "ChargePointService"), identityHeader, "<cs:clearCacheRequest/>");
    for (const request of [other, heartbeat("1.5")]) {
      expect(faultOf(await post(station.address ?? "", request))).toEqual([400, "s:Sender", "o:ProtocolError"]);
    }
  });

  it("can be for its description", async () => {
    const station = await openClearableStation();
    const wsdl = await post(`${station.address}?wsdl`, "", {}, "GET");
    expect(wsdl.text).toContain('name="ChargePointService"');
  });
});

describe("responses of a foreign CSMS", () => {
  const cs = namespaceOf("1.5", "CentralSystemService");

  async function answering(status: number, body: string, observer?: EndpointObserver): Promise<unknown> {
    const { origin } = await serveHttp((request, response) => {
      request
        .resume()
        .on("end", () => response.writeHead(status, { "content-type": "application/soap+xml" }).end(body));
    });
    const station = await openClearableStation({ url: `${origin}/`, ...(observer && { observer }) });
    return station.connection.call("Heartbeat", {});
  }

  const heartbeatResponse = `<cs:heartbeatResponse><cs:currentTime>${now}</cs:currentTime></cs:heartbeatResponse>`;
  const fault = (code: string) =>
    `<se:Fault><se:Code><se:Value>se:${code}</se:Value><se:Subcode><se:Value>cs:Custom</se:Value></se:Subcode></se:Code>` +
    "<se:Reason><se:Text>broken</se:Text></se:Reason></se:Fault>";

  it("are taken without any header", async () => {
    await expect(answering(200, envelope(cs, "", heartbeatResponse))).resolves.toEqual({ currentTime: now });
  });

  it("are taken with a wrong RelatesTo, which is reported", async () => {
    const rules: string[] = [];
    const header = "<wsa5:RelatesTo>other</wsa5:RelatesTo>";
    const observer = { tolerated: ({ rule }: { rule: string }) => rules.push(rule) };
    await answering(200, envelope(cs, header, heartbeatResponse), observer);
    expect(rules).toEqual(["soap-relates-to"]);
  });

  it("errata §3.3: may hold a Fault with any subcode, whatever the HTTP status", async () => {
    const expected = {
      name: "PeerError",
      wireCode: "Custom",
      code: "GenericError",
      message: "broken",
      details: { faultCode: "Sender" },
    };
    await expect(answering(500, envelope(cs, "", fault("Sender")))).rejects.toMatchObject(expected);
    await expect(answering(200, envelope(cs, "", fault("Sender")))).rejects.toMatchObject(expected);
  });

  it("may hold a Fault of SOAP 1.1", async () => {
    const soap11 = "http://schemas.xmlsoap.org/soap/envelope/";
    const body = "<se:Fault><faultcode>se:Server</faultcode><faultstring>broken</faultstring></se:Fault>";
    await expect(answering(500, envelope(cs, "", body, soap11))).rejects.toMatchObject({
      wireCode: "Server",
      message: "broken",
    });
  });

  it.each([
    ["an HTTP error without SOAP", 404, "not here", { name: "PeerError", wireCode: "HTTP 404" }],
    [
      "an HTTP error with a response",
      500,
      envelope(cs, "", heartbeatResponse),
      { name: "PeerError", wireCode: "HTTP 500" },
    ],
    ["a redirection", 302, "", { name: "PeerError", wireCode: "HTTP 302" }],
    ["no SOAP", 200, "OK", { name: "OcppError", code: "ProtocolError" }],
    ["nothing", 200, "", { name: "OcppError", code: "ProtocolError" }],
    [
      "the response to something else",
      200,
      envelope(cs, "", "<cs:authorizeResponse/>"),
      { name: "OcppError", code: "ProtocolError" },
    ],
    [
      "a response that breaks its schema",
      200,
      envelope(cs, "", "<cs:heartbeatResponse/>"),
      { name: "ValidationError", direction: "response" },
    ],
  ])("are told apart: %s", async (_what, status, body, error) => {
    await expect(answering(status, body)).rejects.toMatchObject(error);
  });

  it("that are unreadable are logged as such", async () => {
    const log: WireMessage[] = [];
    await answering(200, "<oops", { message: (message) => log.push(message) }).catch(() => {});
    expect(log.map(({ kind, text }) => [kind, text]).at(-1)).toEqual(["malformed", "<oops"]);
  });

  it("that break off end the call as a lost connection", async () => {
    const { origin } = await serveHttp((request, response) => {
      request.resume().on("end", () => {
        response.writeHead(200, { "content-length": "100" });
        response.write("<se:", () => response.destroy());
      });
    });
    const station = await openClearableStation({ url: `${origin}/` });
    await expect(station.connection.call("Heartbeat", {})).rejects.toMatchObject({
      name: "NotConnectedError",
      sent: true,
    });
  });
});

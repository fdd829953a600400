import { createServer, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";
import { deflateRawSync, deflateSync, gunzipSync, gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import type { EndpointObserver, WireMessage } from "../connection.ts";
import { PeerError } from "../errors.ts";
import { SoapCsms, type SoapCsmsOptions } from "./soap-csms.ts";
import { SoapStation, type SoapStationOptions } from "./soap-station.ts";
import { namespaceOf, type SoapVersion, soapVersions } from "./soap-version.ts";
import { readXml, type XmlElement } from "./xml-reader.ts";

const now = "2026-03-01T12:00:00Z";
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
}

function post(
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
function addressing(action: string, extra = ""): string {
  return (
    `<wsa5:Action se:mustUnderstand="true">/${action}</wsa5:Action><wsa5:MessageID>uuid:1</wsa5:MessageID>` +
    "<wsa5:From><wsa5:Address>http://127.0.0.1:12345</wsa5:Address></wsa5:From>" +
    '<wsa5:ReplyTo se:mustUnderstand="true"><wsa5:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa5:Address></wsa5:ReplyTo>' +
    `<wsa5:To se:mustUnderstand="true">http://csms/ocpp</wsa5:To>${extra}`
  );
}

function envelope(
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

const identityHeader = '<cs:chargeBoxIdentity se:mustUnderstand="true">CP1</cs:chargeBoxIdentity>';
const heartbeat = (version: SoapVersion = "1.6", header = identityHeader + addressing("Heartbeat")) =>
  envelope(namespaceOf(version, "CentralSystemService"), header, "<cs:heartbeatRequest/>");

function find(element: XmlElement, name: string): XmlElement | undefined {
  if (element.name === name) return element;
  for (const child of element.children) {
    const found = find(child, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Code, subcode and HTTP status of a Fault, or undefined for any other answer. */
function faultOf({ status, text }: Answer): unknown {
  const fault = find(readXml(text), "Fault");
  if (fault === undefined) return undefined;
  const code = fault.children.find(({ name }) => name === "Code");
  const value = (element: XmlElement | undefined) => element?.children.find(({ name }) => name === "Value")?.text;
  return [status, value(code), value(code?.children.find(({ name }) => name === "Subcode"))];
}

async function openCsms(options: SoapCsmsOptions = {}): Promise<{ csms: SoapCsms; url: string }> {
  const csms = new SoapCsms(options);
  for (const version of soapVersions) csms.handle(version, "Heartbeat", () => ({ currentTime: now }));
  const { port } = await csms.listen({ port: 0 });
  closers.push(() => csms.close({ graceMs: 50 }));
  return { csms, url: `http://127.0.0.1:${port}/ocpp/soap` };
}

async function openStation(options: Partial<SoapStationOptions<"1.5">> = {}): Promise<SoapStation<"1.5">> {
  const station = new SoapStation({
    identity: "CP1",
    url: "http://127.0.0.1:9/",
    version: "1.5",
    listen: { port: 0 },
    ...options,
  });
  station.handle("1.5", "ClearCache", () => ({ status: "Accepted" }));
  await station.start();
  closers.push(() => station.close({ graceMs: 50 }));
  return station;
}

describe.each(soapVersions)("a raw request to the CSMS in %s", (version) => {
  it("is answered with the version's response and all addressing headers", async () => {
    const { url, csms } = await openCsms();
    const answer = await post(url, heartbeat(version));
    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toBe("application/soap+xml; charset=utf-8");
    const root = readXml(answer.text);
    const response = find(root, "heartbeatResponse");
    expect(response?.namespace).toBe(namespaceOf(version, "CentralSystemService"));
    expect(find(root, "currentTime")?.text).toBe(now);
    expect(find(root, "Action")?.text).toBe("/HeartbeatResponse");
    expect(find(root, "RelatesTo")?.text).toBe("uuid:1");
    expect(find(root, "MessageID")?.text).toMatch(/^urn:uuid:/);
    expect(find(root, "To")?.text).toBe("http://www.w3.org/2005/08/addressing/anonymous");
    expect(csms.connections.get("CP1")).toMatchObject({ version, address: "http://127.0.0.1:12345/" });
  });
});

describe("headers that stations leave out or spell differently", () => {
  const namespace = namespaceOf("1.6", "CentralSystemService");

  it("are tolerated, each by a rule that is reported and handed to the handler", async () => {
    const rules: string[] = [];
    const { url, csms } = await openCsms({ observer: { tolerated: ({ rule }) => rules.push(rule) } });
    const handed: (readonly string[])[] = [];
    csms.handle("1.6", "Heartbeat", (_payload, { tolerances }) => {
      handed.push(tolerances);
      return { currentTime: now };
    });
    const answers = [
      await post(url, heartbeat("1.6", identityHeader)),
      await post(url, heartbeat("1.6", `${identityHeader}<wsa5:Action>Heartbeat</wsa5:Action>`)),
      await post(url, heartbeat("1.6", identityHeader + addressing("Heartbeat").replace("addressing/anonymous", "x"))),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(rules).toEqual(["soap-no-addressing", "soap-action", "soap-no-message-id", "soap-no-from", "soap-reply-to"]);
    expect(handed.flat()).toEqual(rules);
    const root = readXml(answers[0]?.text ?? "");
    expect(find(root, "RelatesTo")?.text).toBe("http://www.w3.org/2005/08/addressing/unspecified");
    expect([find(root, "MessageID"), find(root, "To"), find(root, "Action")]).not.toContain(undefined);
  });

  it.each([
    ["soap-no-addressing", heartbeat("1.6", identityHeader)],
    ["soap-action", heartbeat("1.6", identityHeader + addressing("Authorize"))],
    [
      "soap-no-message-id",
      heartbeat("1.6", identityHeader + addressing("Heartbeat").replace(/<wsa5:MessageID.*?ID>/, "")),
    ],
    [
      "soap-no-from",
      heartbeat("1.6", identityHeader + addressing("Heartbeat").replace(/<wsa5:From>.*?<.wsa5:From>/, "")),
    ],
    ["soap-reply-to", heartbeat("1.6", identityHeader + addressing("Heartbeat").replace("addressing/anonymous", "x"))],
    ["soap-identity-in-path", heartbeat("1.6", addressing("Heartbeat"))],
  ])("are refused where %s is not allowed, and by no other rule", async (name, request) => {
    const refused: unknown[] = [];
    let forbidden = name;
    const { url } = await openCsms({
      tolerance: { allows: ({ rule }) => rule !== forbidden },
      observer: { refused: ({ identity, cause, reason }) => refused.push([identity, cause, reason]) },
    });
    expect(faultOf(await post(`${url}/CP1`, request))).toEqual([400, "s:Sender", "o:ProtocolError"]);
    expect(refused).toEqual([["CP1", "not-tolerated", name]]);
    forbidden = "another-rule";
    expect((await post(`${url}/CP1`, request)).status).toBe(200);
  });

  it.each([
    ["another case", "<cs:ChargeBoxIdentity>CP1</cs:ChargeBoxIdentity>"],
    ["no namespace", "<chargeBoxIdentity>CP1</chargeBoxIdentity>"],
    ["blank space around", "<cs:chargeboxidentity>\n  CP1\n</cs:chargeboxidentity>"],
    [
      "the other service's namespace",
      '<x:chargeBoxIdentity xmlns:x="urn://Ocpp/Cp/2015/10/">CP1</x:chargeBoxIdentity>',
    ],
  ])("OCPP-S 1.6 §3.3: chargeBoxIdentity is recognised in %s", async (_how, header) => {
    const { url, csms } = await openCsms();
    expect((await post(url, heartbeat("1.6", header))).status).toBe(200);
    expect([...csms.connections.keys()]).toEqual(["CP1"]);
  });

  it("take the identity from the path where the header is missing", async () => {
    const { url, csms } = await openCsms();
    expect((await post(`${url}/CP%201`, heartbeat("1.6", ""))).status).toBe(200);
    expect([...csms.connections.keys()]).toEqual(["CP 1"]);
    expect(faultOf(await post(url, heartbeat("1.6", "")))).toEqual([400, "s:Sender", "o:IdentityMismatch"]);
    expect(faultOf(await post(`${url}/%ff`, heartbeat("1.6", "")))).toEqual([400, "s:Sender", "o:IdentityMismatch"]);
  });

  it("answer in the addressing namespace of before 1.0 to those who use it", async () => {
    const { url, csms } = await openCsms();
    const old = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
    const answer = await post(
      url,
      heartbeat().replace('xmlns:wsa5="http://www.w3.org/2005/08/addressing"', `xmlns:wsa5="${old}"`),
    );
    expect(find(readXml(answer.text), "RelatesTo")).toMatchObject({ namespace: old, text: "uuid:1" });
    expect(csms.connections.get("CP1")?.address).toBe("http://127.0.0.1:12345/");
  });

  it("accept and return the namespace without its last slash, as the 1.6 text prints it", async () => {
    const { url } = await openCsms();
    const answer = await post(url, envelope(namespace.slice(0, -1), identityHeader, "<cs:heartbeatRequest/>"));
    expect(find(readXml(answer.text), "heartbeatResponse")?.namespace).toBe("urn://Ocpp/Cs/2015/10");
  });

  it("do not let an unknown header pass that must be understood", async () => {
    const { url } = await openCsms();
    const security = '<w:Security xmlns:w="urn:wsse" se:mustUnderstand="1"/>';
    expect(faultOf(await post(url, heartbeat("1.6", identityHeader + security)))).toEqual([
      500,
      "s:MustUnderstand",
      undefined,
    ]);
    const ignorable = '<w:Security xmlns:w="urn:wsse" se:mustUnderstand="0"/><w:Other xmlns:w="urn:x"/>';
    expect((await post(url, heartbeat("1.6", identityHeader + ignorable))).status).toBe(200);
  });
});

describe("what the CSMS refuses with a Fault", () => {
  const cs = namespaceOf("1.6", "CentralSystemService");
  const protocolError = [400, "s:Sender", "o:ProtocolError"];
  const body = (content: string) => envelope(cs, identityHeader, content);

  it.each<[string, string | Buffer, unknown]>([
    ["no XML", "hello", protocolError],
    ["an empty body", "", protocolError],
    ["truncated XML", heartbeat().slice(0, -20), protocolError],
    ["another document", "<html/>", protocolError],
    ["a NUL at the end", `${heartbeat()}\0`, protocolError],
    ["a document type", heartbeat().replace("?>", '?><!DOCTYPE x SYSTEM "http://127.0.0.1:1/">'), protocolError],
    [
      "an entity bomb",
      heartbeat().replace(
        "?>",
        `?><!DOCTYPE x [<!ENTITY a "${"a".repeat(1000)}"><!ENTITY b "${"&a;".repeat(1000)}">]>`,
      ),
      protocolError,
    ],
    ["deep nesting", body("<a>".repeat(50_000)), protocolError],
    ["bytes that are no UTF-8", Buffer.from(heartbeat().replace("CP1", "CPé"), "latin1"), protocolError],
    ["an empty SOAP body", body(""), protocolError],
    ["two requests in one body", body("<cs:heartbeatRequest/><cs:heartbeatRequest/>"), protocolError],
    ["a Fault", body("<se:Fault/>"), protocolError],
    ["another namespace", envelope("urn:other", identityHeader, "<cs:heartbeatRequest/>"), protocolError],
    [
      "the namespace of the station's service",
      envelope(namespaceOf("1.6", "ChargePointService"), identityHeader, "<cs:heartbeatRequest/>"),
      protocolError,
    ],
    ["no namespace", body("<heartbeatRequest/>"), protocolError],
    [
      "two identities",
      envelope(cs, `${identityHeader}<cs:chargeBoxIdentity>CP2</cs:chargeBoxIdentity>`, "<cs:heartbeatRequest/>"),
      protocolError,
    ],
    [
      "SOAP 1.1",
      envelope(cs, identityHeader, "<cs:heartbeatRequest/>", "http://schemas.xmlsoap.org/soap/envelope/"),
      [500, "s:VersionMismatch", undefined],
    ],
    [
      "an identity that is a path",
      envelope(cs, "<cs:chargeBoxIdentity>..</cs:chargeBoxIdentity>", "<cs:heartbeatRequest/>"),
      [400, "s:Sender", "o:IdentityMismatch"],
    ],
    [
      "an identity with a line break",
      envelope(cs, "<cs:chargeBoxIdentity>a&#10;b</cs:chargeBoxIdentity>", "<cs:heartbeatRequest/>"),
      [400, "s:Sender", "o:IdentityMismatch"],
    ],
    [
      "an identity without end",
      envelope(cs, `<cs:chargeBoxIdentity>${"x".repeat(256)}</cs:chargeBoxIdentity>`, "<cs:heartbeatRequest/>"),
      [400, "s:Sender", "o:IdentityMismatch"],
    ],
    ["an unknown action", body("<cs:explodeRequest/>"), [500, "s:Receiver", "o:NotSupported"]],
    ["an action of the CSMS", body("<cs:resetRequest/>"), [500, "s:Receiver", "o:NotSupported"]],
    [
      "an action of the security extension",
      body("<cs:signCertificateRequest/>"),
      [500, "s:Receiver", "o:NotSupported"],
    ],
    [
      "an action without handler",
      body("<cs:authorizeRequest><cs:idTag>A</cs:idTag></cs:authorizeRequest>"),
      [500, "s:Receiver", "o:NotSupported"],
    ],
  ])("%s", async (_what, request, fault) => {
    const { url } = await openCsms();
    expect(faultOf(await post(url, request))).toEqual(fault);
    expect((await post(url, heartbeat())).status).toBe(200);
  });

  it("a payload that breaks its schema, naming path and rule and not the value", async () => {
    const violated: unknown[] = [];
    const { url, csms } = await openCsms({ observer: { violated: ({ violation }) => violated.push(violation) } });
    csms.handle("1.6", "Authorize", () => ({ idTagInfo: { status: "Accepted" } }));
    const answer = await post(
      url,
      body(`<cs:authorizeRequest><cs:idTag>${"secret".repeat(4)}</cs:idTag></cs:authorizeRequest>`),
    );
    expect(faultOf(answer)).toEqual(protocolError);
    expect(find(readXml(answer.text), "Text")?.text).toBe("Authorize: /idTag (string) breaks maxLength: 20");
    expect(answer.text).not.toContain("secret");
    expect(violated).toEqual([{ path: "/idTag", rule: "maxLength", expected: "20", kind: "string" }]);
  });

  it("unless a tolerance lets it pass", async () => {
    const tolerated: unknown[] = [];
    const { url, csms } = await openCsms({
      tolerance: {
        payload: ({ violation, payload }) =>
          violation.rule === "maxLength"
            ? { rule: "long-tag", payload: { idTag: (payload as { idTag: string }).idTag.slice(0, 20) } }
            : undefined,
      },
      observer: { tolerated: ({ rule }) => tolerated.push(rule) },
    });
    csms.handle("1.6", "Authorize", ({ idTag }, { tolerances }) => ({
      idTagInfo: { status: "Accepted", parentIdTag: `${idTag.length} ${tolerances.at(-1)}` },
    }));
    const answer = await post(
      url,
      body(`<cs:authorizeRequest><cs:idTag>${"x".repeat(25)}</cs:idTag></cs:authorizeRequest>`),
    );
    expect(find(readXml(answer.text), "parentIdTag")?.text).toBe("20 long-tag");
    expect(tolerated).toEqual(["soap-no-addressing", "long-tag"]);
  });

  it.each<[401 | 403 | 404 | 429 | 503, unknown]>([
    [401, [401, "s:Sender", "o:SecurityError"]],
    [403, [403, "s:Sender", "o:SecurityError"]],
    [404, [400, "s:Sender", "o:IdentityMismatch"]],
    [429, [429, "s:Receiver", "o:InternalError"]],
    [503, [503, "s:Receiver", "o:InternalError"]],
  ])("a sender that authentication turns away with %i", async (status, fault) => {
    const { url, csms } = await openCsms({ authenticate: () => ({ accept: false, status }) });
    const answer = await post(url, heartbeat());
    expect(faultOf(answer)).toEqual(fault);
    expect(answer.headers["www-authenticate"]).toBe(status === 401 ? 'Basic realm="OCPP", charset="UTF-8"' : undefined);
    expect(csms.connections.size).toBe(0);
  });

  it("anything, with InternalError, when authentication itself fails", async () => {
    const { url } = await openCsms({ authenticate: () => Promise.reject(new Error("database down")) });
    const answer = await post(url, heartbeat());
    expect(faultOf(answer)).toEqual([500, "s:Receiver", "o:InternalError"]);
    expect(answer.text).not.toContain("database");
  });

  it("a version that is not offered", async () => {
    const { url } = await openCsms({ versions: ["1.5", "1.6"] });
    expect(faultOf(await post(url, heartbeat("1.2")))).toEqual(protocolError);
    expect((await post(url, heartbeat("1.5"))).status).toBe(200);
  });

  it("more requests at a time than allowed, of one station and of all", async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let arrived = 0;
    const { url, csms } = await openCsms({ maxConcurrentRequests: 1, maxRequests: 3 });
    let notify = () => {};
    csms.handle("1.6", "Heartbeat", async () => {
      arrived++;
      notify();
      await held;
      return { currentTime: now };
    });
    const reached = (count: number) =>
      new Promise<void>((resolve) => {
        notify = () => arrived >= count && resolve();
        notify();
      });
    const as = (identity: string) => post(url, heartbeat().replace("CP1", identity));
    const unavailable = [503, "s:Receiver", "o:InternalError"];
    const first = as("CP1");
    await reached(1);
    expect(faultOf(await as("CP1"))).toEqual(unavailable);
    const others = [as("CP2"), as("CP3")];
    await reached(3);
    const refused = await as("CP4");
    expect(faultOf(refused)).toEqual(unavailable);
    expect(refused.headers["retry-after"]).toBe("5");
    release();
    expect((await Promise.all([first, ...others])).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await as("CP4")).status).toBe(200);
  });
});

describe("bodies", () => {
  it.each<[string, (text: string) => Buffer, string]>([
    ["gzip", (text) => gzipSync(text), "gzip"],
    ["deflate", (text) => deflateSync(text), "deflate"],
    ["deflate without the zlib header, as some stacks send it", (text) => deflateRawSync(text), "deflate"],
    ["x-gzip", (text) => gzipSync(text), "x-gzip"],
  ])("compressed by %s are read (OCPP-S 1.6 §6.1)", async (_how, compress, coding) => {
    const { url } = await openCsms();
    expect((await post(url, compress(heartbeat()), { "content-encoding": coding })).status).toBe(200);
  });

  it("are compressed for those who accept it, from the threshold on", async () => {
    const { url } = await openCsms({ compressionThresholdBytes: 100 });
    const answer = await post(url, heartbeat(), { "accept-encoding": "deflate;q=0, gzip" });
    expect(answer.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(answer.bytes).toString()).toContain("heartbeatResponse");
    const { url: other } = await openCsms({ compressionThresholdBytes: 10_000 });
    expect((await post(other, heartbeat(), { "accept-encoding": "gzip" })).headers["content-encoding"]).toBeUndefined();
  });

  it("are bounded on the wire and after decompression", async () => {
    const { url } = await openCsms({ maxBodyBytes: 10_000 });
    const large = heartbeat().replace(
      "<cs:heartbeatRequest/>",
      `<cs:heartbeatRequest>${" ".repeat(20_000)}</cs:heartbeatRequest>`,
    );
    const tooLarge = [413, "s:Sender", "o:ProtocolError"];
    expect(faultOf(await post(url, large))).toEqual(tooLarge);
    expect(faultOf(await post(url, large, { "transfer-encoding": "chunked" }))).toEqual(tooLarge);
    expect(faultOf(await post(url, gzipSync(large), { "content-encoding": "gzip" }))).toEqual(tooLarge);
    expect(faultOf(await post(url, deflateSync(" ".repeat(5_000_000)), { "content-encoding": "deflate" }))).toEqual(
      tooLarge,
    );
    expect((await post(url, heartbeat())).status).toBe(200);
  });

  it("in an unknown or wrong encoding, and attachments, are refused", async () => {
    const { url } = await openCsms();
    const refused = async (headers: Record<string, string>) => faultOf(await post(url, heartbeat(), headers));
    expect(await refused({ "content-encoding": "br" })).toEqual([415, "s:Sender", "o:ProtocolError"]);
    expect(await refused({ "content-encoding": "gzip" })).toEqual([400, "s:Sender", "o:ProtocolError"]);
    expect(await refused({ "content-type": "multipart/related" })).toEqual([415, "s:Sender", "o:ProtocolError"]);
  });

  it("that break off harm nobody", async () => {
    const ignored: string[] = [];
    let seen = () => {};
    const noticed = new Promise<void>((resolve) => {
      seen = resolve;
    });
    const observer: EndpointObserver = {
      ignored: ({ reason }) => {
        ignored.push(reason);
        seen();
      },
    };
    const { url } = await openCsms({ observer });
    const { port, hostname } = new URL(url);
    const socket = connect(Number(port), hostname, () => {
      socket.write("POST /ocpp/soap HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n<se:Env", () => socket.destroy());
    });
    await noticed;
    expect(ignored).toEqual(["broken off"]);
    expect((await post(url, heartbeat())).status).toBe(200);
  });
});

describe("the HTTP side of the CSMS", () => {
  it("offers its description and refuses other methods", async () => {
    const { url } = await openCsms();
    const wsdl = await post(`${url}?wsdl`, "", {}, "GET");
    expect([wsdl.status, wsdl.headers["content-type"]]).toEqual([200, "text/xml; charset=utf-8"]);
    expect(wsdl.text).toContain('targetNamespace="urn://Ocpp/Cs/2015/10/"');
    expect(wsdl.text).toContain(`location="${url}"`);
    expect((await post(`${url}?WSDL=1.2`, "", {}, "GET")).text).toContain("urn://Ocpp/Cs/2010/08/");
    expect((await post(`${url}?wsdl=2.0`, "", {}, "GET")).status).toBe(404);
    expect((await post(url, "", {}, "GET")).status).toBe(405);
    expect(await post(url, "x", {}, "PUT")).toMatchObject({ status: 405, headers: { allow: "GET, HEAD, POST" } });
    const evil = await post(`${url}?wsdl`, "", { host: 'a"><script>' }, "GET");
    expect(evil.text).not.toContain("<script>");
  });

  it("leaves other paths of the caller's server to the caller", async () => {
    const csms = new SoapCsms({ path: "/steve/services/CentralSystemService" });
    csms.handle("1.5", "Heartbeat", () => ({ currentTime: now }));
    const server = createServer();
    csms.attach(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closers.push(
      () => new Promise((resolve) => server.close(() => resolve())),
      () => csms.close(),
    );
    const { port } = server.address() as { port: number };
    const url = `http://127.0.0.1:${port}/steve/services/CentralSystemService`;
    expect((await post(url, heartbeat("1.5"))).status).toBe(200);
    expect((await post(`http://127.0.0.1:${port}/`, "")).status).toBe(404);
    server.on("request", (request, response) => {
      if (request.url === "/mine") response.end("mine");
    });
    expect((await post(`http://127.0.0.1:${port}/mine`, "")).text).toBe("mine");
    expect((await post(url, heartbeat("1.5"))).status).toBe(200);
  });

  it("refuses requests while it closes and lets running answers out", async () => {
    const csms = new SoapCsms();
    let release = () => {};
    let arrive = () => {};
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    csms.handle("1.6", "Heartbeat", async () => {
      arrive();
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return { currentTime: now };
    });
    const server = createServer((request, response) => void csms.handleRequest(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closers.push(() => new Promise((resolve) => server.close(() => resolve())));
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/ocpp/soap`;
    const running = post(url, heartbeat());
    await arrived;
    const closed = csms.close({ graceMs: 5000 });
    expect(faultOf(await post(url, heartbeat()))).toEqual([503, "s:Receiver", "o:InternalError"]);
    release();
    expect((await running).status).toBe(200);
    await closed;
  });
});

describe("a raw request to a station", () => {
  const namespace = namespaceOf("1.5", "ChargePointService");
  const clearCache = (header: string) => envelope(namespace, header, "<cs:clearCacheRequest/>");

  it("is answered", async () => {
    const station = await openStation();
    const answer = await post(station.address ?? "", clearCache(identityHeader + addressing("ClearCache")));
    expect(find(readXml(answer.text), "clearCacheResponse")?.namespace).toBe(namespace);
    expect(find(readXml(answer.text), "From")?.children[0]?.text).toBe(station.address);
  });

  it("OCPP-S 1.6 §3.3: for another station gets the Fault IdentityMismatch", async () => {
    const station = await openStation();
    const request = clearCache(identityHeader.replace("CP1", "CP2"));
    expect(faultOf(await post(station.address ?? "", request))).toEqual([400, "s:Sender", "o:IdentityMismatch"]);
  });

  it("without identity is taken, as by a rule", async () => {
    const rules: string[] = [];
    const station = await openStation({ observer: { tolerated: ({ rule }) => rules.push(rule) } });
    expect((await post(station.address ?? "", clearCache(""))).status).toBe(200);
    expect(rules).toEqual(["soap-no-identity", "soap-no-addressing"]);
  });

  it("in another version or for the other service is refused", async () => {
    const station = await openStation();
    const other = envelope(namespaceOf("1.6", "ChargePointService"), identityHeader, "<cs:clearCacheRequest/>");
    for (const request of [other, heartbeat("1.5")]) {
      expect(faultOf(await post(station.address ?? "", request))).toEqual([400, "s:Sender", "o:ProtocolError"]);
    }
  });

  it("can be for its description", async () => {
    const station = await openStation();
    const wsdl = await post(`${station.address}?wsdl`, "", {}, "GET");
    expect(wsdl.text).toContain('name="ChargePointService"');
  });
});

describe("responses of a foreign CSMS", () => {
  const cs = namespaceOf("1.5", "CentralSystemService");

  async function answering(status: number, body: string, observer?: EndpointObserver): Promise<unknown> {
    const server = createServer((request, response) => {
      request
        .resume()
        .on("end", () => response.writeHead(status, { "content-type": "application/soap+xml" }).end(body));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closers.push(() => new Promise((resolve) => server.close(() => resolve())));
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
    const station = await openStation({ url, ...(observer && { observer }) });
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
    const server = createServer((request, response) => {
      request.resume().on("end", () => {
        response.writeHead(200, { "content-length": "100" });
        response.write("<se:", () => response.destroy());
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closers.push(() => new Promise((resolve) => server.close(() => resolve())));
    const station = await openStation({ url: `http://127.0.0.1:${(server.address() as { port: number }).port}/` });
    await expect(station.connection.call("Heartbeat", {})).rejects.toMatchObject({
      name: "NotConnectedError",
      sent: true,
    });
  });
});

describe("an observer that throws", () => {
  const boom = () => {
    throw new Error("bug");
  };
  const observer: EndpointObserver = { message: boom, tolerated: boom, violated: boom, ignored: boom, failed: boom };

  it("does not harm the CSMS", async () => {
    const { url } = await openCsms({ observer });
    expect(faultOf(await post(url, "hello"))).toEqual([400, "s:Sender", "o:ProtocolError"]);
    expect((await post(url, heartbeat("1.6", identityHeader))).status).toBe(200);
  });

  it("does not harm a station", async () => {
    const { csms, url } = await openCsms();
    csms.handle("1.5", "Authorize", boom);
    const station = await openStation({ url, observer });
    expect(await station.connection.call("Heartbeat", {})).toEqual({ currentTime: now });
    await expect(station.connection.call("Authorize", { idTag: "A" })).rejects.toThrow(PeerError);
    expect(await csms.connections.get("CP1")?.callUntyped("ClearCache", {})).toEqual({ status: "Accepted" });
  });
});

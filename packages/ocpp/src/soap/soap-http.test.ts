import { connect } from "node:net";
import { deflateRawSync, deflateSync, gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it, onTestFinished } from "vitest";
import type { EndpointObserver } from "../connection.ts";
import { SoapCsms } from "./soap-csms.ts";
import { faultOf, heartbeat, now, openCsms, post, serveHttp } from "./soap-fixture.ts";

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
    const { server, origin } = await serveHttp();
    csms.attach(server);
    onTestFinished(() => csms.close());
    const url = `${origin}/steve/services/CentralSystemService`;
    expect((await post(url, heartbeat("1.5"))).status).toBe(200);
    expect((await post(`${origin}/`, "")).status).toBe(404);
    server.on("request", (request, response) => {
      if (request.url === "/mine") response.end("mine");
    });
    expect((await post(`${origin}/mine`, "")).text).toBe("mine");
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
    const { origin } = await serveHttp((request, response) => void csms.handleRequest(request, response));
    const url = `${origin}/ocpp/soap`;
    const running = post(url, heartbeat());
    await arrived;
    const closed = csms.close({ graceMs: 5000 });
    expect(faultOf(await post(url, heartbeat()))).toEqual([503, "s:Receiver", "o:InternalError"]);
    release();
    expect((await running).status).toBe(200);
    await closed;
  });
});

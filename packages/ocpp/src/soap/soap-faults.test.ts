import { describe, expect, it } from "vitest";
import { envelope, faultOf, find, heartbeat, identityHeader, now, openCsms, post } from "./soap-fixture.ts";
import { namespaceOf } from "./soap-version.ts";
import { readXml } from "./xml-reader.ts";

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

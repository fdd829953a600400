import { describe, expect, it } from "vitest";
import { addressing, envelope, faultOf, find, heartbeat, identityHeader, now, openCsms, post } from "./soap-fixture.ts";
import { namespaceOf, soapVersions } from "./soap-version.ts";
import { readXml } from "./xml-reader.ts";

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

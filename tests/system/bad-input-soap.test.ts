import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newIds, useHonestCsms } from "./honest-csms.ts";
import { type HttpAnswer, logged, onlyTransactionOf, rawRequest, tolerated, transactionsOf } from "./raw-station.ts";

const namespaces = {
  "1.2": "urn://Ocpp/Cs/2010/08/",
  "1.5": "urn://Ocpp/Cs/2012/06/",
  "1.6": "urn://Ocpp/Cs/2015/10/",
} as const;
type SoapVersion = keyof typeof namespaces;
const versions = Object.keys(namespaces) as SoapVersion[];

const running = useHonestCsms();

const newId = newIds();

function envelope(version: SoapVersion, header: string, body: string): string {
  return (
    '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" ' +
    `xmlns:a="http://www.w3.org/2005/08/addressing" xmlns:c="${namespaces[version]}">` +
    `<s:Header>${header}</s:Header><s:Body>${body}</s:Body></s:Envelope>`
  );
}

const identity = (id: string) => `<c:chargeBoxIdentity s:mustUnderstand="true">${id}</c:chargeBoxIdentity>`;

function addressing(action: string, options: { readonly from?: string; readonly messageId?: string } = {}): string {
  const { from, messageId = "urn:uuid:station-1" } = options;
  return (
    `<a:Action>/${action}</a:Action><a:MessageID>${messageId}</a:MessageID>` +
    (from === undefined ? "" : `<a:From><a:Address>${from}</a:Address></a:From>`) +
    "<a:ReplyTo><a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address></a:ReplyTo><a:To>http://csms</a:To>"
  );
}

function post(body: string | Buffer, headers: Readonly<Record<string, string>> = {}): Promise<HttpAnswer> {
  return rawRequest(running.urlFor("1.5"), {
    ...{ method: "POST", body },
    headers: { "content-type": "application/soap+xml; charset=utf-8", ...headers },
  });
}

/** Text of the first element of a name, whatever its prefix. */
function text(answer: HttpAnswer, element: string): string | undefined {
  return new RegExp(`<(?:\\w+:)?${element}(?:\\s[^>]*)?>([^<]*)<`).exec(answer.text)?.[1];
}

/** HTTP status, code and subcode of a Fault. */
const fault = (answer: HttpAnswer) => [
  answer.status,
  ...[...answer.text.matchAll(/Value>\w:(\w+)</g)].map(([, code]) => code),
];

const heartbeat = "<c:heartbeatRequest/>";

async function expectServed(answer: HttpAnswer): Promise<void> {
  expect(answer.status, answer.text).toBe(200);
  expect(Date.parse(text(answer, "currentTime") ?? "")).not.toBeNaN();
}

function boot(version: SoapVersion, id: string, fields = ""): Promise<HttpAnswer> {
  const request = `<c:chargePointVendor>V</c:chargePointVendor><c:chargePointModel>M</c:chargePointModel>${fields}`;
  return post(envelope(version, identity(id), `<c:bootNotificationRequest>${request}</c:bootNotificationRequest>`));
}

describe.each(versions)("addressing headers in %s", (version) => {
  it("stand in every response, with the request's id in RelatesTo", async () => {
    const header = identity(newId("S")) + addressing("Heartbeat", { messageId: "urn:uuid:4711" });
    const answer = await post(envelope(version, header, heartbeat));
    await expectServed(answer);
    expect(text(answer, "RelatesTo")).toBe("urn:uuid:4711");
    expect(text(answer, "MessageID")).toMatch(/^urn:uuid:[0-9a-f-]{36}$/);
    expect(text(answer, "To")).toBe("http://www.w3.org/2005/08/addressing/anonymous");
    expect(text(answer, "Action")).toBe("/HeartbeatResponse");
  });

  it("without From are taken (soap-no-from); the station is served, and told to be unreachable for commands", async () => {
    const id = newId("NOFROM");
    const before = await tolerated(running, "soap-no-from");
    await expectServed(await post(envelope(version, identity(id) + addressing("Heartbeat"), heartbeat)));
    expect(await tolerated(running, "soap-no-from")).toBe(before + 1);
    const call = await running.api("POST", `/stations/${id}/calls`, { action: "ClearCache", payload: {} });
    expect(call).toMatchObject({ body: { type: expect.stringMatching(/offline/) } });
  });

  it("may all be absent (soap-no-addressing); those of the response are there all the same", async () => {
    const id = newId("NOHEADERS");
    const before = await tolerated(running, "soap-no-addressing");
    const answer = await boot(version, id);
    expect(answer.status).toBe(200);
    expect(text(answer, "status")).toBe("Accepted");
    expect(await tolerated(running, "soap-no-addressing")).toBe(before + 1);
    expect(text(answer, "RelatesTo")).toBe("http://www.w3.org/2005/08/addressing/unspecified");
    for (const element of ["MessageID", "To", "Action"]) expect(text(answer, element)).toMatch(/./);
    expect((await running.api("GET", `/stations/${id}`)).body).toMatchObject({ version, transport: "OCPP-S" });
  });
});

describe("the sender's address", () => {
  let listener: Server;
  let address: string;
  const called: string[] = [];

  beforeAll(async () => {
    listener = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += String(chunk);
      });
      request.on("end", () => {
        called.push(body);
        const answer = envelope(
          "1.6",
          "",
          '<p:clearCacheResponse xmlns:p="urn://Ocpp/Cp/2015/10/"><p:status>Accepted</p:status></p:clearCacheResponse>',
        );
        response.writeHead(200, { "content-type": "application/soap+xml" });
        response.end(answer);
      });
    });
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    address = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/`;
  });

  afterAll(() => void listener.close());

  it("that came once is kept when later requests leave it out", async () => {
    const id = newId("ONCE");
    const withFrom = identity(id) + addressing("Heartbeat", { from: address });
    await expectServed(await post(envelope("1.6", withFrom, heartbeat)));
    await expectServed(await post(envelope("1.6", identity(id), heartbeat)));
    const call = await running.api("POST", `/stations/${id}/calls`, { action: "ClearCache", payload: {} });
    expect(call).toMatchObject({ status: 200, body: { status: "Accepted" } });
    expect(called.at(-1)).toContain(`chargeBoxIdentity`);
    expect(called.at(-1)).toMatch(/MessageID>[^<]+<.*:To[^>]*>[^<]+</s);
  });

  it.each(["", "anonymous", "file:///etc/passwd", "ftp://host/", "javascript:1", "http://", "http://[", "not a url"])(
    "that is none ('%s') costs nothing but the address",
    async (from) => {
      const id = newId("BADFROM");
      await expectServed(await post(envelope("1.6", identity(id) + addressing("Heartbeat", { from }), heartbeat)));
      const call = await running.api("POST", `/stations/${id}/calls`, { action: "ClearCache", payload: {} });
      expect(call).toMatchObject({ body: { type: expect.stringMatching(/offline/) } });
    },
  );
});

describe("empty elements for absent values", () => {
  it("are read as absent (xml-empty-element)", async () => {
    const id = newId("EMPTY");
    const before = await tolerated(running, "xml-empty-element");
    const answer = await boot(
      "1.5",
      id,
      "<c:chargePointSerialNumber/><c:firmwareVersion></c:firmwareVersion><c:iccid> </c:iccid>",
    );
    expect(text(answer, "status")).toBe("Accepted");
    expect(await tolerated(running, "xml-empty-element")).toBeGreaterThan(before);
    const { body } = await running.api("GET", `/stations/${id}`);
    expect(body).toMatchObject({ vendorName: "V" });
    expect(body).not.toHaveProperty("serialNumber");
    expect(body).not.toHaveProperty("firmwareVersion");
    expect(body).not.toHaveProperty("iccid");
  });

  it("and nil ones, in a whole session of 1.5, leave its account exact", async () => {
    const id = newId("EMPTYTX");
    const nil = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"';
    const send = (name: string, fields: string) =>
      post(envelope("1.5", identity(id), `<c:${name}>${fields}</c:${name}>`));
    const started = await send(
      "startTransactionRequest",
      "<c:connectorId>1</c:connectorId><c:idTag>HONEST</c:idTag><c:timestamp>2026-04-01T10:00:00</c:timestamp>" +
        "<c:meterStart>1000</c:meterStart><c:reservationId/>",
    );
    const transactionId = text(started, "transactionId");
    expect(Number(transactionId)).toBeGreaterThan(0);
    const measured = await send(
      "meterValuesRequest",
      `<c:connectorId>1</c:connectorId><c:transactionId>${transactionId}</c:transactionId>` +
        '<c:values><c:timestamp>2026-04-01T10:10:00Z</c:timestamp><c:value unit="" context="">1400</c:value>' +
        '<c:value measurand="Hz">50</c:value></c:values>',
    );
    expect(measured.status, measured.text).toBe(200);
    const stopped = await send(
      "stopTransactionRequest",
      `<c:transactionId>${transactionId}</c:transactionId><c:idTag ${nil}/><c:timestamp>2026-04-01T10:20:00+02</c:timestamp>` +
        "<c:meterStop>1900</c:meterStop>",
    );
    expect(stopped.status, stopped.text).toBe(200);
    expect(await onlyTransactionOf(running, id)).toMatchObject({ energyWh: 900, status: "Ended" });
  });

  it("are refused where the value must be there", async () => {
    const id = newId("MUST");
    const request = "<c:chargePointVendor/><c:chargePointModel/>";
    const answer = await post(
      envelope(
        "1.6",
        identity(id),
        `<c:startTransactionRequest><c:connectorId/>${request}</c:startTransactionRequest>`,
      ),
    );
    expect(fault(answer)).toEqual([400, "Sender", "ProtocolError"]);
    expect(await transactionsOf(running, id)).toEqual([]);
  });
});

describe("a document that is none", () => {
  const bomb =
    '<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;">]>';
  const external = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>';
  const good = () => envelope("1.6", identity("HOSTILE"), heartbeat);

  it.each([
    { what: "nothing", body: () => "" },
    { what: "no XML", body: () => "hello" },
    { what: "JSON", body: () => '[2,"1","Heartbeat",{}]' },
    { what: "a cut envelope", body: () => good().slice(0, -20) },
    {
      what: "an envelope of another kind",
      expected: [500, "VersionMismatch"],
      body: () => good().replaceAll("2003/05/soap-envelope", "other"),
    },
    { what: "no body", body: () => good().replace(/<s:Body>.*<\/s:Body>/, "") },
    { what: "two messages", body: () => good().replace(heartbeat, heartbeat + heartbeat) },
    {
      what: "a message of another service",
      expected: [500, "Receiver", "NotSupported"],
      body: () => good().replace(heartbeat, "<c:resetRequest/>"),
    },
    {
      what: "a message that does not exist",
      expected: [500, "Receiver", "NotSupported"],
      body: () => good().replace(heartbeat, "<c:__proto__Request/>"),
    },
    {
      what: "a namespace that does not exist",
      body: () => good().replaceAll(namespaces["1.6"], "urn://Ocpp/Cs/2099/"),
    },
    { what: "entities that multiply", body: () => good().replace("?>", `?>${bomb}`).replace("HOSTILE", "&c;") },
    { what: "an entity from a file", body: () => good().replace("?>", `?>${external}`).replace("HOSTILE", "&e;") },
    { what: "a thousand levels", body: () => good().replace(heartbeat, "<x>".repeat(1_000) + "</x>".repeat(1_000)) },
    { what: "a NUL", body: () => good().replace("HOSTILE", "HOST\0ILE") },
    { what: "the reference of a NUL", body: () => good().replace("HOSTILE", "HOST&#0;ILE") },
    { what: "another encoding than it says", body: () => Buffer.from(good(), "utf16le") },
    {
      what: "a way up as identity",
      expected: [400, "Sender", "IdentityMismatch"],
      body: () => good().replace("HOSTILE", "../../etc/passwd"),
    },
    {
      what: "a line break in the identity",
      expected: [400, "Sender", "IdentityMismatch"],
      body: () => good().replace("HOSTILE", "A&#13;&#10;B"),
    },
    {
      what: "no identity",
      expected: [400, "Sender", "IdentityMismatch"],
      body: () => good().replace(identity("HOSTILE"), ""),
    },
    { what: "two identities", body: () => good().replace(identity("HOSTILE"), identity("A") + identity("B")) },
    {
      what: "a header that must be understood",
      expected: [500, "MustUnderstand"],
      body: () => good().replace("<s:Header>", '<s:Header><x s:mustUnderstand="1"/>'),
    },
  ])("is refused with a Fault and leaves nothing behind: $what", async ({ body, expected }) => {
    const stations = async () => (await running.api("GET", "/stations?limit=200")).body.items?.length;
    await running.api("PUT", "/stations/HOSTILE", {});
    const before = await stations();
    const answer = await post(body());
    expect(fault(answer)).toEqual(expected ?? [400, "Sender", "ProtocolError"]);
    expect(answer.text).not.toContain("root:");
    expect(await stations()).toBe(before);
  });

  it.each([
    { what: "a method", method: "PUT", headers: {}, status: 405 },
    { what: "an encoding", method: "POST", headers: { "content-encoding": "brotli" }, status: 415 },
  ])("is refused by HTTP where $what is none of OCPP-S", async ({ method, headers, status }) => {
    const answer = await rawRequest(running.urlFor("1.5"), {
      ...{ method, body: good() },
      headers: { "content-type": "application/soap+xml", ...headers },
    });
    expect(answer.status).toBe(status);
  });

  it("is refused when it is too large, also when compression hides it", async () => {
    const huge = good().replace(heartbeat, `<c:heartbeatRequest>${" ".repeat(20_000_000)}</c:heartbeatRequest>`);
    // The connection may end before the whole of it was sent.
    const plain = await post(huge).catch(() => ({ status: 413 }));
    expect(plain.status).toBe(413);
    const hidden = await post(gzipSync(huge), { "content-encoding": "gzip" });
    expect(hidden.status).toBe(413);
  });
});

describe("texts made to be run, in SOAP", () => {
  it.each(["'; drop table station; --", "<![CDATA[<x>]]>", "]]>&lt;/x&gt;", "&#x202e;", "💥"])(
    "are stored and shown as they are: %s",
    async (written) => {
      const id = newId("SQL");
      const answer = await boot(
        "1.5",
        id,
        `<c:firmwareVersion>${written.replace("]]>&", "]]&gt;&")}</c:firmwareVersion>`,
      );
      expect(text(answer, "status")).toBe("Accepted");
      const meant = written
        .replace(/^<!\[CDATA\[(.*)\]\]>$/, "$1")
        .replaceAll("&lt;", "<")
        .replaceAll("&gt;", ">")
        .replace("&#x202e;", "\u202e");
      expect((await running.api("GET", `/stations/${id}`)).body).toMatchObject({ firmwareVersion: meant });
      expect(await logged(running, id, "firmwareVersion")).toMatchObject({ transport: "OCPP-S" });
    },
  );
});

describe("transactions told wrongly by SOAP", () => {
  it.each(versions)("a start sent twice and a stop of nothing are kept once each, in %s", async (version) => {
    const id = newId("TX");
    const send = (name: string, fields: string) =>
      post(envelope(version, identity(id), `<c:${name}>${fields}</c:${name}>`));
    const start =
      "<c:connectorId>1</c:connectorId><c:idTag>HONEST</c:idTag><c:timestamp>2026-04-01T10:00:00Z</c:timestamp>" +
      "<c:meterStart>1000</c:meterStart>";
    const ids = [await send("startTransactionRequest", start), await send("startTransactionRequest", start)].map(
      (answer) => text(answer, "transactionId"),
    );
    expect(ids[0]).toMatch(/^\d+$/);
    expect(ids[1]).toBe(ids[0]);
    const stop = (transactionId: string | undefined, meterStop: number) =>
      send(
        "stopTransactionRequest",
        `<c:transactionId>${transactionId}</c:transactionId><c:timestamp>2026-04-01T11:00:00Z</c:timestamp>` +
          `<c:meterStop>${meterStop}</c:meterStop>`,
      );
    expect((await stop(ids[0], 1_650)).status).toBe(200);
    for (const _ of [1, 2]) expect((await stop("77777", 9_000)).status).toBe(200);
    const items = await transactionsOf(running, id);
    expect(items).toHaveLength(2);
    expect(items.find(({ transactionId }) => transactionId === ids[0])).toMatchObject({
      energyWh: 650,
      status: "Ended",
    });
    expect(items.find(({ transactionId }) => transactionId === "77777")).toMatchObject({ status: "Ended" });
  });
});

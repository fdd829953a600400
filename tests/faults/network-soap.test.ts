import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type HttpAnswer, onlyTransactionOf, rawRequest } from "../system/raw-station.ts";
import { eventually } from "../system/running-csms.ts";
import {
  clearCacheResponse,
  httpAnswer,
  httpPost,
  type SoapVersion,
  soapRequest,
  soapVersions,
} from "./soap-messages.ts";
import { openTcp, runWatchedCsms, type WatchedCsms } from "./watched-csms.ts";

let csms: WatchedCsms;
let count = 0;

beforeAll(async () => {
  csms = await runWatchedCsms();
  await csms.api("PUT", "/id-tokens/NETWORK", { type: "ISO14443", status: "Accepted" });
});

/** Whatever happened: no connection, request or call is left. Sessions of SOAP have no connection and stay. */
afterEach(async () => {
  const { stations } = await csms.load();
  await csms.untilLoad({ stations });
});
afterAll(() => csms.close());

const newId = (name: string) => `${name}-${++count}`;

async function post(body: string): Promise<HttpAnswer> {
  const headers = { "content-type": "application/soap+xml; charset=utf-8" };
  return await rawRequest(csms.urlFor("1.5"), { method: "POST", body, headers });
}

const heartbeat = (version: SoapVersion, identity: string, from?: string) =>
  soapRequest(version, {
    ...{ identity, action: "Heartbeat", body: "", messageId: newId("urn:uuid:beat") },
    ...(from === undefined ? {} : { from }),
  });

/** What a station's endpoint does with a request that has come as a whole. */
type Conduct = (socket: Socket, version: SoapVersion) => void;

const answerWell: Conduct = (socket, version) => void socket.end(httpAnswer(clearCacheResponse(version)));

/** Writes for as long as the other side is there. */
function trickle(socket: Socket, text: (turn: number) => string): void {
  let turn = 0;
  const timer = setInterval(() => socket.write(text(turn++)), 1);
  socket.once("close", () => clearInterval(timer));
}

const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
const okay = "HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\n";

function flood(socket: Socket, text: string): void {
  const more = () => {
    while (socket.writable && socket.write(text));
  };
  socket.on("drain", more);
  more();
}

const timedOut = { status: 504, what: "station-timeout" };
const brokenAnswer = { status: 502, what: "station-answered-error" };
const lost = { status: 503, what: "station-offline", body: { wasAsked: true } };

const conducts: readonly (readonly [name: string, conduct: Conduct, outcome: object])[] = [
  ["never answers", () => {}, timedOut],
  [
    "answers byte by byte and does not come to an end",
    (socket) => trickle(socket, (turn) => `${okay}X-Filler: `.charAt(turn) || "x"),
    timedOut,
  ],
  [
    "answers with a body that comes byte by byte and has no end",
    (socket) => {
      socket.write(`${okay}Transfer-Encoding: chunked\r\n\r\n`);
      trickle(socket, () => "1\r\nx\r\n");
    },
    timedOut,
  ],
  ["announces a body and keeps it", (socket) => void socket.write(`${okay}Content-Length: 500\r\n\r\n<`), timedOut],
  [
    "answers with an endless body",
    (socket) => {
      socket.write(`${okay}Transfer-Encoding: chunked\r\n\r\n`);
      flood(socket, chunk);
    },
    brokenAnswer,
  ],
  [
    "answers with endless headers",
    (socket) => {
      socket.write(okay);
      flood(socket, `X-Header: ${"x".repeat(1_000)}\r\n`);
    },
    brokenAnswer,
  ],
  ["answers with no HTTP", (socket) => void socket.write("SSH-2.0-OpenSSH_9.6\r\n"), brokenAnswer],
  ["ends the connection before it answers", (socket) => void socket.end(), lost],
  ["resets the connection before it answers", (socket) => void socket.resetAndDestroy(), lost],
  ["ends the connection in its answer", (socket) => void socket.end(`${okay}Content-Length: 500\r\n\r\n<`), lost],
];

describe.each(soapVersions)("a station of OCPP-S %s whose endpoint", (version) => {
  let conduct: Conduct = answerWell;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).once("close", () => sockets.delete(socket));
    let text = "";
    socket.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      if (text.endsWith("</s:Envelope>") || text.includes("Envelope>")) {
        text = "";
        conduct(socket, version);
      }
    });
  });
  const identity = `ENDPOINT-${version}`;

  beforeAll(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterAll(() => server.close());

  const comeFrom = async (port: number) => {
    const answer = await post(heartbeat(version, identity, `http://127.0.0.1:${port}/`));
    expect(answer.status).toBe(200);
  };

  it.each(conducts)("%s fails the call for what it is, and nothing but the call", async (_name, bad, outcome) => {
    await comeFrom((server.address() as AddressInfo).port);
    const asked = new Promise<void>((resolve) => {
      conduct = (socket) => {
        // Once.
        conduct = answerWell;
        bad(socket, version);
        resolve();
      };
    });
    // What is no time-out has time enough not to become one.
    const first = csms.call(identity, "ClearCache", {}, outcome === timedOut ? 0.5 : 60);
    await asked;
    const behind = csms.call(identity, "ClearCache", {}, 60);
    expect(await first).toMatchObject(outcome);
    expect(await behind).toMatchObject({ status: 200, body: { status: "Accepted" } });
    await eventually("the end of all connections", () => (sockets.size === 0 ? true : undefined));
  });

  it("refuses connections is offline, and is not when it gives another address", async () => {
    const closed = createServer();
    closed.listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, "close");
    await comeFrom(port);
    conduct = answerWell;
    const offline = { status: 503, what: "station-offline", body: { wasAsked: false } };
    expect(await csms.call(identity, "ClearCache")).toMatchObject(offline);
    await comeFrom((server.address() as AddressInfo).port);
    expect(await csms.call(identity, "ClearCache")).toMatchObject({ status: 200 });
  });
});

describe.each(soapVersions)("a request of OCPP-S %s", (version) => {
  it("that breaks off after any byte leaves nothing behind", async () => {
    const bytes = httpPost(heartbeat(version, newId("BROKEN"), "http://127.0.0.1:9/"));
    for (let sent = 0; sent < bytes.length; sent += 3) {
      const socket = await openTcp(csms);
      socket.resume();
      if (sent > 0) await new Promise((written) => socket.write(bytes.subarray(0, sent), written));
      if (sent % 2 === 0) socket.destroy();
      else socket.resetAndDestroy();
    }
  });

  it("that is cut while the database commits is in the books once, repeated with the same and with a new id", async () => {
    const identity = newId("COMMIT");
    const text = (action: string, body: string, messageId: string) =>
      soapRequest(version, { identity, action, body, messageId });
    const boot = "<c:chargePointVendor>Raw</c:chargePointVendor><c:chargePointModel>R</c:chargePointModel>";
    expect((await post(text("BootNotification", boot, "urn:uuid:boot"))).text).toContain("Accepted");
    const { stations } = await csms.load();
    const start =
      "<c:connectorId>1</c:connectorId><c:idTag>NETWORK</c:idTag>" +
      "<c:timestamp>2026-05-04T10:00:00Z</c:timestamp><c:meterStart>1000</c:meterStart>";
    let transactionId = "";
    for (const [action, body] of [
      ["StartTransaction", () => start],
      [
        "StopTransaction",
        () =>
          `<c:transactionId>${transactionId}</c:transactionId><c:timestamp>2026-05-04T10:20:00Z</c:timestamp>` +
          "<c:meterStop>5000</c:meterStop>",
      ],
    ] as const) {
      const held = await csms.holdCommits();
      const sent = newId("urn:uuid:sent");
      const socket = await openTcp(csms);
      socket.write(httpPost(text(action, body(), sent)));
      await csms.untilLoad({ stations, sockets: 1, requests: 1 });
      socket.resetAndDestroy();
      await csms.untilLoad({ stations, requests: 1 });
      const repeats = [sent, newId("urn:uuid:again")].map((messageId) => post(text(action, body(), messageId)));
      await csms.untilLoad({ stations, sockets: 2, requests: 3 });
      await held.release();
      const answers = await Promise.all(repeats);
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      const ids = new Set(answers.map((answer) => /transactionId>(\d+)</.exec(answer.text)?.[1] ?? ""));
      expect(ids.size).toBe(1);
      transactionId ||= [...ids][0] ?? "";
    }
    expect(await onlyTransactionOf(csms, identity)).toMatchObject({ status: "Ended", energyWh: 4_000 });
  });
});

describe("requests of OCPP-S that stop half way", () => {
  it("take nobody's place, though there are thousands of them", async () => {
    const bytes = httpPost(heartbeat("1.6", "STALLED"));
    const half = bytes.subarray(0, bytes.length - 10);
    const stalled: Socket[] = [];
    const stall = async () => {
      const socket = await openTcp(csms);
      socket.write(half);
      stalled.push(socket);
    };
    // Many at a time: the first are given up after half a minute.
    while (stalled.length < 2_200) await Promise.all(Array.from({ length: 100 }, stall));
    await eventually("more than may be handled at once", async () =>
      (await csms.load()).requests > 2_000 ? true : undefined,
    );
    for (const version of soapVersions) {
      const answer = await post(heartbeat(version, newId("HONEST")));
      expect([answer.status, answer.text]).toEqual([200, expect.stringContaining("heartbeatResponse")]);
    }
    for (const socket of stalled) socket.destroy();
  });
});

describe("a connection of OCPP-S that is kept between requests", () => {
  it("serves one after the other", async () => {
    const socket = await openTcp(csms);
    let heard = "";
    socket.setEncoding("utf8").on("data", (text: string) => {
      heard += text;
    });
    const identity = newId("KEPT");
    for (let round = 1; round <= 3; round++) {
      socket.write(httpPost(heartbeat("1.6", identity)));
      await eventually("the answer", () =>
        heard.split("</").length > 1 && answersIn(heard) === round ? true : undefined,
      );
    }
    socket.destroy();
  });
});

const answersIn = (text: string) => text.split("HTTP/1.1 200").length - 1;

import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage } from "node:http";
import { type AddressInfo, connect as connectSocket, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { OcppVersion } from "../catalogue/version.ts";
import type { Connection } from "../connection.ts";
import { basicAuthorization } from "../endpoint/basic-authentication.ts";
import { ManualTimers } from "../endpoint/manual-timers.ts";
import type { Handshake, HandshakeDecision } from "./handshake.ts";
import { JsonCsms } from "./json-csms.ts";
import type { JsonCsmsOptions } from "./json-csms-options.ts";
import type { Ending } from "./peer/transport.ts";

const currentTime = "2026-01-01T00:00:00Z";
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A station written by hand: a plain WebSocket that keeps what it gets. */
class RawStation {
  readonly socket: WebSocket;
  readonly frames: unknown[] = [];
  readonly #waiting: ((frame: unknown) => void)[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    socket.on("error", () => {});
    socket.on("message", (data) => {
      const frame: unknown = JSON.parse(String(data));
      const waiter = this.#waiting.shift();
      if (waiter === undefined) this.frames.push(frame);
      else waiter(frame);
    });
    cleanups.push(() => socket.terminate());
  }

  /** The next frame, in order of arrival. */
  next(): Promise<unknown> {
    if (this.frames.length > 0) return Promise.resolve(this.frames.shift());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Sends a frame and returns the next one that comes. */
  async ask(...elements: unknown[]): Promise<unknown> {
    this.socket.send(JSON.stringify(elements));
    return this.next();
  }
}

async function csmsOf(options: JsonCsmsOptions = {}) {
  const csms = new JsonCsms(options);
  csms.handle("1.6", "Heartbeat", () => ({ currentTime }));
  csms.handle("2.0.1", "Heartbeat", () => ({ currentTime }));
  const { port } = await csms.listen({ port: 0, host: "127.0.0.1" });
  cleanups.push(() => csms.close({ graceMs: 0 }));
  return { csms, port, url: `ws://127.0.0.1:${port}/ocpp` };
}

interface Offer {
  readonly protocols?: readonly string[];
  readonly headers?: Record<string, string>;
  readonly perMessageDeflate?: boolean;
  readonly autoPong?: boolean;
}

function open(url: string, { protocols = ["ocpp1.6"], ...options }: Offer = {}): WebSocket {
  return new WebSocket(url, [...protocols], options);
}

async function connect(url: string, offer?: Offer): Promise<RawStation> {
  const socket = open(url, offer);
  const station = new RawStation(socket);
  await once(socket, "open");
  return station;
}

/** The HTTP response of a handshake that is refused. */
async function refusal(url: string, offer?: Offer): Promise<IncomingMessage> {
  const socket = open(url, offer);
  cleanups.push(() => socket.terminate());
  socket.on("error", () => {});
  const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
  response.resume();
  return response;
}

/** A WebSocket handshake by hand, for what a WebSocket library refuses to do. Returns the response's head. */
async function rawUpgrade(port: number, target: string, headers: readonly string[] = []) {
  const socket = connectSocket(port, "127.0.0.1");
  cleanups.push(() => socket.destroy());
  const lines = [
    `GET ${target} HTTP/1.1`,
    "Host: x",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==",
    ...headers,
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  let text = "";
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (text.includes("\r\n\r\n")) break;
  }
  return { socket, head: text.slice(0, text.indexOf("\r\n\r\n")) };
}

function gate<T>() {
  let open: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

describe("handshake", () => {
  test("connects a station under its decoded identity", async () => {
    const { csms, url } = await csmsOf();
    const station = await connect(`${url}/RDAM%20%7C123?x=1`);
    expect(await station.ask(2, "1", "Heartbeat", {})).toEqual([3, "1", { currentTime }]);
    expect([...csms.connections.keys()]).toEqual(["RDAM |123"]);
    expect(csms.connections.get("RDAM |123")).toMatchObject({
      version: "1.6",
      transport: "OCPP-J",
      remoteAddress: "127.0.0.1",
      isOpen: true,
    });
  });

  test.each([["/ocpp/"], ["/ocpp/a%2Fb"], ["/ocpp/a%"], ["/ocpp/a/b"], ["/other/a"], ["/ocpp/%00"]])(
    "refuses the path %s with 404",
    async (path) => {
      const { port } = await csmsOf();
      const { head } = await rawUpgrade(port, path, ["Sec-WebSocket-Protocol: ocpp1.6"]);
      expect(head).toMatch(/^HTTP\/1\.1 404 /);
    },
  );

  test("refuses an identity that 2.x does not allow, and takes it in 1.6", async () => {
    const { url } = await csmsOf();
    for (const identity of ["a%3Ab", "x".repeat(49)]) {
      expect((await refusal(`${url}/${identity}`, { protocols: ["ocpp2.0.1"] })).statusCode).toBe(404);
      await connect(`${url}/${identity}`, { protocols: ["ocpp1.6"] });
    }
  });

  test.each([
    [["ocpp2.1", "ocpp2.0.1", "ocpp1.6"], "2.1"],
    [["ocpp1.6", "ocpp2.1"], "1.6"],
    [["ocpp9.9", "ocpp2.0", "ocpp2.0.1"], "2.0.1"],
    [["ocpp1.2"], "1.2"],
    [["ocpp1.5"], "1.5"],
  ])("chooses from %j the first that both speak", async (protocols, version) => {
    const { csms, url } = await csmsOf();
    const station = await connect(`${url}/CS1`, { protocols });
    expect(station.socket.protocol).toBe(`ocpp${version}`);
    expect(csms.connections.get("CS1")?.version).toBe(version);
  });

  test("completes the handshake without the header and closes at once when nothing matches (2.x Part 4 §3.3)", async () => {
    const { csms, port } = await csmsOf({ versions: ["2.0.1"] });
    const { socket, head } = await rawUpgrade(port, "/ocpp/CS1", ["Sec-WebSocket-Protocol: ocpp1.6, ocpp2.1"]);
    expect(head).toMatch(/^HTTP\/1\.1 101 /);
    expect(head.toLowerCase()).not.toContain("sec-websocket-protocol");
    expect(socket.destroyed || csms.connections.size === 0).toBe(true);
    expect(csms.connections.size).toBe(0);
  });

  test("the close after a mismatch carries code 1002", async () => {
    const { url } = await csmsOf({ authenticate: () => ({ accept: true }) });
    const station = new RawStation(open(`${url}/CS1`, { protocols: [] }));
    expect((await station.closed).code).toBe(1002);
  });

  test("takes a station that offers nothing when the hook names its version", async () => {
    const connected: unknown[] = [];
    const { csms, url } = await csmsOf({
      authenticate: () => ({ accept: true, versionWithoutSubprotocol: "1.6" }),
      onConnect: (_connection, accepted) => connected.push(accepted),
    });
    const station = await connect(`${url}/CS1`, { protocols: [] });
    expect(await station.ask(2, "1", "Heartbeat", {})).toEqual([3, "1", { currentTime }]);
    expect(csms.connections.get("CS1")?.version).toBe("1.6");
    expect(connected).toEqual([{ context: undefined, isWithoutSubprotocol: true }]);
  });

  test("hands the hook all it knows, and what it returns to onConnect", async () => {
    const seen: Handshake[] = [];
    const contexts: unknown[] = [];
    const { url } = await csmsOf({
      authenticate: async (handshake) => {
        seen.push(handshake);
        return { accept: true, context: { tenant: 7 } };
      },
      onConnect: (_connection, { context }) => contexts.push(context),
    });
    const key = Buffer.from("00ff3a80", "hex");
    const headers = { Authorization: basicAuthorization("CS1", key), "X-Forwarded-For": "10.0.0.1" };
    await connect(`${url}/CS1`, { protocols: ["ocpp2.1", "ocpp1.6"], headers });
    expect(seen).toMatchObject([
      {
        identity: "CS1",
        path: "/ocpp/CS1",
        remoteAddress: "127.0.0.1",
        secure: false,
        clientCertificateVerified: false,
        offeredSubprotocols: ["ocpp2.1", "ocpp1.6"],
        headers: { "x-forwarded-for": "10.0.0.1" },
      },
    ]);
    expect(seen[0]?.authorization?.username.toString()).toBe("CS1");
    expect(seen[0]?.authorization?.password.equals(key)).toBe(true);
    expect(seen[0]?.clientCertificate).toBeUndefined();
    expect(contexts).toEqual([{ tenant: 7 }]);
  });

  test.each([401, 403, 404, 429, 503] as const)("answers %i when the hook says so", async (status) => {
    const decision: HandshakeDecision = {
      accept: false,
      status,
      headers: { "Retry-After": "60", "Bad\nHeader": "x", Evil: "a\r\nb: c" },
    };
    const { url } = await csmsOf({ authenticate: () => decision });
    const response = await refusal(`${url}/CS1`);
    expect(response.statusCode).toBe(status);
    expect(response.headers["retry-after"]).toBe("60");
    expect(response.headers).not.toHaveProperty("b");
    expect(response.headers["www-authenticate"] !== undefined).toBe(status === 401);
  });

  test("answers 500 when the hook fails, and tells the observer", async () => {
    const failures: unknown[] = [];
    const { url } = await csmsOf({
      authenticate: () => Promise.reject(new Error("database is away")),
      observer: { failed: ({ error }) => failures.push(error) },
    });
    expect((await refusal(`${url}/CS1`)).statusCode).toBe(500);
    expect(failures).toEqual([new Error("database is away")]);
  });

  test("answers 503 when the hook takes too long, and aborts its signal", async () => {
    const timers = new ManualTimers();
    const called = gate<Handshake>();
    const { url } = await csmsOf({
      timers,
      handshakeTimeoutMs: 5_000,
      authenticate: (handshake) => {
        called.open(handshake);
        return new Promise(() => {});
      },
    });
    const refused = refusal(`${url}/CS1`);
    const { signal } = await called.promise;
    timers.advance(4_999);
    expect(signal.aborted).toBe(false);
    timers.advance(1);
    expect((await refused).statusCode).toBe(503);
    expect(signal.aborted).toBe(true);
  });

  test("loses no frame that comes while the hook decides, and handles none before onConnect", async () => {
    const decision = gate<HandshakeDecision>();
    const order: string[] = [];
    const { csms, port } = await csmsOf({
      authenticate: () => decision.promise,
      onConnect: () => order.push("connected"),
    });
    csms.handle("1.6", "Heartbeat", () => {
      order.push("heartbeat");
      return { currentTime };
    });
    const socket = connectSocket(port, "127.0.0.1");
    cleanups.push(() => socket.destroy());
    const frame = Buffer.from('[2,"1","Heartbeat",{}]');
    const masked = Buffer.concat([Buffer.from([0x81, 0x80 | frame.length, 0, 0, 0, 0]), frame]);
    const head = `GET /ocpp/CS1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n`;
    socket.write(Buffer.concat([Buffer.from(head), masked]));
    socket.write(masked);
    setImmediate(() => decision.open({ accept: true }));
    let text = "";
    for await (const chunk of socket) {
      text += String(chunk);
      if (text.split(currentTime).length === 3) break;
    }
    expect(order).toEqual(["connected", "heartbeat", "heartbeat"]);
  });

  test("refuses stations beyond the limit with 503, except those that come back", async () => {
    const { url } = await csmsOf({ maxConnections: 2 });
    await connect(`${url}/CS1`);
    await connect(`${url}/CS2`);
    expect((await refusal(`${url}/CS3`)).statusCode).toBe(503);
    await connect(`${url}/CS2`);
  });

  test("plain HTTP gets 426", async () => {
    const { port } = await csmsOf();
    const request = httpRequest({ port, host: "127.0.0.1", path: "/ocpp/CS1" }).end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(426);
  });

  test("a hook of the caller that throws does not harm the connection", async () => {
    const failures: unknown[] = [];
    const boom = () => {
      throw new Error("bug");
    };
    const { url } = await csmsOf({
      onConnect: boom,
      onDisconnect: boom,
      observer: { failed: ({ error }) => failures.push(error) },
    });
    const station = await connect(`${url}/CS1`);
    expect(await station.ask(2, "1", "Heartbeat", {})).toEqual([3, "1", { currentTime }]);
    expect(failures).toHaveLength(1);
  });
});

describe("a station that gives up while it is authenticated", () => {
  test.each([
    ["an end", (socket: Socket) => void socket.end()],
    ["a reset", (socket: Socket) => void socket.resetAndDestroy()],
  ])("by %s is told to who decides, and does not connect any more", async (_name, giveUp) => {
    const asked = gate<Handshake>();
    const decided = gate<HandshakeDecision>();
    let connections = 0;
    const { csms, port } = await csmsOf({
      authenticate(handshake) {
        asked.open(handshake);
        return decided.promise;
      },
      onConnect: () => connections++,
    });
    const socket = connectSocket(port, "127.0.0.1");
    cleanups.push(() => socket.destroy());
    socket.write(
      "GET /ocpp/CS1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n",
    );
    const { signal } = await asked.promise;
    expect(csms.load).toEqual({ sockets: 0, handshakes: 1, requests: 0 });
    const closed = once(socket.resume(), "close");
    giveUp(socket);
    await expect.poll(() => signal.aborted).toBe(true);
    decided.open({ accept: true });
    await expect.poll(() => csms.load).toEqual({ sockets: 0, handshakes: 0, requests: 0 });
    await closed;
    expect(connections).toBe(0);
  });
});

describe("the newest connection of an identity", () => {
  test("wins: the old one is closed, its calls are rejected, and its frames are not taken any more", async () => {
    const order: string[] = [];
    const endings: Ending[] = [];
    const { csms, url } = await csmsOf({
      onConnect: () => order.push("connect"),
      onDisconnect: (connection, ending) => {
        order.push(csms.connections.get("CS1") === connection ? "disconnect current" : "disconnect old");
        endings.push(ending);
      },
    });
    const old = await connect(`${url}/CS1`);
    const call = csms.connections.get("CS1")?.callUntyped("Reset", { type: "Soft" });
    const rejected = expect(call).rejects.toMatchObject({ name: "NotConnectedError", sent: true });
    await old.next();
    const current = await connect(`${url}/CS1`);
    await rejected;
    expect((await old.closed).code).toBe(1008);
    expect(endings).toEqual([{ code: 1008, reason: "replaced by a newer connection", replacedBy: true }]);
    expect(order).toEqual(["connect", "disconnect old", "connect"]);
    expect(csms.connections.size).toBe(1);
    expect(await current.ask(2, "1", "Heartbeat", {})).toEqual([3, "1", { currentTime }]);
  });

  test("is the one that asked last, though another handshake was decided later", async () => {
    const decisions: ((decision: HandshakeDecision) => void)[] = [];
    const authenticate = () => new Promise<HandshakeDecision>((resolve) => decisions.push(resolve));
    const { csms, url } = await csmsOf({ authenticate });
    const slow = open(`${url}/CS1`);
    const refused = once(slow, "unexpected-response") as Promise<unknown[]>;
    slow.on("error", () => {});
    await expect.poll(() => decisions.length).toBe(1);
    const connecting = connect(`${url}/CS1`);
    await expect.poll(() => decisions.length).toBe(2);
    decisions[1]?.({ accept: true });
    const current = await connecting;
    decisions[0]?.({ accept: true });
    const [request, response] = (await refused) as [{ destroy(): void }, IncomingMessage];
    expect(response.statusCode).toBe(409);
    request.destroy();
    expect(await current.ask(2, "1", "Heartbeat", {})).toEqual([3, "1", { currentTime }]);
    expect(csms.load).toEqual({ sockets: 1, handshakes: 0, requests: 0 });
    // Once it is gone, nothing remembers that it was newer.
    current.socket.terminate();
    await expect.poll(() => csms.load.sockets).toBe(0);
    const next = connect(`${url}/CS1`);
    await expect.poll(() => decisions.length).toBe(3);
    decisions[2]?.({ accept: true });
    expect(await (await next).ask(2, "2", "Heartbeat", {})).toEqual([3, "2", { currentTime }]);
  });

  test("is not taken away when the old socket ends later", async () => {
    const { csms, url } = await csmsOf();
    const old = await connect(`${url}/CS1`);
    await connect(`${url}/CS1`);
    const current = csms.connections.get("CS1");
    await old.closed;
    old.socket.terminate();
    expect(csms.connections.get("CS1")).toBe(current);
    expect(current?.isOpen).toBe(true);
  });
});

describe("a connection", () => {
  test("carries calls both ways", async () => {
    const connections: Connection<OcppVersion, "CSMS">[] = [];
    const { url } = await csmsOf({ onConnect: (connection) => connections.push(connection) });
    const station = await connect(`${url}/CS1`, { protocols: ["ocpp2.0.1"] });
    const call = connections[0]?.callUntyped("Reset", { type: "Immediate" });
    const [type, id, action, payload] = (await station.next()) as unknown[];
    expect([type, action, payload]).toEqual([2, "Reset", { type: "Immediate" }]);
    station.socket.send(JSON.stringify([3, id, { status: "Accepted" }]));
    expect(await call).toEqual({ status: "Accepted" });
  });

  test("may be called from onConnect", async () => {
    const { url } = await csmsOf({
      onConnect: (connection) => void connection.callUntyped("ClearCache", {}).catch(() => {}),
    });
    const station = await connect(`${url}/CS1`);
    expect(await station.next()).toMatchObject([2, expect.any(String), "ClearCache", {}]);
  });

  test("ends with 1009 when a frame is larger than allowed", async () => {
    const endings: Ending[] = [];
    const { url } = await csmsOf({ maxFrameBytes: 1_000, onDisconnect: (_connection, ending) => endings.push(ending) });
    const station = await connect(`${url}/CS1`);
    station.socket.send("x".repeat(1_001));
    expect((await station.closed).code).toBe(1009);
    const other = await connect(`${url}/CS2`);
    expect(await other.ask(2, "1", "Heartbeat", {})).toEqual([3, "1", { currentTime }]);
    expect(endings).toEqual([{ code: 1009, reason: "a frame is larger than allowed" }]);
  });

  test("ends with 1007 when a text is no UTF-8 (RFC 6455 §8.1)", async () => {
    const { url } = await csmsOf();
    const station = await connect(`${url}/CS1`);
    station.socket.send(Buffer.from([0x5b, 0xff, 0xfe, 0x5d]), { binary: false });
    expect((await station.closed).code).toBe(1007);
  });

  test("survives garbage and goes on", async () => {
    const { url } = await csmsOf();
    const station = await connect(`${url}/CS1`, { protocols: ["ocpp2.0.1"] });
    for (const garbage of ["", "hello", "[", "{}", "[]", "[2]", "null", "[[[[[[", '[2,"1"]'])
      station.socket.send(garbage);
    station.socket.send(Buffer.from([1, 2, 3]));
    station.socket.send(`${"[".repeat(200_000)}`);
    station.socket.send(`[2,"deep","Heartbeat",${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}]`);
    station.socket.send('[2,"end","Heartbeat",{}]');
    const answers: unknown[][] = [];
    while (answers.at(-1)?.[1] !== "end") answers.push((await station.next()) as unknown[]);
    expect(answers.slice(0, -1).every(([type]) => type === 4)).toBe(true);
    expect(answers.at(-2)?.slice(0, 3)).toEqual([4, "deep", "FormatViolation"]);
    expect(answers.at(-1)).toEqual([3, "end", { currentTime }]);
  });

  test("compresses from the threshold on, without context takeover", async () => {
    const { csms, url } = await csmsOf({ compression: { thresholdBytes: 200 } });
    csms.handle("1.6", "DataTransfer", ({ data }) => ({ status: "Accepted", ...(data !== undefined && { data }) }));
    const socket = open(`${url}/CS1`, { perMessageDeflate: true });
    const station = new RawStation(socket);
    const opened = once(socket, "open");
    const [response] = (await once(socket, "upgrade")) as [IncomingMessage];
    await opened;
    const extensions = String(response.headers["sec-websocket-extensions"]);
    expect(extensions).toContain("permessage-deflate");
    expect(extensions).toContain("server_no_context_takeover");
    expect(extensions).toContain("client_no_context_takeover");
    const bytesRead = () => (response.socket as { bytesRead?: number }).bytesRead ?? 0;
    const before = bytesRead();
    const data = "x".repeat(5_000);
    expect(await station.ask(2, "1", "DataTransfer", { vendorId: "v", data })).toEqual([
      3,
      "1",
      { status: "Accepted", data },
    ]);
    expect(bytesRead() - before).toBeLessThan(500);
  });

  test.each([true, false])(
    "answers of every length arrive whole, compression offered: %s",
    async (perMessageDeflate) => {
      const { csms, url } = await csmsOf();
      csms.handle("2.0.1", "DataTransfer", ({ data }) => ({ status: "Accepted", data }));
      const station = await connect(`${url}/CS1`, { protocols: ["ocpp2.0.1"], perMessageDeflate });
      for (const length of [0, 50, 100, 126, 1_000, 65_400, 65_536, 300_000]) {
        const data = "ä".repeat(length / 2);
        const answer = await station.ask(2, "1", "DataTransfer", { vendorId: "v", data });
        expect(answer).toEqual([3, "1", { status: "Accepted", data }]);
      }
    },
  );

  test("offers no compression when told so", async () => {
    const { url } = await csmsOf({ compression: false });
    const station = await connect(`${url}/CS1`, { perMessageDeflate: true });
    expect(station.socket.extensions).toBe("");
  });

  test("of a peer that asks and never reads is not read for ever", async () => {
    const { csms, url } = await csmsOf({ maxUnsentBytes: 100_000 });
    let handled = 0;
    const data = "x".repeat(10_000);
    csms.handle("1.6", "DataTransfer", () => {
      handled++;
      return { status: "Accepted", data };
    });
    // Compressed, all of it would fit into the buffers of the kernel.
    const station = await connect(`${url}/CS1`, { perMessageDeflate: false });
    station.socket.pause();
    const asked = 3_000;
    for (let index = 0; index < asked; index++) station.socket.send(`[2,"${index}","DataTransfer",{"vendorId":"v"}]`);
    let last = -1;
    while (handled !== last) {
      last = handled;
      for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(handled).toBeGreaterThan(0);
    expect(handled).toBeLessThan(asked);
    station.socket.resume();
    const seen = new Set<unknown>();
    while (seen.size < asked) seen.add(((await station.next()) as unknown[])[1]);
    expect(handled).toBe(asked);
  });

  test("of a peer that never reads is ended when calls for it pile up", async () => {
    const endings: Ending[] = [];
    const { csms, url } = await csmsOf({
      maxUnsentBytes: 100_000,
      pingIntervalMs: 0,
      onDisconnect: (_connection, ending) => endings.push(ending),
    });
    // Compressed, all of it would fit into the buffers of the kernel.
    const station = await connect(`${url}/CS1`, { perMessageDeflate: false });
    station.socket.pause();
    const other = await connect(`${url}/CS2`);
    const connection = csms.connections.get("CS1");
    const data = "x".repeat(60_000);
    let outcome: unknown;
    for (let calls = 0; connection?.isOpen === true && calls < 1_000; calls++) {
      outcome = await connection
        .callUntyped("DataTransfer", { vendorId: "v", data }, { timeoutMs: 5 })
        .catch((error: unknown) => error);
    }
    expect(outcome).toMatchObject({ name: "NotConnectedError" });
    expect(endings).toEqual([{ code: 1006, reason: "does not read" }]);
    expect([...csms.connections.keys()]).toEqual(["CS2"]);
    expect(await other.ask(2, "1", "Heartbeat", {})).toEqual([3, "1", { currentTime }]);
    await expect.poll(() => csms.load).toEqual({ sockets: 1, handshakes: 0, requests: 0 });
  });
});

describe("liveness", () => {
  test("a silent station is pinged, and ended when no pong comes in time", async () => {
    const timers = new ManualTimers();
    const ended = gate<Ending>();
    const { csms, url } = await csmsOf({
      timers,
      pingIntervalMs: 10_000,
      pongTimeoutMs: 2_000,
      random: () => 1,
      onDisconnect: (_connection, ending) => ended.open(ending),
    });
    const station = await connect(`${url}/CS1`, { autoPong: false });
    const pinged = once(station.socket, "ping");
    timers.advance(10_500);
    await pinged;
    expect(csms.connections.get("CS1")?.isOpen).toBe(true);
    timers.advance(2_500);
    expect(await ended.promise).toEqual({ code: 1006, reason: "no pong" });
    expect(csms.connections.size).toBe(0);
  });

  test("a pong, or any other frame, is a sign of life", async () => {
    const timers = new ManualTimers();
    const { csms, url } = await csmsOf({ timers, pingIntervalMs: 10_000, pongTimeoutMs: 2_000, random: () => 1 });
    const quiet = await connect(`${url}/CS1`, { autoPong: false });
    const lively = await connect(`${url}/CS2`);
    for (let round = 0; round < 5; round++) {
      const pings = [once(quiet.socket, "ping"), once(lively.socket, "ping")];
      while (timers.elapsedMs() < (round + 1) * 11_000) timers.advance(500);
      await Promise.all(pings);
      expect(await quiet.ask(2, `${round}`, "Heartbeat", {})).toEqual([3, `${round}`, { currentTime }]);
      expect(await lively.ask(2, `${round}`, "Heartbeat", {})).toEqual([3, `${round}`, { currentTime }]);
    }
    expect(csms.connections.size).toBe(2);
  });

  test("every byte of a long message is one, and a message that stops half way is none", async () => {
    const timers = new ManualTimers();
    const { csms } = await csmsOf({ timers, pingIntervalMs: 10_000, pongTimeoutMs: 2_000, random: () => 1 });
    const server = createServer();
    csms.attach(server);
    let accepted: Socket | undefined;
    server.on("connection", (socket: Socket) => {
      accepted = socket;
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const { socket } = await rawUpgrade(port, "/ocpp/CS1", ["Sec-WebSocket-Protocol: ocpp1.6"]);
    const text = Buffer.from('[2,"1","Heartbeat",{}]');
    const heard = async (bytes: Buffer) => {
      const before = accepted?.bytesRead ?? 0;
      socket.write(bytes);
      await expect.poll(() => accepted?.bytesRead, { interval: 1 }).toBe(before + bytes.length);
    };
    await heard(Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]));
    for (const byte of text) {
      for (let second = 0; second < 9; second++) timers.advance(1_000);
      expect(csms.connections.size).toBe(1);
      await heard(Buffer.from([byte]));
    }
    for (let second = 0; second < 9; second++) timers.advance(1_000);
    expect(csms.connections.size).toBe(1);
    await heard(Buffer.from([0x81, 0x80 | text.length, 0, 0]));
    for (let second = 0; second < 14; second++) timers.advance(1_000);
    expect(csms.connections.size).toBe(0);
  });

  test("a station that a ping would break is not pinged when the hook says so", async () => {
    const timers = new ManualTimers();
    const { csms, url } = await csmsOf({
      timers,
      pingIntervalMs: 1_000,
      pongTimeoutMs: 1_000,
      authenticate: () => ({ accept: true, pingIntervalMs: 0 }),
    });
    const station = await connect(`${url}/CS1`);
    let pings = 0;
    station.socket.on("ping", () => pings++);
    timers.advance(60_000);
    expect(await station.ask(2, "1", "Heartbeat", {})).toEqual([3, "1", { currentTime }]);
    expect(pings).toBe(0);
    expect(csms.connections.size).toBe(1);
  });

  test("one timer serves all connections", async () => {
    const timers = new ManualTimers();
    const { url } = await csmsOf({ timers });
    await Promise.all(Array.from({ length: 20 }, (_, index) => connect(`${url}/CS${index}`)));
    expect(timers.pending).toBe(1);
  });
});

describe("close", () => {
  test("lets running answers out, closes with 1001, and takes nobody any more", async () => {
    const answer = gate<{ currentTime: string }>();
    const { csms, url } = await csmsOf();
    csms.handle("1.6", "Heartbeat", () => answer.promise);
    const station = await connect(`${url}/CS1`);
    station.socket.send('[2,"1","Heartbeat",{}]');
    const other = await connect(`${url}/CS2`);
    await other.ask(2, "2", "NoSuchThing", {});
    const closing = csms.close();
    answer.open({ currentTime });
    expect(await station.next()).toEqual([3, "1", { currentTime }]);
    expect(await Promise.all([station.closed, other.closed])).toMatchObject([{ code: 1001 }, { code: 1001 }]);
    await closing;
    expect(csms.connections.size).toBe(0);
    await expect(once(open(`${url}/CS3`), "open")).rejects.toThrow();
  });

  test("answers 503 to those that come meanwhile on a server of the caller", async () => {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanups.push(() => server.close());
    const csms = new JsonCsms();
    csms.attach(server);
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ocpp/CS1`;
    const never = new Promise<{ currentTime: string }>(() => {});
    csms.handle("1.6", "Heartbeat", () => never);
    const station = await connect(url);
    station.socket.send('[2,"1","Heartbeat",{}]');
    await station.ask(2, "2", "NoSuchThing", {});
    const closing = csms.close({ graceMs: 200 });
    expect((await refusal(url)).statusCode).toBe(503);
    await closing;
    expect(server.listenerCount("upgrade")).toBe(0);
  });
});

describe("a server of the caller", () => {
  test("keeps its own requests and upgrades", async () => {
    const server = createServer((_request, response) => response.end("mine"));
    const csms = new JsonCsms({ path: "/charge/" });
    csms.handle("1.6", "Heartbeat", () => ({ currentTime }));
    csms.attach(server);
    csms.attach(server);
    const others: (string | undefined)[] = [];
    server.on("upgrade", (request, socket) => {
      if (request.url?.startsWith("/charge") === true) return;
      others.push(request.url);
      socket.end("HTTP/1.1 418 I'm a teapot\r\nConnection: close\r\n\r\n");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanups.push(() => server.close());
    cleanups.push(() => csms.close({ graceMs: 0 }));
    const base = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const station = await connect(`ws://${base}/charge/CS1`);
    expect(await station.ask(2, "1", "Heartbeat", {})).toEqual([3, "1", { currentTime }]);
    expect((await refusal(`ws://${base}/console`)).statusCode).toBe(418);
    expect(others).toEqual(["/console"]);
    expect(await (await fetch(`http://${base}/`)).text()).toBe("mine");
  });

  test("a taken port is told", async () => {
    const { port } = await csmsOf();
    await expect(new JsonCsms().listen({ port, host: "127.0.0.1" })).rejects.toMatchObject({ code: "EADDRINUSE" });
  });
});

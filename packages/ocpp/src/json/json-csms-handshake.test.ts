import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect as connectSocket, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { basicAuthorization } from "../endpoint/basic-authentication.ts";
import { ManualTimers } from "../endpoint/manual-timers.ts";
import { atEnd, cleanUp } from "./clean-up-fixture.ts";
import type { Handshake, HandshakeDecision } from "./handshake.ts";
import { connect, csmsOf, currentTime, gate, open, RawStation, rawUpgrade, refusal } from "./raw-station-fixture.ts";

afterEach(cleanUp);

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
    atEnd(() => socket.destroy());
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
    atEnd(() => socket.destroy());
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

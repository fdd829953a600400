import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import type { OcppVersion } from "../catalogue/version.ts";
import type { Connection } from "../connection.ts";
import { cleanUp } from "./clean-up-fixture.ts";
import type { HandshakeDecision } from "./handshake.ts";
import type { Ending } from "./peer/transport.ts";
import { connect, csmsOf, currentTime, open, RawStation } from "./raw-station-fixture.ts";

afterEach(cleanUp);

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

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { basicCredentials } from "../endpoint/basic-authentication.ts";
import { atEnd, cleanUp } from "./clean-up-fixture.ts";
import { JsonStation } from "./json-station.ts";
import { answer, currentTime, rawCsms, stationOf } from "./raw-csms-fixture.ts";

afterEach(cleanUp);

describe("connect", () => {
  test("goes to the endpoint with the identity, percent-encoded, its versions in order, and Basic credentials", async () => {
    const csms = await rawCsms();
    const password = Buffer.from("00ff3aff", "hex");
    const { station } = stationOf(`${csms.url}/`, {
      identity: "RDAM |123",
      versions: ["2.1", "2.0.1", "1.6"],
      password,
    });
    const connection = await station.connect();
    const request = await csms.requests.next();
    expect(request.url).toBe("/ocpp/RDAM%20%7C123");
    expect(request.headers["sec-websocket-protocol"]).toBe("ocpp2.1,ocpp2.0.1,ocpp1.6");
    const credentials = basicCredentials(request.headers.authorization);
    expect(credentials?.username.toString()).toBe("RDAM |123");
    expect(credentials?.password.equals(password)).toBe(true);
    expect(connection).toMatchObject({ identity: "RDAM |123", version: "2.1", transport: "OCPP-J", isOpen: true });
    expect(station.connection).toBe(connection);
    expect(await station.connect()).toBe(connection);
  });

  test("speaks the version that the CSMS chooses", async () => {
    const csms = await rawCsms({ protocol: "ocpp1.6" });
    const { station } = stationOf(csms.url, { versions: ["2.1", "1.6"] });
    expect((await station.connect()).version).toBe("1.6");
  });

  test("carries calls both ways", async () => {
    const csms = await rawCsms();
    const { station } = stationOf(csms.url);
    station.handle("1.6", "Reset", ({ type }) => ({ status: type === "Hard" ? "Rejected" : "Accepted" }));
    station.handleOthers((_payload, { action }) => ({ status: action === "ClearCache" ? "Accepted" : "Rejected" }));
    const connection = await station.connect();
    const socket = await csms.sockets.next();
    const call = connection.callUntyped("Heartbeat", {});
    answer(socket, await csms.frames.next(), { currentTime });
    expect(await call).toEqual({ currentTime });
    socket.send('[2,"1","Reset",{"type":"Hard"}]');
    expect(await csms.frames.next()).toEqual([3, "1", { status: "Rejected" }]);
    socket.send('[2,"2","ClearCache",{}]');
    expect(await csms.frames.next()).toEqual([3, "2", { status: "Accepted" }]);
  });

  test("says so plainly when the CSMS speaks none of its versions", async () => {
    const csms = await rawCsms({ protocol: false });
    const { station, failures } = stationOf(csms.url);
    station.connect().catch(() => {});
    expect((await failures.next()).error.message).toBe("the CSMS speaks none of the offered OCPP versions");
  });

  test.each([401, 404, 503])("tells the status %i of a refused handshake and tries again", async (status) => {
    const server = createServer();
    server.on("upgrade", (_request, socket) => socket.end(`HTTP/1.1 ${status} No\r\nConnection: close\r\n\r\n`));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    atEnd(() => server.close());
    const { station, failures, timers } = stationOf(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/ocpp`);
    station.connect().catch(() => {});
    const first = await failures.next();
    expect(first).toMatchObject({ error: { name: "ConnectError", status }, retryInMs: 1_000 });
    timers.advance(1_000);
    expect(await failures.next()).toMatchObject({ error: { status }, retryInMs: 2_000 });
  });

  test("waits as the back-off says, and starts over after a success (2.x Part 4 §5.4)", async () => {
    const csms = await rawCsms();
    await csms.close();
    const { station, failures, timers, endings } = stationOf(csms.url);
    const connected = station.connect();
    const waits: number[] = [];
    for (let attempt = 0; attempt < 4; attempt++) {
      const { retryInMs } = await failures.next();
      waits.push(retryInMs);
      if (attempt < 3) timers.advance(retryInMs);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 4_000]);
    const revived = await rawCsms({ port: csms.port });
    timers.advance(4_000);
    await connected;
    await revived.close();
    await endings.next();
    timers.advance(999);
    expect(failures.size).toBe(0);
    timers.advance(1);
    expect((await failures.next()).retryInMs).toBe(2_000);
  });

  test("can be given up", async () => {
    const csms = await rawCsms();
    await csms.close();
    const { station, failures, timers } = stationOf(csms.url);
    const abort = new AbortController();
    const connecting = station.connect(abort.signal);
    await failures.next();
    abort.abort(new Error("enough"));
    await expect(connecting).rejects.toThrow("enough");
    expect(timers.pending).toBe(0);
    await expect(station.connect()).rejects.toThrow("the station was closed");
    await expect(stationOf(csms.url).station.connect(AbortSignal.abort())).rejects.toMatchObject({
      name: "AbortError",
    });
  });

  test("is refused for an identity that 2.x does not allow, and without a version", () => {
    const options = { url: "ws://localhost", identity: "a:b" };
    expect(() => new JsonStation({ ...options, versions: ["2.0.1"] })).toThrow(RangeError);
    expect(() => new JsonStation({ ...options, versions: [] })).toThrow(RangeError);
    expect(new JsonStation({ ...options, versions: ["1.6"] }).connection).toBeUndefined();
  });

  test.each([
    ["a URL that is none", { url: "http//nowhere" }],
    ["an identity that no URL can hold", { identity: "\ud800" }],
    ["a header that HTTP does not allow", { headers: { "X-A": "b\r\nc: d" } }],
  ])("with %s fails like any other attempt", async (_name, options) => {
    const { station, failures } = stationOf("ws://127.0.0.1:9", options);
    station.connect().catch(() => {});
    expect((await failures.next()).error.message).toContain("cannot connect");
  });
});

describe("a lost connection", () => {
  test("rejects the call that was sent, keeps those that wait, and sends them after the reconnect", async () => {
    const csms = await rawCsms();
    const { station, connections, timers, endings } = stationOf(csms.url);
    const connection = await station.connect();
    const socket = await csms.sockets.next();
    const sent = connection.callUntyped("Authorize", { idTag: "sent" });
    const lost = expect(sent).rejects.toMatchObject({ name: "NotConnectedError", sent: true });
    const waiting = [1, 2].map((connectorId) =>
      connection.callUntyped("MeterValues", {
        connectorId,
        meterValue: [{ timestamp: currentTime, sampledValue: [{ value: "1" }] }],
      }),
    );
    await csms.frames.next();
    socket.terminate();
    await lost;
    expect(await endings.next()).toMatchObject({ code: 1006 });
    expect(station.connection).toBeUndefined();
    await expect(connection.callUntyped("Heartbeat", {})).rejects.toMatchObject({ sent: false });
    timers.advance(1_000);
    const revived = await csms.sockets.next();
    for (const connectorId of [1, 2]) {
      const frame = await csms.frames.next();
      expect(frame).toMatchObject([2, expect.any(String), "MeterValues", { connectorId }]);
      answer(revived, frame, {});
    }
    expect(await Promise.all(waiting)).toEqual([{}, {}]);
    expect([(await connections.next()).first, (await connections.next()).first]).toEqual([true, false]);
  });

  test("rejects waiting calls when the CSMS has changed its version", async () => {
    const csms = await rawCsms({ protocol: "ocpp1.6" });
    const { station, timers, endings } = stationOf(csms.url, { versions: ["2.0.1", "1.6"] });
    const connection = await station.connect();
    const calls = [1, 2].map(() => connection.callUntyped("Heartbeat", {}));
    const results = Promise.allSettled(calls);
    await csms.close();
    await endings.next();
    const upgraded = await rawCsms({ protocol: "ocpp2.0.1", port: csms.port });
    timers.advance(1_000);
    await upgraded.sockets.next();
    expect(await results).toMatchObject([{ reason: { sent: true } }, { reason: { sent: false } }]);
    expect(station.connection?.version).toBe("2.0.1");
  });

  test("is noticed by a missing pong", async () => {
    const csms = await rawCsms();
    const { station, timers, endings } = stationOf(csms.url, { pongTimeoutMs: 2_000 });
    await station.connect();
    const socket = await csms.sockets.next();
    station.updatePingInterval(10_000);
    expect(() => station.updatePingInterval(-1)).toThrow(RangeError);
    const pinged = once(socket, "ping");
    timers.advance(10_500);
    await pinged;
    socket.pause();
    station.updatePingInterval(0);
    timers.advance(60_000);
    expect(endings.size).toBe(0);
    station.updatePingInterval(1_000);
    for (let step = 0; step < 100 && endings.size === 0; step++) timers.advance(1_000);
    expect(await endings.next()).toEqual({ code: 1006, reason: "no pong" });
  });

  test("may be made on purpose: a reset connects anew at once", async () => {
    const csms = await rawCsms();
    const { station, connections, endings, timers } = stationOf(csms.url);
    await station.connect();
    const first = await csms.sockets.next();
    const closed = once(first, "close");
    station.reconnect("reset");
    expect(await endings.next()).toEqual({ code: 1000, reason: "reset" });
    await csms.sockets.next();
    await closed;
    await connections.next();
    await connections.next();
    expect(station.connection?.isOpen).toBe(true);
    expect(timers.pending).toBe(0);
  });

  test("tells its reason to those who watch the signal", async () => {
    const csms = await rawCsms();
    const { station } = stationOf(csms.url);
    const { closed } = await station.connect();
    const socket = await csms.sockets.next();
    socket.close(4321, "maintenance");
    await once(closed, "abort");
    expect(closed.reason).toMatchObject({ name: "ConnectionEndedError", code: 4321, reason: "maintenance" });
  });
});

describe("close", () => {
  test("ends the connection with a close frame, rejects what waits, and connects no more", async () => {
    const csms = await rawCsms();
    const { station, timers, endings } = stationOf(csms.url);
    const connection = await station.connect();
    const socket = await csms.sockets.next();
    const results = Promise.allSettled([1, 2].map(() => connection.callUntyped("Heartbeat", {})));
    const closed = once(socket, "close");
    await station.close({ code: 1000, reason: "done" });
    expect((await closed)[0]).toBe(1000);
    expect(await results).toMatchObject([{ reason: { sent: true } }, { reason: { sent: false } }]);
    expect(await endings.next()).toEqual({ code: 1000, reason: "done" });
    expect(timers.pending).toBe(0);
    expect(station.connection).toBeUndefined();
    await station.close();
  });

  test("while an attempt is under way ends the attempt", async () => {
    const server = createServer();
    const upgrade = once(server, "upgrade");
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    atEnd(() => server.close());
    const { station, timers } = stationOf(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/ocpp`);
    const connecting = station.connect();
    const rejected = expect(connecting).rejects.toThrow("the station was closed");
    await upgrade;
    await station.close();
    await rejected;
    expect(timers.pending).toBe(0);
  });
});

test("a hook of the caller that throws harms nothing", async () => {
  const csms = await rawCsms();
  const failures: unknown[] = [];
  const boom = () => {
    throw new Error("bug");
  };
  const { station } = stationOf(csms.url, {
    onConnect: boom,
    observer: { failed: ({ error }) => failures.push(error) },
  });
  expect((await station.connect()).isOpen).toBe(true);
  expect(failures).toHaveLength(1);
});

test("garbage of a CSMS harms nothing", async () => {
  const csms = await rawCsms();
  const { station } = stationOf(csms.url);
  station.handle("1.6", "ClearCache", () => ({ status: "Accepted" }));
  await station.connect();
  const socket = await csms.sockets.next();
  for (const garbage of ["", "[", "[3]", '[3,"x",{}]', '[4,"x"]', "[2,1]", "\u0000", '{"a":1}']) socket.send(garbage);
  socket.send(Buffer.from([0xff]));
  socket.send('[2,"1","ClearCache",{}]');
  expect(await csms.frames.next()).toEqual([3, "1", { status: "Accepted" }]);
});

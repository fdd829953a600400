import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { ManualTimers } from "../endpoint/manual-timers.ts";
import { atEnd, cleanUp } from "./clean-up-fixture.ts";
import type { Ending } from "./peer/transport.ts";
import { connect, csmsOf, currentTime, gate, rawUpgrade } from "./raw-station-fixture.ts";

afterEach(cleanUp);

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
    atEnd(() => server.close());
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

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { ManualTimers } from "../endpoint/manual-timers.ts";
import { deflateOptions } from "./compression.ts";
import { Liveness } from "./liveness.ts";
import { OcppSocket } from "./ocpp-socket.ts";

const cleanups: (() => unknown)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function connected(): Promise<{ socket: OcppSocket; station: WebSocket }> {
  const server = new WebSocketServer({ port: 0, perMessageDeflate: deflateOptions(undefined), WebSocket: OcppSocket });
  cleanups.push(() => server.close());
  await once(server, "listening");
  const station = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    perMessageDeflate: true,
  });
  cleanups.push(() => station.terminate());
  const [[socket]] = (await Promise.all([once(server, "connection"), once(station, "open")])) as [
    [OcppSocket],
    unknown,
  ];
  socket.on("message", (data) => socket.send(String(data)));
  return { socket, station };
}

async function echoed(station: WebSocket, text: string): Promise<string> {
  const answer = once(station, "message");
  station.send(text);
  const [data] = (await answer) as [Buffer];
  return String(data);
}

/** What `ws` keeps of the compression of a connection. */
function contextsOf(socket: OcppSocket): readonly unknown[] {
  const { _extensions: extensions } = socket as unknown as {
    _extensions: Record<string, { _inflate: unknown; _deflate: unknown }>;
  };
  const { _inflate, _deflate } = extensions["permessage-deflate"] ?? {};
  return [_inflate, _deflate].filter((context) => context !== null);
}

test("a socket lets go of what compression holds, and compresses again when it is needed", async () => {
  const { socket, station } = await connected();
  const text = "meter value ".repeat(1_000);
  expect(await echoed(station, text)).toBe(text);
  expect(contextsOf(socket)).toHaveLength(2);
  socket.releaseCompression();
  expect(contextsOf(socket)).toHaveLength(0);
  expect(await echoed(station, text)).toBe(text);
  expect(contextsOf(socket)).toHaveLength(2);
});

test("a socket that is compressing keeps what it needs until it is done", async () => {
  const { socket, station } = await connected();
  const text = "meter value ".repeat(1_000);
  const answer = once(station, "message");
  socket.send(text);
  socket.releaseCompression();
  const [data] = (await answer) as [Buffer];
  expect(String(data)).toBe(text);
});

test("a socket without compression has nothing to let go of", async () => {
  const { socket, station } = await connected();
  expect(await echoed(station, "short")).toBe("short");
  socket.releaseCompression();
  expect(await echoed(station, "short")).toBe("short");
});

test("a station that is silent until it is pinged costs no memory for compression", async () => {
  const { socket, station } = await connected();
  const text = "meter value ".repeat(1_000);
  expect(await echoed(station, text)).toBe(text);
  const timers = new ManualTimers();
  const liveness = new Liveness(timers, 15_000);
  liveness.add(socket, 30_000);
  timers.advance(29_000);
  expect(contextsOf(socket)).toHaveLength(2);
  timers.advance(2_000);
  expect(contextsOf(socket)).toHaveLength(0);
  liveness.delete(socket);
});

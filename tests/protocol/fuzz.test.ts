import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type EndpointObserver, JsonCsms, JsonStation, type OcppVersion } from "@polyphase/ocpp";
import { expect, test, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { FrameFuzzer } from "./frame-fuzzer.ts";

const currentTime = "2026-01-01T00:00:00Z";
// A busy machine takes a multiple of the ten seconds that each of these needs.
vi.setConfig({ testTimeout: 240_000 });

const versions = ["1.6", "2.0.1", "2.1"] as const;

/** What an endpoint made of the frames that it got. */
class Tally implements EndpointObserver {
  received = 0;
  answered = 0;
  ignoredFrames = 0;
  readonly failures: unknown[] = [];

  message({ direction, kind }: Parameters<NonNullable<EndpointObserver["message"]>>[0]): void {
    if (direction === "received") this.received++;
    else if (kind !== "CALL") this.answered++;
  }
  ignored(): void {
    this.ignoredFrames++;
  }
  failed({ error }: { readonly error: unknown }): void {
    this.failures.push(error);
  }
}

/** Sends as fast as the other end reads, without letting memory grow. */
async function send(socket: WebSocket, frame: string | Buffer): Promise<void> {
  socket.send(frame, { binary: false });
  if (socket.bufferedAmount > 1_000_000) {
    await new Promise((resolve) => socket.send("[]", resolve));
  }
}

const isUtf8 = (bytes: Buffer) => Buffer.from(bytes.toString("utf8")).equals(bytes);

/** Whether the endpoint answers a Heartbeat on this socket after all that came before. */
async function isServing(socket: WebSocket, action: string): Promise<boolean> {
  const answer = new Promise<boolean>((resolve) => {
    socket.on("message", (data) => {
      const text = String(data);
      if (text.startsWith('[3,"the-end"')) resolve(true);
    });
    socket.once("close", () => resolve(false));
  });
  socket.send(JSON.stringify([2, "the-end", action, {}]));
  return answer;
}

function heartbeats(csms: JsonCsms): JsonCsms {
  for (const version of versions) {
    csms.handle(version, "Heartbeat", () => ({ currentTime }));
    csms.handle(
      version,
      "DataTransfer",
      async ({ data }) => ({ status: "Accepted", ...(data !== undefined && { data }) }) as never,
    );
  }
  return csms.handleOthers(() => ({}));
}

async function openStation(url: string, version: OcppVersion): Promise<WebSocket> {
  const socket = new WebSocket(url, `ocpp${version}`, { perMessageDeflate: false });
  socket.on("error", () => {});
  await once(socket, "open");
  return socket;
}

test.each([
  ["1.6", 60_000],
  ["2.0.1", 60_000],
  ["2.1", 60_000],
] as const)("a CSMS of %s serves after %i frames of every kind of nonsense", async (version, count) => {
  const tally = new Tally();
  const csms = heartbeats(new JsonCsms({ observer: tally, compression: false }));
  const { port } = await csms.listen({ port: 0, host: "127.0.0.1" });
  const url = `ws://127.0.0.1:${port}/ocpp/fuzz`;
  const fuzzer = new FrameFuzzer(version, 20_260_101);
  try {
    let socket = await openStation(url, version);
    socket.on("message", () => {});
    for (let index = 0; index < count; index++) await send(socket, fuzzer.frame());
    expect(await isServing(socket, "Heartbeat")).toBe(true);
    expect(tally.received).toBeGreaterThan(count);
    expect(tally.answered).toBeGreaterThan(count / 10);
    expect(tally.ignoredFrames).toBeGreaterThan(count / 10);
    // Handlers that answer {} to everything fail their response's schema at times; nothing else may fail.
    expect(tally.failures.filter((error) => !(error instanceof Error && error.name === "ValidationError"))).toEqual([]);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();

    // Bytes that are no UTF-8 end their connection, as RFC 6455 §8.1 has it, and no other.
    let ended = 0;
    for (let index = 0; index < 500; index++) {
      const bytes = fuzzer.bytes();
      if (isUtf8(bytes)) {
        await send(socket, bytes);
        continue;
      }
      const closed = once(socket, "close");
      await send(socket, bytes);
      expect((await closed)[0]).toBe(1007);
      ended++;
      socket = await openStation(url, version);
    }
    expect(ended).toBeGreaterThan(100);
    expect(await isServing(socket, "Heartbeat")).toBe(true);
  } finally {
    await csms.close({ graceMs: 0 });
  }
});

test("a station serves after 30000 frames of nonsense from its CSMS, its own calls outstanding", async () => {
  const server = createServer();
  const webSockets = new WebSocketServer({ server });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const tally = new Tally();
  const station = new JsonStation({
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ocpp`,
    identity: "fuzz",
    versions: ["2.1"],
    observer: tally,
    callTimeoutMs: 600_000,
  });
  station.handleOthers(() => ({ status: "Accepted" }));
  const fuzzer = new FrameFuzzer("2.1", 7);
  try {
    const connected = once(webSockets, "connection");
    const connection = await station.connect();
    const [socket] = (await connected) as [WebSocket];
    socket.on("message", () => {});
    const outcomes = { resolved: 0, rejected: 0 };
    let isOver = false;
    const calling = (async () => {
      while (!isOver) {
        await connection.callUntyped("Heartbeat", {}, { messageId: "1" }).then(
          () => outcomes.resolved++,
          () => outcomes.rejected++,
        );
      }
    })();
    for (let index = 0; index < 30_000; index++) await send(socket, fuzzer.frame());
    expect(await isServing(socket, "ClearCache")).toBe(true);
    isOver = true;
    socket.send(`[3,"1",{"currentTime":"${currentTime}"}]`);
    await calling;
    expect(outcomes.resolved).toBeGreaterThan(0);
    expect(outcomes.rejected).toBeGreaterThan(0);
    expect(tally.failures.filter((error) => !(error instanceof Error && error.name === "ValidationError"))).toEqual([]);
  } finally {
    await station.close({ graceMs: 0 });
    for (const client of webSockets.clients) client.terminate();
    server.close();
  }
});

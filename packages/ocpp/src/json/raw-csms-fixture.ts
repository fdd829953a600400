import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { ManualTimers } from "../endpoint/manual-timers.ts";
import { atEnd } from "./clean-up-fixture.ts";
import type { ConnectError } from "./connect-error.ts";
import { JsonStation } from "./json-station.ts";
import type { JsonStationOptions, StationConnection } from "./json-station-options.ts";
import type { Ending } from "./peer/transport.ts";

export const currentTime = "2026-01-01T00:00:00Z";

/** A queue that is read by awaiting. */
export class Inbox<T> {
  readonly #items: T[] = [];
  readonly #waiting: ((item: T) => void)[] = [];

  push(item: T): void {
    const waiter = this.#waiting.shift();
    if (waiter === undefined) this.#items.push(item);
    else waiter(item);
  }

  next(): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  get size(): number {
    return this.#items.length;
  }
}

/** A message as the wire has it. */
export type Frame = readonly unknown[];

/** A CSMS written by hand: accepts WebSockets and keeps what comes. */
export async function rawCsms(options: { readonly protocol?: string | false; readonly port?: number } = {}) {
  const server = createServer();
  const webSockets = new WebSocketServer({
    server,
    handleProtocols: (offered) => options.protocol ?? [...offered][0] ?? false,
  });
  const sockets = new Inbox<WebSocket>();
  const requests = new Inbox<IncomingMessage>();
  const frames = new Inbox<Frame>();
  webSockets.on("connection", (socket, request) => {
    socket.on("error", () => {});
    socket.on("message", (data) => frames.push(JSON.parse(String(data)) as Frame));
    requests.push(request);
    sockets.push(socket);
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    for (const client of webSockets.clients) client.terminate();
    webSockets.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  atEnd(close);
  const { port } = server.address() as AddressInfo;
  return { url: `ws://127.0.0.1:${port}/ocpp`, port, sockets, requests, frames, close };
}

/** A station that tells all it meets, with time in the hand of the test. */
export function stationOf(url: string, options: Partial<JsonStationOptions> = {}) {
  const failures = new Inbox<{ error: ConnectError; retryInMs: number }>();
  const connections = new Inbox<{ connection: StationConnection; first: boolean }>();
  const endings = new Inbox<Ending>();
  const timers = new ManualTimers();
  const station = new JsonStation({
    url,
    identity: "CS1",
    versions: ["1.6"],
    timers,
    backOff: { waitMinimumMs: 1_000, randomRangeMs: 0, repeatTimes: 2 },
    onConnectFailed: (error, retryInMs) => failures.push({ error, retryInMs }),
    onConnect: (connection, { first }) => connections.push({ connection, first }),
    onDisconnect: (_connection, ending) => endings.push(ending),
    ...options,
  });
  atEnd(() => station.close({ graceMs: 0 }));
  return { station, failures, connections, endings, timers };
}

/** Answers a call of the station. */
export function answer(socket: WebSocket, frame: Frame, payload: unknown): void {
  socket.send(JSON.stringify([3, frame[1], payload]));
}

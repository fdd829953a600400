import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { connect as connectSocket } from "node:net";
import { WebSocket } from "ws";
import { atEnd } from "./clean-up-fixture.ts";
import { JsonCsms } from "./json-csms.ts";
import type { JsonCsmsOptions } from "./json-csms-options.ts";

export const currentTime = "2026-01-01T00:00:00Z";
/** A station written by hand: a plain WebSocket that keeps what it gets. */
export class RawStation {
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
    atEnd(() => socket.terminate());
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

/** A CSMS that answers Heartbeats of 1.6 and 2.0.1. */
export async function csmsOf(options: JsonCsmsOptions = {}) {
  const csms = new JsonCsms(options);
  csms.handle("1.6", "Heartbeat", () => ({ currentTime }));
  csms.handle("2.0.1", "Heartbeat", () => ({ currentTime }));
  const { port } = await csms.listen({ port: 0, host: "127.0.0.1" });
  atEnd(() => csms.close({ graceMs: 0 }));
  return { csms, port, url: `ws://127.0.0.1:${port}/ocpp` };
}

/** What a station asks for in its handshake. */
export interface Offer {
  readonly protocols?: readonly string[];
  readonly headers?: Record<string, string>;
  readonly perMessageDeflate?: boolean;
  readonly autoPong?: boolean;
}

export function open(url: string, { protocols = ["ocpp1.6"], ...options }: Offer = {}): WebSocket {
  return new WebSocket(url, [...protocols], options);
}

export async function connect(url: string, offer?: Offer): Promise<RawStation> {
  const socket = open(url, offer);
  const station = new RawStation(socket);
  await once(socket, "open");
  return station;
}

/** The HTTP response of a handshake that is refused. */
export async function refusal(url: string, offer?: Offer): Promise<IncomingMessage> {
  const socket = open(url, offer);
  atEnd(() => socket.terminate());
  socket.on("error", () => {});
  const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
  response.resume();
  return response;
}

/** A WebSocket handshake by hand, for what a WebSocket library refuses to do. Returns the response's head. */
export async function rawUpgrade(port: number, target: string, headers: readonly string[] = []) {
  const socket = connectSocket(port, "127.0.0.1");
  atEnd(() => socket.destroy());
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

/** A promise that the test settles. */
export function gate<T>() {
  let open: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

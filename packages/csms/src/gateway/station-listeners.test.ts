import { once } from "node:events";
import { type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serverCertificate } from "./certificate-fixture.ts";
import { StationListeners } from "./station-listeners.ts";

const log = pino({ level: "silent" });
const open: Socket[] = [];
let listeners: StationListeners;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let port: number;

beforeEach(async () => {
  answer = (_request, response) => void response.end("answer");
  const endpoints = {
    handleUpgrade: (_request: IncomingMessage, socket: Duplex) => void socket.destroy(),
    handleRequest(received: IncomingMessage, response: ServerResponse) {
      answer(received, response);
      return true;
    },
  };
  listeners = new StationListeners(endpoints, log, {
    headersTimeout: 200,
    requestTimeout: 400,
    connectionsCheckingInterval: 50,
    keepAliveTimeout: 200,
    idleTimeout: 600,
  });
  ({ port } = await listeners.listen({ host: "127.0.0.1", port: 0 }));
});

afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  await listeners.close(0);
});

/** A peer that never ends its half of the connection, so that only the server can. Its text is what it was told. */
function stubborn(...texts: readonly string[]): { readonly socket: Socket; readonly told: Promise<string> } {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  open.push(socket);
  for (const text of texts) socket.write(text);
  let heard = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    heard += text;
  });
  socket.on("error", () => {});
  return { socket, told: once(socket, "end").then(() => heard) };
}

async function untilNoConnection(): Promise<void> {
  while (listeners.connections > 0) await delay(5);
}

const partOfRequest = "POST /ocpp/soap HTTP/1.1\r\nHost: csms\r\nContent-Type: application/soap+xml\r\n";

describe("a peer that takes a connection and gives nothing for it", () => {
  it.each([
    ["never sends a byte", ""],
    ["stops in the request line", "GET /ocpp/CP1 HT"],
    ["stops in the headers", partOfRequest],
    ["stops before the last line end of the headers", `${partOfRequest}Content-Length: 10\r\n\r`],
    ["stops in the body", `${partOfRequest}Content-Length: 10\r\n\r\n<soap`],
  ])("that %s is told 408, and its connection is gone even where it does not end it", async (_what, text) => {
    answer = () => {};
    const { told } = stubborn(text);
    await expect.poll(() => listeners.connections).toBe(1);
    expect(await told).toMatch(/^HTTP\/1.1 408 /);
    await untilNoConnection();
  });

  it("that keeps a connection between two requests loses it after a while", async () => {
    const { told } = stubborn("GET / HTTP/1.1\r\nHost: csms\r\n\r\n");
    expect(await told).toMatch(/^HTTP\/1.1 200 .*answer$/s);
    await untilNoConnection();
  });

  it("that asks and asks and never reads the answers loses it", async () => {
    answer = (_request, response) => void response.end(Buffer.alloc(8 * 2 ** 20));
    const socket = connect({ port, host: "127.0.0.1" });
    open.push(socket);
    socket.on("error", () => {}).pause();
    socket.write("GET / HTTP/1.1\r\nHost: csms\r\n\r\n".repeat(20));
    await expect.poll(() => listeners.connections).toBe(1);
    await untilNoConnection();
  });

  it("that sends what is no HTTP is told 400, and too long headers 431", async () => {
    expect(await stubborn("\x16\x03\x01 this is TLS\r\n\r\n").told).toMatch(/^HTTP\/1.1 400 /);
    expect(await stubborn(`${partOfRequest}X: ${"x".repeat(20_000)}`).told).toMatch(/^HTTP\/1.1 431 /);
    await untilNoConnection();
  });
});

describe("a connection that cannot be accepted", () => {
  it("ends nothing, however often it happens", async () => {
    const ask = async () => {
      const asked = request({ port, host: "127.0.0.1", agent: false }).end();
      const [response] = (await once(asked, "response")) as [IncomingMessage];
      expect(response.statusCode).toBe(200);
      response.resume();
    };
    let server: Server | undefined;
    answer = (received, response) => {
      ({ server } = received.socket as Socket & { readonly server: Server });
      response.end();
    };
    await ask();
    const refused = Object.assign(new Error("accept EMFILE"), { code: "EMFILE" });
    for (let time = 0; time < 3; time++) expect(server?.emit("error", refused)).toBe(true);
    await ask();
    await untilNoConnection();
  });
});

describe("closing", () => {
  it("does not wait for a handshake of TLS that never goes on", async () => {
    const endpoints = { handleUpgrade: () => {}, handleRequest: () => false };
    const secured = new StationListeners(endpoints, log, { handshakeTimeout: 3_600_000 });
    const tls = { port: 0, certificates: [serverCertificate] };
    const { tlsPort = 0 } = await secured.listen({ host: "127.0.0.1", port: 0, tls });
    const half = connect({ port: tlsPort, host: "127.0.0.1" });
    open.push(half);
    half.on("error", () => {}).write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
    await expect.poll(() => secured.connections).toBe(1);
    await secured.close(0);
    await expect.poll(() => secured.connections).toBe(0);
  });
});

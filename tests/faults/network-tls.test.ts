import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { runWatchedCsms, type WatchedCsms } from "./watched-csms.ts";

const certificate = (name: string) => fileURLToPath(new URL(`../protocol/certificates/${name}`, import.meta.url));

let csms: WatchedCsms;
let port: number;

beforeAll(async () => {
  csms = await runWatchedCsms({
    POLYPHASE_OCPP_TLS_PORT: "0",
    POLYPHASE_TLS_CERT: certificate("csms.crt"),
    POLYPHASE_TLS_KEY: certificate("csms.key"),
    POLYPHASE_PING_INTERVAL: "1",
    POLYPHASE_PONG_TIMEOUT: "3",
  });
  port = csms.csms.ocppTlsPort ?? 0;
});

afterEach(() => csms.untilLoad({}));
afterAll(() => csms.close());

/** What a client says first. */
async function clientHello(): Promise<Buffer> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connectTls({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
  client.on("error", () => {});
  const [socket] = (await once(server, "connection")) as [Socket];
  const [hello] = (await once(socket, "data")) as [Buffer];
  client.destroy();
  server.close();
  return hello;
}

async function openRaw(): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => {}).resume();
  await once(socket, "connect");
  return socket;
}

async function station(identity: string): Promise<WebSocket> {
  const socket = new WebSocket(`wss://127.0.0.1:${port}/ocpp/${identity}`, ["ocpp1.6"], { rejectUnauthorized: false });
  socket.on("error", () => {});
  await once(socket, "open");
  return socket;
}

describe("a TLS handshake", () => {
  it("that is cut after any byte of its beginning leaves nothing behind", async () => {
    const hello = await clientHello();
    for (let sent = 0; sent <= hello.length; sent += 5) {
      const socket = await openRaw();
      if (sent > 0) await new Promise((written) => socket.write(hello.subarray(0, sent), written));
      if (sent % 2 === 0) socket.end();
      else socket.resetAndDestroy();
    }
    await csms.untilLoad({});
    (await station("AFTER-CUTS")).close();
  });

  it("that is none, but HTTP in the clear, is turned away", async () => {
    const socket = await openRaw();
    socket.write("GET /ocpp/CLEAR HTTP/1.1\r\nHost: csms\r\n\r\n");
    await once(socket, "close");
  });
});

describe("a station over TLS", () => {
  it("whose line is lost without a word is noticed, in a message as well as between two", async () => {
    const quiet = await station("TLS-QUIET");
    quiet.pause();
    const stuck = await station("TLS-STUCK");
    const { _socket: below } = stuck as unknown as { readonly _socket: Socket };
    below.write(Buffer.from([0x81, 0x90, 0, 0, 0, 0, 0x5b]));
    stuck.pause();
    await csms.untilLoad({});
    expect(await csms.call("TLS-QUIET", "ClearCache")).toMatchObject({ what: "station-offline" });
    for (const socket of [quiet, stuck]) socket.terminate();
  });

  it("that is cut by a reset is gone at once, and its calls with it", async () => {
    const socket = await station("TLS-RESET");
    const arrived = once(socket, "message");
    const call = csms.call("TLS-RESET", "ClearCache");
    await arrived;
    const { _socket: below } = socket as unknown as { readonly _socket: Socket };
    below.destroy();
    expect(await call).toMatchObject({ what: "station-offline", body: { wasAsked: true } });
  });
});

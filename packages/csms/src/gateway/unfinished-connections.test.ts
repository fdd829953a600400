import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { serverCertificate } from "./certificate-fixture.ts";
import { UnfinishedConnections } from "./unfinished-connections.ts";

const open: Array<() => void> = [];
let answer: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) =>
  void response.end("answer");

afterEach(() => {
  answer = (_request, response) => void response.end("answer");
  for (const close of open.splice(0)) close();
});

interface Served {
  readonly unfinished: UnfinishedConnections;
  readonly port: number;
}

async function serve(perNetwork: number, total = 100, server: Server = createServer()): Promise<Served> {
  const unfinished = new UnfinishedConnections({ perNetwork, total });
  unfinished.watch(server);
  server.on("request", (request, response) => answer(request, response));
  server.on("upgrade", (request, socket) => {
    unfinished.upgrades(request);
    socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  });
  server.on("clientError", (_error, socket) => socket.destroy());
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return { unfinished, port: (server.address() as AddressInfo).port };
}

/** Connects from an address of this machine, and resolves when the server has taken the connection. */
async function dial({ unfinished, port }: Served, text = "", localAddress = "127.0.0.1"): Promise<Socket> {
  const before = unfinished.count + unfinished.cut;
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  socket.on("error", () => {});
  open.push(() => socket.destroy());
  if (text !== "") socket.write(text);
  await expect.poll(() => unfinished.count + unfinished.cut).toBeGreaterThan(before);
  return socket;
}

const lost = (socket: Socket) => once(socket.resume(), "close");
const request = "GET / HTTP/1.1\r\nHost: csms\r\n\r\n";

async function ask(served: Served, localAddress?: string): Promise<string> {
  const socket = connect({ port: served.port, host: "127.0.0.1", ...(localAddress && { localAddress }) });
  open.push(() => socket.destroy());
  socket.write(request);
  const [bytes] = (await once(socket, "data")) as [Buffer];
  return bytes.toString("latin1");
}

describe("a network that holds as many unfinished connections as it may", () => {
  it.each([
    ["never said a word", ""],
    ["stopped within the headers", "GET /ocpp/CP1 HTTP/1.1\r\nX-Slow: "],
    ["stopped within the body", "POST /ocpp/soap HTTP/1.1\r\nHost: csms\r\nContent-Length: 9\r\n\r\n<soap"],
  ])("loses the one that waits longest, which %s, to a newcomer", async (_what, text) => {
    const served = await serve(3);
    const first = await dial(served, text);
    for (let number = 2; number <= 3; number++) await dial(served, text);
    expect(served.unfinished.cut).toBe(0);
    const [answered] = await Promise.all([ask(served), lost(first)]);
    expect(answered).toMatch(/^HTTP\/1.1 200 .*answer$/s);
    expect(served.unfinished.cut).toBe(1);
  });

  it("costs other networks nothing", async () => {
    const served = await serve(3);
    const other = await dial(served, "", "127.0.0.2");
    for (let number = 1; number <= 12; number++) await dial(served);
    expect(served.unfinished.count).toBe(4);
    expect(served.unfinished.cut).toBe(9);
    other.write(request);
    expect(String(await once(other, "data"))).toMatch(/^HTTP\/1.1 200 /);
  });

  it("keeps those whose requests are being answered, however many, and those that became WebSockets", async () => {
    const served = await serve(2);
    const responses: ServerResponse[] = [];
    answer = (_request, response) => void responses.push(response);
    const asking = Array.from({ length: 5 }, () => ask(served));
    await expect.poll(() => responses.length).toBe(5);
    const webSocket = await dialUpgrade(served);
    expect(served.unfinished.count).toBe(0);
    for (let number = 1; number <= 4; number++) await dial(served);
    for (const response of responses) response.end("answer");
    for (const answered of await Promise.all(asking)) expect(answered).toMatch(/^HTTP\/1.1 200 /);
    expect(webSocket.destroyed).toBe(false);
    // Between two requests they wait again, and are bounded again.
    await expect.poll(() => served.unfinished.count).toBe(2);
  });

  async function dialUpgrade({ port }: Served): Promise<Socket> {
    const socket = connect({ port, host: "127.0.0.1" });
    open.push(() => socket.destroy());
    socket.write("GET / HTTP/1.1\r\nHost: csms\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    await once(socket, "data");
    return socket;
  }
});

it("when all together have too many, the network that has most loses one", async () => {
  const served = await serve(100, 6);
  const few = [await dial(served, "", "127.0.0.2"), await dial(served, "", "127.0.0.3")];
  const first = await dial(served);
  for (let number = 1; number <= 3; number++) await dial(served);
  const newcomer = dial(served, "", "127.0.0.4");
  await lost(first);
  await newcomer;
  expect(served.unfinished.count).toBe(6);
  expect(few.map(({ destroyed }) => destroyed)).toEqual([false, false]);
});

it("half handshakes of TLS are bounded too, and let go of as a whole", async () => {
  const { certificate, privateKey } = serverCertificate;
  const server = createTlsServer({ cert: certificate, key: privateKey });
  let streams = 0;
  server.on("secureConnection", () => streams++);
  const served = await serve(2, 100, server);
  // The first bytes of a ClientHello, of which the rest never comes.
  const half = await dial(served);
  half.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
  await dial(served);
  await Promise.all([lost(half), dial(served)]);
  expect(served.unfinished.count).toBe(2);
  expect(streams).toBe(0);
  const connections = () => new Promise<number>((resolve) => server.getConnections((_e, count) => resolve(count)));
  await expect.poll(connections).toBe(2);
});

it("what was closed counts no more", async () => {
  const served = await serve(2);
  for (let number = 1; number <= 5; number++) {
    const socket = await dial(served);
    socket.destroy();
    await expect.poll(() => served.unfinished.count).toBe(0);
  }
  expect(served.unfinished.cut).toBe(0);
});

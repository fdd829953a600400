// A server under test, in a process of its own. Started by main.ts with the kind as argument; tells its port and,
// when asked, its use of CPU and memory over the IPC channel.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { responseTo, workloads } from "./workloads.ts";

type Kind = "bare" | "ajv" | "ocpp-rpc" | "polyphase";

async function startBare(check: (subprotocol: string, action: string, payload: unknown) => boolean): Promise<number> {
  const http = createServer();
  const server = new WebSocketServer({
    server: http,
    perMessageDeflate: false,
    handleProtocols: (offered) => [...offered][0] ?? false,
  });
  server.on("connection", (socket) => {
    const subprotocol = socket.protocol;
    socket.on("message", (data) => {
      const [, id, action, payload] = JSON.parse(String(data)) as [number, string, string, unknown];
      if (!check(subprotocol, action, payload)) {
        socket.send(JSON.stringify([4, id, "PropertyConstraintViolation", "", {}]));
        return;
      }
      socket.send(JSON.stringify([3, id, responseTo(action)]));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return (http.address() as AddressInfo).port;
}

async function startAjv(): Promise<number> {
  const { Ajv } = await import("ajv");
  const formats = await import("ajv-formats");
  const { definitionsOf } = await import("@polyphase/ocpp");
  const compiled = new Map<string, (payload: unknown) => boolean>();
  for (const { subprotocol, action } of workloads) {
    const version = subprotocol === "ocpp1.6" ? "1.6" : "2.0.1";
    const definitions = definitionsOf(version);
    for (const part of ["Request", "Response"]) {
      const ajv = new Ajv({ strict: false, multipleOfPrecision: 6 });
      formats.default.default(ajv);
      compiled.set(
        `${subprotocol} ${action}${part}`,
        ajv.compile({ definitions, $ref: `#/definitions/${action}${part}` }) as (payload: unknown) => boolean,
      );
    }
  }
  return startBare((subprotocol, action, payload) => {
    const request = compiled.get(`${subprotocol} ${action}Request`);
    const response = compiled.get(`${subprotocol} ${action}Response`);
    return request?.(payload) === true && response?.(responseTo(action)) === true;
  });
}

async function startOcppRpc(): Promise<number> {
  const { RPCServer } = await import("ocpp-rpc");
  const server = new RPCServer({
    protocols: ["ocpp1.6", "ocpp2.0.1"],
    strictMode: true,
    wssOptions: { perMessageDeflate: false },
  });
  server.auth((accept) => accept());
  server.on("client", (client) => {
    for (const { action } of workloads) client.handle(action, () => responseTo(action));
  });
  const http = await server.listen(0, "127.0.0.1");
  return (http.address() as AddressInfo).port;
}

async function startPolyphase(): Promise<number> {
  const { JsonCsms } = await import("@polyphase/ocpp");
  const csms = new JsonCsms({ path: "/" });
  csms.handle("1.6", "Heartbeat", () => ({ currentTime: new Date().toISOString() }));
  csms.handle("1.6", "MeterValues", () => ({}));
  csms.handle("2.0.1", "TransactionEvent", () => ({}));
  const { port } = await csms.listen({ port: 0, host: "127.0.0.1" });
  return port;
}

const kind = process.argv[2] as Kind;
const begin = process.hrtime.bigint();
const start = {
  bare: () => startBare(() => true),
  ajv: startAjv,
  "ocpp-rpc": startOcppRpc,
  polyphase: startPolyphase,
}[kind];
const port = await start();
process.send?.({ port, startMs: Number(process.hrtime.bigint() - begin) / 1e6 });
process.on("message", () => {
  globalThis.gc?.();
  globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  process.send?.({
    cpuMicros: user + system,
    residentBytes: process.memoryUsage().rss,
    heapBytes: process.memoryUsage().heapUsed,
  });
});
process.on("disconnect", () => process.exit(0));

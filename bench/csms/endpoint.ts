// The floor of the benchmarks: the protocol library's endpoints, JSON and SOAP on one port, with handlers that store
// nothing and ask nobody for a password.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { JsonCsms, type OcppVersion, SoapCsms } from "@polyphase/ocpp";
import { serveOrders } from "./child-process.ts";

/** What the endpoint can be asked for: to call an action of every station at once. */
export interface EndpointOrder {
  readonly action: string;
  readonly payload: object;
}

const answers: Readonly<Record<string, (version: OcppVersion) => object>> = {
  BootNotification: (version) => ({
    status: "Accepted",
    currentTime: new Date().toISOString(),
    [version === "1.2" || version === "1.5" ? "heartbeatInterval" : "interval"]: 300,
  }),
  Heartbeat: () => ({ currentTime: new Date().toISOString() }),
  StartTransaction: () => ({ transactionId: 1, idTagInfo: { status: "Accepted" } }),
};
const answer = (action: string, version: OcppVersion): object => answers[action]?.(version) ?? {};

const json = new JsonCsms();
json.handleOthers((_payload, { action, connection }) => answer(action, connection.version));
const soap = new SoapCsms();
soap.handleOthers((_payload, { action, connection }) => answer(action, connection.version));
const server = createServer((request, response) => {
  if (!soap.handleRequest(request, response)) response.writeHead(404).end();
});
json.attach(server);
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
serveOrders<EndpointOrder>({ port: (server.address() as AddressInfo).port }, async ({ action, payload }) => {
  const begin = performance.now();
  await Promise.all([...json.connections.values()].map((connection) => connection.callUntyped(action, payload)));
  return { seconds: (performance.now() - begin) / 1_000, calls: json.connections.size };
});

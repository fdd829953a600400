import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { closeHttp, listenHttp } from "./http-endpoint.ts";
import { systemTimers } from "./timers.ts";

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await closeHttp(server, 0, systemTimers);
});

test("a server of our own is reached from this machine only, unless it is told otherwise", async () => {
  const { server, port } = await listenHttp({ port: 0 }, () => {});
  servers.push(server);
  expect(server.address()).toMatchObject({ address: "127.0.0.1", port });
  const everywhere = await listenHttp({ port: 0, host: "0.0.0.0" }, () => {});
  servers.push(everywhere.server);
  expect(everywhere.server.address()).toMatchObject({ address: "0.0.0.0" });
});

test("a port that is taken is told", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  servers.push(other);
  const { port } = other.address() as AddressInfo;
  await expect(listenHttp({ port }, () => {})).rejects.toMatchObject({ code: "EADDRINUSE" });
});

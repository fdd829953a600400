import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RawStation } from "../system/raw-station.ts";
import { eventually, type RunningCsms, runCsms } from "../system/running-csms.ts";

let running: RunningCsms;
const servers: Server[] = [];

beforeAll(async () => {
  running = await runCsms();
});

afterAll(async () => {
  await running.close();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function receiver(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

async function subscribe(url: string): Promise<void> {
  const { status } = await running.api("POST", "/webhooks", { url, types: ["station.booted"] });
  expect(status).toBe(201);
}

describe("receivers of webhooks that mean harm", () => {
  it("keep nobody else waiting: one that never answers, one that answers without end, one that cuts", async () => {
    let silent = 0;
    let endless = 0;
    let cut = 0;
    const received = new Set<string>();
    const closed = new Set<unknown>();
    await subscribe(await receiver(() => void silent++));
    await subscribe(
      await receiver((request, response) => {
        endless++;
        request.socket.once("close", () => closed.add(request.socket));
        response.writeHead(200);
        const more = () => {
          while (response.write("x".repeat(65_536)));
        };
        response.on("drain", more).on("error", () => {});
        more();
      }),
    );
    await subscribe(
      await receiver((request) => {
        cut++;
        request.socket.destroy();
      }),
    );
    await subscribe(
      await receiver((request, response) => {
        let body = "";
        request.on("data", (chunk) => {
          body += String(chunk);
        });
        request.on("end", () => {
          received.add(String((JSON.parse(body) as { stationId: string }).stationId));
          response.writeHead(204).end();
        });
      }),
    );
    const ids = Array.from({ length: 10 }, (_, index) => `HOOK-${index}`);
    for (const id of ids) await (await RawStation.boot16(running, id)).close();
    await eventually("all events at the receiver that answers", () => (received.size === 10 ? true : undefined));
    // The status was all that mattered of the endless answers: their connections are gone, and the next event came.
    await eventually("all events at the endless one", () => (endless === 10 && closed.size > 0 ? true : undefined));
    await eventually("an event at those that do not take it", () => (silent > 0 && cut > 0 ? true : undefined));
  });
});

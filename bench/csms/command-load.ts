// An operator's program that calls many stations by the HTTP API, in a process of its own.
import { Agent, request } from "node:http";
import { percentile } from "./bench-case.ts";
import { givenSetting, serveOrders } from "./child-process.ts";
import type { LoadReport } from "./closed-loop.ts";

/** Where the API is and whom it is to call. */
export interface CommandLoadSetting {
  readonly port: number;
  readonly token: string;
  readonly prefix: string;
  readonly stations: number;
  /** HTTP connections. */
  readonly connections: number;
}

const setting = givenSetting<CommandLoadSetting>();
const agent = new Agent({ keepAlive: true, maxSockets: setting.connections });
const body = JSON.stringify({ action: "ClearCache", payload: {} });

function callStation(index: number): Promise<void> {
  const headers = {
    authorization: `Bearer ${setting.token}`,
    "content-type": "application/json",
    "content-length": body.length,
  };
  const path = `/api/v1/stations/${setting.prefix}${index}/calls`;
  return new Promise((resolve, reject) => {
    const outgoing = request({ port: setting.port, host: "127.0.0.1", method: "POST", path, headers, agent });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      response.resume();
      response.on("end", () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`a call was answered with ${response.statusCode}`));
      });
    });
    outgoing.end(body);
  });
}

serveOrders<unknown>(null, async (): Promise<LoadReport> => {
  const times: number[] = [];
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: setting.stations }, async (_, index) => {
      await callStation(index);
      times.push(performance.now() - begin);
    }),
  );
  const seconds = (performance.now() - begin) / 1_000;
  return { calls: times.length, seconds, p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) };
});

import { WebSocket } from "ws";
import type { Workload } from "./workloads.ts";

/** What a closed-loop run saw from outside. */
export interface LoadResult {
  readonly calls: number;
  readonly seconds: number;
  /** Round-trip times in milliseconds, ascending. */
  readonly latencies: Float64Array;
}

/** Opens connections one after the other and resolves when all are open. */
export async function connect(port: number, count: number, subprotocol: string): Promise<WebSocket[]> {
  const sockets: WebSocket[] = [];
  for (let index = 0; index < count; index++) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/BENCH-${index}`, [subprotocol], { perMessageDeflate: false });
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    sockets.push(socket);
  }
  return sockets;
}

/** Ends connections and waits until they are gone. */
export async function disconnect(sockets: readonly WebSocket[]): Promise<void> {
  await Promise.all(
    sockets.map((socket) => {
      const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
      socket.close();
      return closed;
    }),
  );
}

/**
 * Sends the workload's message on every connection, the next one when the response is there, until `calls` are
 * answered.
 *
 * @throws Error when a server answers with anything but a CALLRESULT
 */
export function run(sockets: readonly WebSocket[], workload: Workload, calls: number): Promise<LoadResult> {
  const head = '[2,"';
  const tail = `",${JSON.stringify(workload.action)},${JSON.stringify(workload.payload)}]`;
  const latencies = new Float64Array(calls);
  let sent = 0;
  let answered = 0;
  const begin = performance.now();
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      for (const socket of sockets) socket.removeAllListeners("message");
      latencies.sort();
      resolve({ calls, seconds: (performance.now() - begin) / 1000, latencies });
    };
    for (const socket of sockets) {
      let sentAt = 0;
      const next = (): void => {
        if (sent >= calls) return;
        sentAt = performance.now();
        socket.send(`${head}${++sent}${tail}`);
      };
      socket.on("message", (data) => {
        const text = String(data);
        if (!text.startsWith("[3,")) reject(new Error(`the server answered ${text.slice(0, 200)}`));
        latencies[answered++] = performance.now() - sentAt;
        if (answered === calls) finish();
        else next();
      });
      next();
    }
  });
}

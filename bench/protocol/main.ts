// `npm run bench -- protocol`: the protocol library's server beside a bare `ws` server, `ws` with Ajv, and ocpp-rpc
// in strict mode. All servers stay up; the rounds go over them in turn, so that the machine's mood hits all alike.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { connect, disconnect, run } from "./load.ts";
import { type Workload, workloads } from "./workloads.ts";

const KINDS = ["bare", "ajv", "ocpp-rpc", "polyphase"] as const;
type Kind = (typeof KINDS)[number];
const LABELS: Record<Kind, string> = {
  bare: "bare ws + JSON",
  ajv: "ws + Ajv",
  "ocpp-rpc": "ocpp-rpc strict",
  polyphase: "@polyphase/ocpp",
};
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 7);
const CALLS = Number(process.env.BENCH_CALLS ?? 20_000);
const CONNECTIONS = 50;
const IDLE_CONNECTIONS = 1_000;
const IDLE_ROUNDS = 5;

interface Usage {
  readonly cpuMicros: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
}

interface Server {
  readonly kind: Kind;
  readonly port: number;
  readonly startMs: number;
  readonly process: ChildProcess;
}

async function start(kind: Kind): Promise<Server> {
  const child = fork(fileURLToPath(new URL("./server.ts", import.meta.url)), [kind], {
    execArgv: ["--import", "tsx", "--expose-gc"],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const [message] = (await once(child, "message")) as [{ port: number; startMs: number }];
  return { kind, ...message, process: child };
}

async function usage(server: Server): Promise<Usage> {
  server.process.send("usage");
  const [message] = (await once(server.process, "message")) as [Usage];
  return message;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

interface Round {
  readonly cpuMicrosPerCall: number;
  readonly callsPerSecond: number;
  readonly p50: number;
  readonly p99: number;
}

async function round(server: Server, workload: Workload): Promise<Round> {
  const sockets = await connect(server.port, CONNECTIONS, workload.subprotocol);
  await run(sockets, workload, Math.ceil(CALLS / 10));
  const before = await usage(server);
  const { calls, seconds, latencies } = await run(sockets, workload, CALLS);
  const after = await usage(server);
  await disconnect(sockets);
  const percentile = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  return {
    cpuMicrosPerCall: (after.cpuMicros - before.cpuMicros) / calls,
    callsPerSecond: calls / seconds,
    p50: percentile(0.5),
    p99: percentile(0.99),
  };
}

interface Idle {
  readonly kilobytes: number;
  readonly handshakeMicros: number;
}

async function idle(server: Server): Promise<Idle> {
  const warm = await connect(server.port, 50, "ocpp1.6");
  await disconnect(warm);
  const before = await usage(server);
  const sockets = await connect(server.port, IDLE_CONNECTIONS, "ocpp1.6");
  const after = await usage(server);
  await disconnect(sockets);
  return {
    kilobytes: (after.heapBytes - before.heapBytes) / IDLE_CONNECTIONS / 1024,
    handshakeMicros: (after.cpuMicros - before.cpuMicros) / IDLE_CONNECTIONS,
  };
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

const servers = new Map<Kind, Server>();
for (const kind of KINDS) servers.set(kind, await start(kind));
try {
  console.log(
    `Node.js ${process.version}; ${ROUNDS} interleaved rounds of ${CALLS} calls on ${CONNECTIONS} connections; medians.`,
  );
  console.log("Share of bare: CPU of the bare server per call divided by this server's, in the same round.\n");
  console.log(row(["message", "server", "share of bare", "CPU µs/call", "calls/s", "p50 ms", "p99 ms"]));
  console.log(row(["---", "---", "--:", "--:", "--:", "--:", "--:"]));
  for (const workload of workloads) {
    const rounds = new Map<Kind, Round[]>(KINDS.map((kind) => [kind, []]));
    for (let index = 0; index < ROUNDS; index++) {
      for (const server of servers.values()) rounds.get(server.kind)?.push(await round(server, workload));
    }
    const bare = rounds.get("bare") ?? [];
    for (const kind of KINDS) {
      const own = rounds.get(kind) ?? [];
      const share = median(
        own.map((one, index) => (bare[index]?.cpuMicrosPerCall ?? Number.NaN) / one.cpuMicrosPerCall),
      );
      const of = (pick: (one: Round) => number): number => median(own.map(pick));
      console.log(
        row([
          `${workload.name} (${JSON.stringify(workload.payload).length} B)`,
          LABELS[kind],
          `${(share * 100).toFixed(0)} %`,
          of((one) => one.cpuMicrosPerCall).toFixed(1),
          of((one) => one.callsPerSecond).toFixed(0),
          of((one) => one.p50).toFixed(2),
          of((one) => one.p99).toFixed(2),
        ]),
      );
    }
  }
  console.log(`\n${row(["server", "heap per idle connection, KiB", "handshake CPU µs", "start ms"])}`);
  console.log(row(["---", "--:", "--:", "--:"]));
  const idleRounds = new Map<Kind, Idle[]>(KINDS.map((kind) => [kind, []]));
  for (let index = 0; index < IDLE_ROUNDS; index++) {
    for (const server of servers.values()) idleRounds.get(server.kind)?.push(await idle(server));
  }
  for (const server of servers.values()) {
    const own = idleRounds.get(server.kind) ?? [];
    const kilobytes = median(own.map((one) => one.kilobytes));
    const handshakeMicros = median(own.map((one) => one.handshakeMicros));
    console.log(
      row([LABELS[server.kind], kilobytes.toFixed(1), handshakeMicros.toFixed(0), server.startMs.toFixed(0)]),
    );
  }
} finally {
  for (const server of servers.values()) server.process.disconnect();
}

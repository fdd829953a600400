// `npm run bench -- csms`: durable TransactionEvents of OCPP 2.0.1 through a whole CSMS (validation, message log,
// commits with fsync) with its embedded PostgreSQL and the load on the same machine. Floors in the same run: the bare
// protocol endpoint without storage, and the rows of the events written by a plain multi-row script.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startEmbeddedPostgres } from "@polyphase/csms/embedded-postgres";
import pg from "pg";
import type { LoadReport } from "./load.ts";
import { processorSeconds } from "./processor-time.ts";

const SECONDS = Number(process.env.BENCH_SECONDS ?? 10);
const FLEETS = (process.env.BENCH_STATIONS ?? "50,200,1000").split(",").map(Number);

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

interface Target {
  readonly process: ChildProcess;
  readonly url: string;
}

async function load(url: string, stations: number, perSecond = 0): Promise<ChildProcess> {
  const args = [url, String(stations), String(SECONDS), String(perSecond)];
  const child = fork(here("./load.ts"), args, { execArgv: ["--import", "tsx"] });
  await once(child, "message");
  return child;
}

interface Measured extends LoadReport {
  readonly serverMicros: number;
  readonly databaseMicros: number;
}

async function measure(target: Target, stations: number, perSecond = 0): Promise<Measured> {
  const child = await load(target.url, stations, perSecond);
  const pid = target.process.pid ?? 0;
  const before = processorSeconds(pid);
  child.send("go");
  const [report] = (await once(child, "message")) as [LoadReport];
  const after = processorSeconds(pid);
  return {
    ...report,
    serverMicros: ((after.own - before.own) * 1e6) / report.events,
    databaseMicros: ((after.below - before.below) * 1e6) / report.events,
  };
}

async function startCsms(dataDir: string): Promise<Target> {
  const child = fork(here("../../packages/polyphase/dist/main.js"), ["csms"], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
    env: {
      ...process.env,
      POLYPHASE_DATA_DIR: dataDir,
      POLYPHASE_OCPP_PORT: "0",
      POLYPHASE_HTTP_PORT: "0",
      POLYPHASE_ADMIN_TOKEN: "benchmark-administrator",
      POLYPHASE_UNKNOWN_STATIONS: "accept",
      POLYPHASE_LOG_LEVEL: "error",
    },
  });
  let output = "";
  const url = await new Promise<string>((resolve, reject) => {
    child.once("exit", () => reject(new Error(`the CSMS did not start: ${output}`)));
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const port = /ws:\/\/[^:]+:(\d+)\/ocpp/.exec(output)?.[1];
      if (port !== undefined && /^ready$/m.test(output)) resolve(`ws://127.0.0.1:${port}/ocpp`);
    });
  });
  return { process: child, url };
}

async function startEndpoint(): Promise<Target> {
  const child = fork(here("./endpoint.ts"), [], { execArgv: ["--import", "tsx"] });
  const [port] = (await once(child, "message")) as [number];
  return { process: child, url: `ws://127.0.0.1:${port}/ocpp` };
}

/** Rows per second of a script that does nothing but write events in groups of `size`, each durable. */
async function plainRowsPerSecond(folder: string, size: number): Promise<number> {
  const database = await startEmbeddedPostgres({ directory: folder });
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(
    "create table plain_event (station_id text, transaction_id text, seq_no integer, at timestamptz, payload jsonb, primary key (station_id, transaction_id, seq_no))",
  );
  const payload = JSON.stringify({ value: [1_000, 11_040.5, 16.02], triggerReason: "MeterValuePeriodic" });
  const stationIds = Array.from({ length: size }, (_, index) => `BENCH-${index}`);
  const same = <T>(value: T): T[] => stationIds.map(() => value);
  const begin = performance.now();
  let rows = 0;
  for (let seqNo = 0; performance.now() - begin < SECONDS * 1_000; seqNo++) {
    await client.query({
      name: "plain",
      text: "insert into plain_event select * from unnest($1::text[], $2::text[], $3::integer[], $4::timestamptz[], $5::jsonb[])",
      values: [stationIds, same("T"), same(seqNo), same(new Date().toISOString()), same(payload)],
    });
    rows += size;
  }
  const seconds = (performance.now() - begin) / 1_000;
  await client.end();
  await database.stop();
  return rows / seconds;
}

function row(cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}

const folder = await mkdtemp(join(tmpdir(), "polyphase-bench-"));
const endpoint = await startEndpoint();
const csms = await startCsms(join(folder, "csms"));
try {
  console.log(`Node.js ${process.version}; ${SECONDS} s each; one outstanding CALL per station.\n`);
  row([
    "stations",
    "what",
    "events/s",
    "share of the bare endpoint",
    "p50 ms",
    "p99 ms",
    "server CPU µs",
    "PostgreSQL CPU µs",
  ]);
  row(["--:", "---", "--:", "--:", "--:", "--:", "--:", "--:"]);
  for (const stations of FLEETS) {
    const bare = await measure(endpoint, stations);
    const full = await measure(csms, stations);
    const half = await measure(csms, stations, full.events / full.seconds / 2);
    for (const [what, one] of [
      ["bare protocol endpoint", bare],
      ["CSMS, durable", full],
      ["CSMS at half of that rate", half],
    ] as const) {
      const rate = one.events / one.seconds;
      const share = rate / (bare.events / bare.seconds);
      row([
        stations,
        what,
        rate.toFixed(0),
        `${(share * 100).toFixed(0)} %`,
        one.p50Ms.toFixed(1),
        one.p99Ms.toFixed(1),
        one.serverMicros.toFixed(0),
        what.startsWith("CSMS") ? one.databaseMicros.toFixed(0) : "",
      ]);
    }
  }
  csms.process.kill("SIGTERM");
  await once(csms.process, "exit");
  const plain = await plainRowsPerSecond(join(folder, "plain"), 100);
  console.log(`\nA plain script that writes one row an event, 100 to a durable statement: ${plain.toFixed(0)} rows/s.`);
} finally {
  endpoint.process.kill("SIGTERM");
  csms.process.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
}

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "@polyphase/csms/embedded-postgres";
import pg from "pg";
import { here } from "./child-process.ts";
import { holding } from "./leftovers.ts";

const TOKEN = "benchmark-administrator";

/** Longer than the CSMS waits for what is under way when it is stopped. */
const STOP_PATIENCE_MS = 30_000;

/** The embedded PostgreSQL with fsync on, in a folder of its own below the system's temporary one. */
export class BenchDatabase {
  readonly #postgres: EmbeddedPostgres;
  /** Stops it and removes its folder. */
  readonly remove: () => Promise<void>;

  private constructor(postgres: EmbeddedPostgres, removeFolder: () => Promise<void>) {
    this.#postgres = postgres;
    this.remove = holding(async () => {
      await postgres.stop();
      await removeFolder();
    });
  }

  static async start(): Promise<BenchDatabase> {
    const folder = await mkdtemp(join(tmpdir(), "polyphase-bench-"));
    const removeFolder = holding(() => rm(folder, { recursive: true, force: true }));
    return new BenchDatabase(await startEmbeddedPostgres({ directory: join(folder, "postgresql") }), removeFolder);
  }

  get url(): string {
    return this.#postgres.url;
  }

  /** The postmaster; the processes that work are its children. */
  get pid(): number {
    return this.#postgres.pid;
  }

  /** Runs something with a connection of its own. */
  async connected<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> {
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }
}

/** The compiled command as a process of its own, on a {@link BenchDatabase}. */
export class CsmsUnderTest {
  readonly database: BenchDatabase;
  readonly #child: ChildProcess;
  readonly #end: () => Promise<void>;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 32 });
  readonly port: number;
  readonly #httpPort: number;

  private constructor(database: BenchDatabase, child: ChildProcess, end: () => Promise<void>, ports: Ports) {
    this.database = database;
    this.#child = child;
    this.#end = end;
    this.port = ports.ocpp;
    this.#httpPort = ports.http;
  }

  /**
   * Starts it. A profile of its CPU time is written to `profileFolder` when it ends; `BENCH_PROFILE` by default.
   *
   * @throws Error with its output when it does not start
   */
  static async start(database: BenchDatabase, profileFolder = process.env.BENCH_PROFILE): Promise<CsmsUnderTest> {
    const nodeArguments = profileFolder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`];
    const command = here("../../packages/polyphase/dist/main.js");
    const child = spawn(process.execPath, [...nodeArguments, command, "csms"], {
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        DATABASE_URL: database.url,
        POLYPHASE_OCPP_PORT: "0",
        POLYPHASE_HTTP_PORT: "0",
        POLYPHASE_ADMIN_TOKEN: TOKEN,
        POLYPHASE_UNKNOWN_STATIONS: "accept",
        POLYPHASE_LOG_LEVEL: "error",
      },
    });
    const end = holding(() => terminate(child));
    return new CsmsUnderTest(database, child, end, await portsOf(child));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Where the API is, for a process that drives it. */
  get api(): { readonly port: number; readonly token: string } {
    return { port: this.#httpPort, token: TOKEN };
  }

  /** Calls the API below `/api/v1`. @throws Error for any status but 2xx */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const text = body === undefined ? "" : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${TOKEN}`,
      ...(body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
    };
    const options = { port: this.#httpPort, host: "127.0.0.1", method, path: `/api/v1${path}`, agent: this.#agent };
    const outgoing = request({ ...options, headers });
    outgoing.end(text);
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    let answer = "";
    for await (const chunk of response) answer += String(chunk);
    if (Math.floor((response.statusCode ?? 0) / 100) !== 2) {
      throw new Error(`${method} ${path} was answered with ${response.statusCode}: ${answer.slice(0, 300)}`);
    }
    return answer === "" ? undefined : JSON.parse(answer);
  }

  /** Stops it in good order; the database stays. */
  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.#end();
  }
}

interface Ports {
  readonly ocpp: number;
  readonly http: number;
}

/** Where a CSMS listens, once it is ready. @throws Error with its output when it ends before */
function portsOf(child: ChildProcess): Promise<Ports> {
  let output = "";
  return new Promise((resolve, reject) => {
    child.once("exit", () => reject(new Error(`the CSMS did not start: ${output}`)));
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const [ocpp, http] = [/ws:\/\/[^:]+:(\d+)\/ocpp/, /http:\/\/[^:]+:(\d+)\/api/].map((pattern) =>
        Number(pattern.exec(output)?.[1]),
      );
      if (ocpp !== undefined && http !== undefined && /^ready$/m.test(output)) resolve({ ocpp, http });
    });
  });
}

/** Stops a process in good order, or by force when it does not. */
async function terminate(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const patience = setTimeout(() => child.kill("SIGKILL"), STOP_PATIENCE_MS);
  await ended;
  clearTimeout(patience);
}

/** Runs something with a CSMS on a fresh database, and removes both. */
export async function withCsms<Result>(work: (csms: CsmsUnderTest) => Promise<Result>): Promise<Result> {
  const database = await BenchDatabase.start();
  try {
    const csms = await CsmsUnderTest.start(database);
    try {
      return await work(csms);
    } finally {
      await csms.stop();
    }
  } finally {
    await database.remove();
  }
}

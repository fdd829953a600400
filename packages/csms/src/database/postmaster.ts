import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, realpath, writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { EmbeddedDatabaseError, systemErrorCode } from "./embedded-database-error.ts";
import type { PostgresUser } from "./postgres-user.ts";
import { identifyProcess, userOf, workingDirectoryOf } from "./process-identity.ts";

const POLL_MS = 50;
const FAST_SHUTDOWN_MS = 60_000;
const IMMEDIATE_SHUTDOWN_MS = 10_000;

/**
 * The path by which the server's own processes name their data directory. On Linux it is their working
 * directory, so that a server that root runs as another user needs no way through closed parent directories.
 */
export function serverPath(cluster: string): string {
  return process.platform === "linux" ? "/proc/self/cwd" : cluster;
}

/** Environment of the server's programs: nothing of ours, which may hold secrets or PG* variables, goes in. */
export const serverEnvironment = { LC_ALL: "C", TZ: "UTC", PATH: "/usr/local/bin:/usr/bin:/bin" };

interface PidFile {
  readonly lines: readonly string[];
  readonly pid: number;
  readonly startedAtS: number;
}

async function readPidFile(cluster: string): Promise<PidFile | undefined> {
  try {
    const lines = (await readFile(path.join(cluster, "postmaster.pid"), "utf8")).split("\n");
    return { lines, pid: Number(lines[0]), startedAtS: Number(lines[2]) };
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Whether the process that a pid file names is the server of this cluster, and not one that got its number later. */
async function isServerOf(cluster: string, file: PidFile, uid: number | undefined): Promise<boolean> {
  const identity = await identifyProcess(file.pid);
  if (identity === undefined || !identity.command.startsWith("postgres")) return false;
  const directory = await workingDirectoryOf(file.pid);
  if (directory !== undefined) return directory === (await realpath(cluster));
  const user = await userOf(file.pid);
  if (user !== undefined && uid !== undefined && user !== uid) return false;
  return Math.abs(identity.startedAtS - file.startedAtS) <= 3;
}

function signal(pid: number, name: "SIGINT" | "SIGQUIT", cluster: string): void {
  try {
    process.kill(pid, name);
  } catch (cause) {
    if (systemErrorCode(cause) === "ESRCH") return;
    throw new EmbeddedDatabaseError(
      `a PostgreSQL (process ${pid}) that belongs to another user still runs on ${cluster}`,
      { cause },
    );
  }
}

async function waitForEnd(pid: number, startToken: string, limitMs: number): Promise<boolean> {
  const deadline = performance.now() + limitMs;
  while (performance.now() < deadline) {
    if ((await identifyProcess(pid))?.startToken !== startToken) return true;
    await delay(POLL_MS);
  }
  return false;
}

async function stopProcess(pid: number, cluster: string): Promise<void> {
  const identity = await identifyProcess(pid);
  if (identity === undefined) return;
  signal(pid, "SIGINT", cluster);
  if (await waitForEnd(pid, identity.startToken, FAST_SHUTDOWN_MS)) return;
  signal(pid, "SIGQUIT", cluster);
  if (await waitForEnd(pid, identity.startToken, IMMEDIATE_SHUTDOWN_MS)) return;
  throw new EmbeddedDatabaseError(`the PostgreSQL that still runs on ${cluster} (process ${pid}) does not stop`);
}

/**
 * Stops the server that a killed Polyphase left running. A process that merely got the number of a former
 * server is left alone, and PostgreSQL is kept from taking it for one.
 *
 * @returns whether a server was stopped
 * @throws EmbeddedDatabaseError when it belongs to another user or does not stop
 */
export async function stopOrphan(cluster: string, uid: number | undefined): Promise<boolean> {
  const file = await readPidFile(cluster);
  if (file === undefined) return false;
  if (await isServerOf(cluster, file, uid)) {
    await stopProcess(file.pid, cluster);
    return true;
  }
  // PostgreSQL refuses to start while any process has that number, unless it is its own parent; the rest of the
  // file stays, because by it PostgreSQL finds out whether children of the former server still run.
  await writeFile(path.join(cluster, "postmaster.pid"), [String(process.pid), ...file.lines.slice(1)].join("\n"));
  return false;
}

/** A server process that accepts connections. */
export interface Postmaster {
  readonly pid: number;
  /** Settles when the process has ended, for whatever reason; tells the reason. */
  readonly ended: Promise<string>;
  /** Ends it by a fast shutdown: sessions are broken off, all data is safe. */
  stop(): Promise<void>;
}

/** What to start. */
export interface PostmasterOptions {
  readonly program: string;
  readonly cluster: string;
  readonly user: PostgresUser | undefined;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly startTimeoutMs: number;
  /** Receives each line that the server logs. */
  onLine(line: string): void;
}

/** The server ended before it accepted connections; `output` is what it said. */
export class PostmasterStartError extends Error {
  override readonly name = "PostmasterStartError";
  readonly output: string;

  constructor(output: string) {
    super("PostgreSQL did not start");
    this.output = output;
  }
}

/**
 * Sees to it that the server ends when this process is killed: its standard input closes with us, whatever
 * the reason is.
 */
function watchOver(pid: number): ChildProcess {
  const watch = spawn("/bin/sh", ["-c", 'read -r _; kill -INT "$1"', "polyphase-database-watch", String(pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    cwd: "/",
    env: serverEnvironment,
  });
  watch.on("error", () => undefined);
  return watch;
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, name) => resolve(name === null ? `exit code ${code}` : `signal ${name}`));
  });
}

/** Resolves when the server says that it is ready; false when it ended or the time was over before. */
async function waitUntilReady(child: ChildProcess, options: PostmasterOptions, tail: string[]): Promise<boolean> {
  const ready = new Promise<true>((resolve) => {
    if (child.stderr === null) return;
    createInterface({ input: child.stderr }).on("line", (line) => {
      tail.push(line);
      if (tail.length > 20) tail.shift();
      options.onLine(line);
      if (line.includes("database system is ready to accept connections")) resolve(true);
    });
  });
  const closed = new Promise<false>((resolve) => {
    child.once("error", (error) => {
      tail.push(error.message);
      resolve(false);
    });
    child.once("close", () => resolve(false));
  });
  const timer = new AbortController();
  const late = delay(options.startTimeoutMs, false, { signal: timer.signal }).catch(() => false);
  try {
    return await Promise.race([ready, closed, late]);
  } finally {
    timer.abort();
  }
}

/**
 * Starts the server and waits until it accepts connections. It runs in a session of its own, so that Ctrl-C
 * reaches Polyphase only, which then stops it in good order.
 *
 * @throws PostmasterStartError when it ends before, or is not ready in time
 */
export async function startPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  const settings = Object.entries(options.settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn(options.program, ["-D", serverPath(options.cluster), "-p", String(options.port), ...settings], {
    ...options.user,
    cwd: options.cluster,
    env: serverEnvironment,
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  const ended = endOf(child);
  const tail: string[] = [];
  const ready = await waitUntilReady(child, options, tail);
  const { pid } = child;
  if (!ready || pid === undefined) {
    child.kill("SIGQUIT");
    if (pid !== undefined) await ended;
    throw new PostmasterStartError(tail.join("\n"));
  }
  const watch = watchOver(pid);
  void ended.then(() => watch.kill("SIGKILL"));
  return {
    pid,
    ended,
    async stop() {
      watch.kill("SIGKILL");
      child.kill("SIGINT");
      const force = setTimeout(() => child.kill("SIGQUIT"), FAST_SHUTDOWN_MS);
      await ended;
      clearTimeout(force);
      if (child.stderr !== null && !child.stderr.readableEnded) {
        await Promise.race([once(child.stderr, "close"), delay(1000)]);
      }
    },
  };
}

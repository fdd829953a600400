import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdir, mkdtemp, readFile, readlink, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  EmbeddedDatabaseError,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from "./embedded-postgres.ts";
import { identifyProcess } from "./process-identity.ts";

let root: string;
let directory: string;
const running: EmbeddedPostgres[] = [];
const children: ChildProcess[] = [];

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "polyphase embedded "));
  directory = path.join(root, "closed to others", "postgres");
  await mkdir(path.dirname(directory), { mode: 0o700 });
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((postgres) => postgres.stop()));
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(root, { recursive: true, force: true });
});

async function start(options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ directory, ...options });
  running.push(postgres);
  return postgres;
}

async function query(url: string, text: string): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

async function ends(pid: number): Promise<void> {
  await expect.poll(() => identifyProcess(pid)).toBeUndefined();
}

interface Holder {
  readonly child: ChildProcess;
  readonly url: string;
  readonly pid: number;
}

/** Another process that runs the embedded database in the same directory. */
async function startHolder(): Promise<Holder> {
  const module = pathToFileURL(path.join(import.meta.dirname, "embedded-postgres.ts")).href;
  const code = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(module)});
    const postgres = await startEmbeddedPostgres({ directory: ${JSON.stringify(directory)} });
    console.log(JSON.stringify({ url: postgres.url, pid: postgres.pid }));
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", code], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  if (child.stdout === null) throw new Error("no output");
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  const { url, pid } = JSON.parse(line) as { url: string; pid: number };
  return { child, url, pid };
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

test("what was stored is there after a stop and another start, in a path with blanks", async () => {
  const first = await start();
  await query(first.url, "create table kept as select 42 as answer");
  await first.stop();
  await ends(first.pid);
  const second = await start();
  expect(await query(second.url, "select answer from kept")).toEqual([{ answer: 42 }]);
});

test("it is durable, listens on loopback only, and nobody comes in without the password", async () => {
  const postgres = await start();
  const [settings] = await query(
    postgres.url,
    `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit,
       current_setting('listen_addresses') as addresses, current_setting('server_encoding') as encoding`,
  );
  expect(settings).toEqual({ fsync: "on", commit: "on", addresses: "127.0.0.1", encoding: "UTF8" });
  const wrong = new URL(postgres.url);
  wrong.password = "guess";
  await expect(query(wrong.href, "select 1")).rejects.toMatchObject({ code: "28P01" });
  const file = path.join(directory, "password");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(postgres.url).toContain((await readFile(file, "utf8")).trim());
});

test("the server never runs as root, and its files belong to its user alone", async () => {
  const postgres = await start();
  const cluster = await stat(path.join(directory, "cluster"));
  expect(cluster.uid).not.toBe(0);
  expect(cluster.mode & 0o077).toBe(0);
  expect((await identifyProcess(postgres.pid))?.command).toBe("postgres");
});

test("a directory in use is refused, and the message names the process", async () => {
  await start();
  const second = startEmbeddedPostgres({ directory });
  await expect(second).rejects.toBeInstanceOf(EmbeddedDatabaseError);
  await expect(second).rejects.toThrow(`already in use by process ${process.pid}`);
});

test("after kill -9 the server ends by itself, and the next start has everything that was committed", async () => {
  const holder = await startHolder();
  await query(holder.url, "create table kept as select 42 as answer");
  await kill(holder.child);
  const next = await start();
  expect(await query(next.url, "select answer from kept")).toEqual([{ answer: 42 }]);
  await ends(holder.pid);
});

test("a server whose watch was killed too is stopped by the next start", async () => {
  const holder = await startHolder();
  await query(holder.url, "create table kept as select 42 as answer");
  // Stopped first, so that it cannot act on the end of its parent before it is killed itself.
  const watch = await watchOf(holder.pid);
  process.kill(watch, "SIGSTOP");
  await kill(holder.child);
  process.kill(watch, "SIGKILL");
  expect(await identifyProcess(holder.pid)).toBeDefined();
  const told: string[] = [];
  const next = await start({ log: (_, message) => told.push(message) });
  expect(await identifyProcess(holder.pid)).toBeUndefined();
  expect(told).toContain("stopped a database server that a killed Polyphase had left running");
  expect(await query(next.url, "select answer from kept")).toEqual([{ answer: 42 }]);
});

async function watchOf(serverPid: number): Promise<number> {
  const child = spawn("ps", ["-eo", "pid=,args="], { stdio: ["ignore", "pipe", "inherit"] });
  let listing = "";
  child.stdout.on("data", (chunk: Buffer) => {
    listing += chunk.toString();
  });
  await once(child, "close");
  const line = listing.split("\n").find((text) => text.includes(`polyphase-database-watch ${serverPid}`));
  return Number(line?.trim().split(" ")[0]);
}

test("a foreign process that has the number of a former server is left alone", async () => {
  const first = await start();
  await first.stop();
  const stranger = spawn("sleep", ["1000"], { stdio: "ignore" });
  children.push(stranger);
  const file = path.join(directory, "cluster", "postmaster.pid");
  const startedS = Math.floor(Date.now() / 1000);
  await writeFile(file, `${stranger.pid}\n${directory}/cluster\n${startedS}\n5432\n\n127.0.0.1\n`);
  const { uid, gid } = await stat(path.join(directory, "cluster"));
  if (process.getuid?.() === 0) await chown(file, uid, gid);
  const second = await start();
  expect(await query(second.url, "select 1 as one")).toEqual([{ one: 1 }]);
  expect(stranger.exitCode).toBeNull();
  expect(await identifyProcess(stranger.pid ?? 0)).toMatchObject({ command: "sleep" });
});

test("a server that is killed while we run is started again at the same address", async () => {
  const postgres = await start();
  await query(postgres.url, "create table kept as select 42 as answer");
  const before = postgres.pid;
  process.kill(before, "SIGKILL");
  await expect
    .poll(() => query(postgres.url, "select answer from kept").catch(() => undefined))
    .toEqual([{ answer: 42 }]);
  // The server answers before we know that it does.
  await expect.poll(() => postgres.pid).not.toBe(before);
});

test("an initialisation that was interrupted is done anew", async () => {
  await mkdir(path.join(directory, "cluster.new", "base"), { recursive: true });
  await writeFile(path.join(directory, "cluster.new", "PG_VERSION"), "18\n");
  await writeFile(path.join(directory, "password"), "of the interrupted start\n");
  const postgres = await start();
  expect(await query(postgres.url, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("data of another major version is refused with both versions named", async () => {
  await (await start()).stop();
  running.length = 0;
  await writeFile(path.join(directory, "cluster", "PG_VERSION"), "14\n");
  await expect(startEmbeddedPostgres({ directory })).rejects.toThrow(/written by PostgreSQL 14, .* brings 18/);
});

test("a cluster that lost its mode, as a restored copy does, is taken back", async () => {
  await (await start()).stop();
  await chmod(path.join(directory, "cluster"), 0o755);
  const postgres = await start();
  expect(await query(postgres.url, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("a lost password file is named", async () => {
  await (await start()).stop();
  running.length = 0;
  await rm(path.join(directory, "password"));
  await expect(startEmbeddedPostgres({ directory })).rejects.toThrow(/password is missing/);
});

test("a place that cannot be a directory is named, and the failed start leaves no lock", async () => {
  await writeFile(path.join(root, "file"), "");
  const inside = startEmbeddedPostgres({ directory: path.join(root, "file", "postgres") });
  await expect(inside).rejects.toBeInstanceOf(EmbeddedDatabaseError);
  await expect(inside).rejects.toThrow(/the embedded database has no place/);
});

test("a setting that the server does not know fails the start with the server's words", async () => {
  const failed = startEmbeddedPostgres({ directory, settings: { no_such_setting: "1" } });
  await expect(failed).rejects.toThrow(/unrecognized configuration parameter "no_such_setting"/);
  const postgres = await start();
  expect(await query(postgres.url, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("stopping twice is stopping once, and the server's working directory is its cluster", async () => {
  const postgres = await start();
  if (process.platform === "linux") {
    expect(await readlink(`/proc/${postgres.pid}/cwd`)).toBe(await realpath(path.join(directory, "cluster")));
  }
  await Promise.all([postgres.stop(), postgres.stop()]);
  await ends(postgres.pid);
});

import { execFile } from "node:child_process";
import { readFile, readlink, stat } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A living process, told apart from later ones that get the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Changes when the number is given to another process or the machine restarts. */
  readonly startToken: string;
  /** When it started, in seconds since 1970; exact to about a second. */
  readonly startedAtS: number;
  /** Name of its program. */
  readonly command: string;
}

async function bootTimeS(): Promise<number> {
  const line = /^btime (\d+)$/m.exec(await readFile("/proc/stat", "utf8"));
  return Number(line?.[1] ?? 0);
}

async function identifyOnLinux(pid: number): Promise<ProcessIdentity | undefined> {
  const [status, bootId] = await Promise.all([
    readFile(`/proc/${pid}/stat`, "utf8"),
    readFile("/proc/sys/kernel/random/boot_id", "utf8"),
  ]);
  // The name stands in parentheses and may hold blanks and parentheses itself.
  const end = status.lastIndexOf(")");
  const command = status.slice(status.indexOf("(") + 1, end);
  const fields = status.slice(end + 2).split(" ");
  const state = fields[0];
  const ticks = fields[19];
  // A zombie has ended; nobody has collected it yet.
  if (state === "Z" || state === "X" || ticks === undefined) return undefined;
  const ticksPerSecond = 100;
  return {
    pid,
    startToken: `${bootId.trim()}/${ticks}`,
    startedAtS: (await bootTimeS()) + Number(ticks) / ticksPerSecond,
    command,
  };
}

async function identifyByPs(pid: number): Promise<ProcessIdentity | undefined> {
  const environment = { ...process.env, LC_ALL: "C", TZ: "UTC" };
  const { stdout } = await run("ps", ["-o", "stat=,lstart=,comm=", "-p", String(pid)], { env: environment });
  const match = /^(\S+)\s+(\w+ +\w+ +\d+ +[\d:]+ +\d+)\s+(.*)$/.exec(stdout.trim());
  const [, state, started, command] = match ?? [];
  if (state === undefined || started === undefined || command === undefined || state.startsWith("Z")) return undefined;
  return {
    pid,
    startToken: started,
    startedAtS: Date.parse(`${started} UTC`) / 1000,
    command: command.slice(command.lastIndexOf("/") + 1),
  };
}

/** Who has this process number now, or undefined when no process that still runs has it. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  try {
    return process.platform === "linux" ? await identifyOnLinux(pid) : await identifyByPs(pid);
  } catch {
    return undefined;
  }
}

/** Working directory of a process where the system tells it to us, else undefined. */
export async function workingDirectoryOf(pid: number): Promise<string | undefined> {
  try {
    return await readlink(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

/** User that a process runs as, where the system tells it, else undefined. */
export async function userOf(pid: number): Promise<number | undefined> {
  try {
    return (await stat(`/proc/${pid}`)).uid;
  } catch {
    return undefined;
  }
}

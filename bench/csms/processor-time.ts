import { readdirSync, readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100;

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly seconds: number;
}

function processes(): Process[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const fields = readFileSync(`/proc/${name}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      // Processes that have ended count for their parent: fields 16 and 17 of proc(5).
      const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
      return [{ pid: Number(name), parent: Number(fields[1]), seconds: ticks / TICKS_PER_SECOND }];
    } catch {
      return [];
    }
  });
}

/** CPU seconds that a process and all below it have used so far, by user and system. Linux only. */
export function processorSeconds(pid: number): { readonly own: number; readonly below: number } {
  const all = processes();
  const below = (parent: number): number =>
    all.filter((child) => child.parent === parent).reduce((sum, child) => sum + child.seconds + below(child.pid), 0);
  return { own: all.find((each) => each.pid === pid)?.seconds ?? 0, below: below(pid) };
}

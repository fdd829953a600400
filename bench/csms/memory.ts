import { readdirSync, readFileSync } from "node:fs";

const MEBIBYTE = 1024;

function kibibytes(file: string, field: string): number {
  try {
    return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(readFileSync(file, "utf8"))?.[1] ?? 0);
  } catch {
    // The process has ended meanwhile.
    return 0;
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => kibibytes(`/proc/${candidate}/status`, "PPid") === pid);
}

/** Resident memory of one process, in MiB. Linux only. */
export function residentMib(pid: number): number {
  return kibibytes(`/proc/${pid}/status`, "VmRSS") / MEBIBYTE;
}

/**
 * Memory of a process and its children in MiB, what they share divided among those that share it: the processes of
 * PostgreSQL have their buffers in common, which RSS counts for each of them. Linux only.
 */
export function proportionalMib(pid: number): number {
  return (
    [pid, ...childrenOf(pid)].reduce((sum, each) => sum + kibibytes(`/proc/${each}/smaps_rollup`, "Pss"), 0) / MEBIBYTE
  );
}

/** Samples the resident memory of a process until it is asked for the peak, in MiB. */
export function watchPeak(pid: number): () => number {
  let peak = residentMib(pid);
  const timer = setInterval(() => {
    peak = Math.max(peak, residentMib(pid));
  }, 50);
  return () => {
    clearInterval(timer);
    return Math.max(peak, residentMib(pid));
  };
}

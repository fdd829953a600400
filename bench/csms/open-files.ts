import { readFileSync } from "node:fs";

/** Sockets that processes of the benchmark and the CSMS need besides those of stations. */
const RESERVE = 500;

/**
 * How many stations may be connected at once. Each is a file of the CSMS, and one of the load. Node.js raises its own
 * limit of open files to the hard limit when it starts, so that this one counts: `ulimit -Hn`. Linux only.
 */
export function mostConnections(): number {
  const limit = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  return limit === "unlimited" || limit === undefined ? Number.POSITIVE_INFINITY : Number(limit) - RESERVE;
}

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes that live on the heap once everything that can go has gone. */
export function liveHeapBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

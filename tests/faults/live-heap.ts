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

const MEBIBYTE = 2 ** 20;

/**
 * What a CSMS may keep more after any number of messages than after the first ones: 20,000 events and 5,000 transactions
 * that are over, half a KiB and 2.5 KiB each, and what V8 learns of the code.
 */
export const GROWTH_BOUND_BYTES = 32 * MEBIBYTE;

/** Says so when the live heap grew by more than the bound; undefined when all is well. */
export function growthFinding(beforeBytes: number, afterBytes: number): string | undefined {
  const grownBytes = afterBytes - beforeBytes;
  if (grownBytes <= GROWTH_BOUND_BYTES) return undefined;
  return `the live heap grew by ${inMebibytes(grownBytes)}, bounded are ${inMebibytes(GROWTH_BOUND_BYTES)}`;
}

/** A number of bytes for people. */
export function inMebibytes(bytes: number): string {
  return `${(bytes / MEBIBYTE).toFixed(1)} MiB`;
}

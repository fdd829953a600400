import { percentile } from "./bench-case.ts";

/** What a load saw from outside. */
export interface LoadReport {
  readonly calls: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** How a load is driven. */
export interface LoadOrder {
  readonly seconds: number;
  /** Calls per second of all stations together; 0 for as many as are answered. */
  readonly perSecond: number;
}

/** A station of a load: sends its next call and resolves when that is answered with success. */
export type CallOnce = () => Promise<void>;

async function drive(callOnce: CallOnce, until: number, pace: { intervalMs: number; dueMs: number }, times: number[]) {
  let { dueMs } = pace;
  while (performance.now() < until) {
    if (pace.intervalMs > 0) {
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      dueMs += pace.intervalMs;
    }
    const sentAt = performance.now();
    await callOnce();
    times.push(performance.now() - sentAt);
  }
}

/** Lets stations call until the time is over, each with one call outstanding. */
export async function runLoad(stations: readonly CallOnce[], order: LoadOrder): Promise<LoadReport> {
  const times: number[] = [];
  const begin = performance.now();
  const intervalMs = order.perSecond === 0 ? 0 : (stations.length / order.perSecond) * 1_000;
  await Promise.all(
    stations.map((callOnce, index) => {
      const pace = { intervalMs, dueMs: begin + intervalMs * (index / stations.length) };
      return drive(callOnce, begin + order.seconds * 1_000, pace, times);
    }),
  );
  const seconds = (performance.now() - begin) / 1_000;
  times.sort((a, b) => a - b);
  return { calls: times.length, seconds, p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) };
}

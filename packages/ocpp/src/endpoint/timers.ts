import { performance } from "node:perf_hooks";

/** Cancels what was scheduled; harmless afterwards. */
export type Cancel = () => void;

/** Passing time, as far as time-outs, pings and waits go. A parameter so that tests are exact. */
export interface Timers {
  /** Milliseconds on a clock that never jumps; only differences have a meaning. */
  elapsedMs(): number;
  /**
   * Calls back once after `delayMs`. `keepAlive` says whether the process should wait for it.
   */
  after(delayMs: number, callback: () => void, keepAlive?: boolean): Cancel;
}

/** The timers of Node.js. */
export const systemTimers: Timers = {
  elapsedMs: () => performance.now(),
  after(delayMs, callback, keepAlive = false) {
    const timer = setTimeout(callback, delayMs);
    if (!keepAlive) timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves when the work is done or the time has passed, whichever comes first. The process waits for it. */
export async function withinMs(timers: Timers, limitMs: number, work: Promise<unknown>): Promise<void> {
  let cancel: Cancel | undefined;
  const late = new Promise<void>((resolve) => {
    cancel = timers.after(limitMs, resolve, true);
  });
  await Promise.race([work, late]);
  cancel?.();
}

/** The time of day, for the moment a message was received. */
export interface WallClock {
  now(): Date;
}

/** The machine's clock. */
export const systemClock: WallClock = { now: () => new Date() };

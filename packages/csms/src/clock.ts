/** The time as the CSMS sees it; a parameter so that tests are exact. */
export interface Clock {
  now(): Date;
}

/** The machine's clock. */
export const systemClock: Clock = { now: () => new Date() };

/**
 * Passing time in milliseconds, by a clock that nobody sets: only differences have a meaning. Durations are measured
 * by it, because the time of day jumps when it is set.
 */
export type ElapsedMs = () => number;

/** The machine's passing time. */
export const systemElapsedMs: ElapsedMs = () => performance.now();

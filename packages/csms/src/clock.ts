/** The time as the CSMS sees it; a parameter so that tests are exact. */
export interface Clock {
  now(): Date;
}

/** The machine's clock. */
export const systemClock: Clock = { now: () => new Date() };

/** First wait after a failure, in milliseconds. */
const FIRST_WAIT_MS = 5_000;

/** Longest wait between attempts, in milliseconds. */
export const LONGEST_WAIT_MS = 3_600_000;

/** A subscription whose deliveries fail for this long is disabled. */
export const GIVE_UP_AFTER_MS = 5 * 86_400_000;

/** Attempts of the first hours: fewer in days mean that the clock was set ahead. */
export const GIVE_UP_AFTER_ATTEMPTS = 12;

/**
 * Wait before the next attempt: doubled from 5 s up to an hour, then varied between half and the whole of it, so that
 * many subscriptions to one receiver that was down do not return at the same moment.
 *
 * @param failedAttempts 1 or more
 * @param random from 0 up to 1
 * @param askedForS what the receiver asked for with `Retry-After`, in seconds
 */
export function retryWaitMs(failedAttempts: number, random: number, askedForS = 0): number {
  const full = Math.min(FIRST_WAIT_MS * 2 ** Math.min(failedAttempts - 1, 20), LONGEST_WAIT_MS);
  const varied = full / 2 + (full / 2) * random;
  return Math.min(Math.max(varied, askedForS * 1000), LONGEST_WAIT_MS);
}

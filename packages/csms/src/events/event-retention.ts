import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import type { EventStore } from "./event-store.ts";

/** Rows of one delete statement: few enough to hold no lock for long. */
const BATCH = 5_000;

/** Settings of {@link keepEvents}. */
export interface EventRetentionOptions {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** Events are deleted when they have been stored for this many days. */
  readonly retentionDays: number;
  /** Time between two looks; default one hour. */
  readonly intervalMs?: number;
}

/** Deletes what is older than the retention, in small steps. Returns how many events that were. */
export async function deleteExpiredEvents({ store, clock, retentionDays }: EventRetentionOptions): Promise<number> {
  const before = new Date(clock.now().getTime() - retentionDays * 86_400_000);
  let total = 0;
  for (;;) {
    const count = await store.deleteBefore(before, BATCH);
    total += count;
    if (count < BATCH) return total;
  }
}

/** Looks from time to time. Returns the function that stops it. */
export function keepEvents(options: EventRetentionOptions): () => void {
  const look = () => {
    deleteExpiredEvents(options).then(
      (count) => options.log.debug({ count }, "deleted expired events"),
      (error: unknown) => options.log.warn({ err: error }, "expired events cannot be deleted now"),
    );
  };
  const timer = setInterval(look, options.intervalMs ?? 3_600_000);
  timer.unref();
  return () => clearInterval(timer);
}

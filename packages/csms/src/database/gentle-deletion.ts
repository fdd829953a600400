import { setTimeout as delay } from "node:timers/promises";
import { type ElapsedMs, systemElapsedMs } from "../clock.ts";

/** How rows are deleted in batches. */
export interface GentleDeletionOptions {
  /** Most rows of one statement: few enough to hold no lock for long. */
  readonly batch: number;
  /** Ends it after the batch that is under way. */
  readonly signal?: AbortSignal | undefined;
  /** Default: a timer. */
  readonly pause?: (timeMs: number) => Promise<unknown>;
  /** Default: the machine's. */
  readonly elapsedMs?: ElapsedMs;
}

/**
 * Deletes batch after batch until one is not full, and rests after each for as long as it took, so that whoever stores
 * meanwhile has half of the database at least. Returns how many rows were deleted.
 *
 * @throws the signal's reason when that is aborted before all are deleted
 */
export async function deleteGently(
  deleteBatch: (limit: number) => Promise<number>,
  { batch, signal, pause, elapsedMs = systemElapsedMs }: GentleDeletionOptions,
): Promise<number> {
  const rest = pause ?? ((timeMs: number) => delay(timeMs, undefined, { signal }));
  for (let total = 0; ; ) {
    signal?.throwIfAborted();
    const beganMs = elapsedMs();
    const count = await deleteBatch(batch);
    total += count;
    if (count < batch) return total;
    await rest(elapsedMs() - beganMs);
  }
}

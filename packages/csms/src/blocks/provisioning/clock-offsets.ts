import { type ElapsedMs, systemElapsedMs } from "../../clock.ts";

/** Offsets that a station's clock may show; more is nonsense and not worth remembering. In milliseconds, 100 years. */
const MAX_OFFSET_MS = 100 * 365 * 86_400_000;

/** What was seen is forgotten after one to two of these: a clock may have been set since, the station's or ours. */
const PERIOD_MS = 12 * 3_600_000;

/** The best bounds of this period and the one before, in milliseconds. */
interface Bounds {
  period: number;
  bestMs: number;
  previousMs: number | undefined;
}

/**
 * How far the clocks of stations are ahead of ours. A message tells when it was made, at the latest now, so that
 * every one bounds the offset from below, and the best bound is the highest. A boot sets the clock (B01.FR.06),
 * which makes what was known before worthless.
 */
export class ClockOffsets {
  readonly #elapsedMs: ElapsedMs;
  readonly #bounds = new Map<string, Bounds>();

  constructor(elapsedMs: ElapsedMs = systemElapsedMs) {
    this.#elapsedMs = elapsedMs;
  }

  /** A station said that it was `stationTime` when it made a message that was received at `receivedAt`. */
  note(stationId: string, stationTime: Date, receivedAt: Date): void {
    const offsetMs = stationTime.getTime() - receivedAt.getTime();
    if (!(Math.abs(offsetMs) <= MAX_OFFSET_MS)) return;
    const period = Math.floor(this.#elapsedMs() / PERIOD_MS);
    const known = this.#bounds.get(stationId);
    if (known?.period === period) known.bestMs = Math.max(known.bestMs, offsetMs);
    else {
      const previousMs = known?.period === period - 1 ? known.bestMs : undefined;
      this.#bounds.set(stationId, { period, bestMs: offsetMs, previousMs });
    }
  }

  forget(stationId: string): void {
    this.#bounds.delete(stationId);
  }

  /** Seconds, to the tenth; undefined when nothing is known. */
  offsetS(stationId: string): number | undefined {
    const bounds = this.#bounds.get(stationId);
    if (bounds === undefined) return undefined;
    const offsetMs = Math.max(bounds.bestMs, bounds.previousMs ?? bounds.bestMs);
    return Math.round(offsetMs / 100) / 10;
  }
}

/** Offsets that a station's clock may show; more is nonsense and not worth remembering. In milliseconds, 100 years. */
const MAX_OFFSET_MS = 100 * 365 * 86_400_000;

/**
 * How far the clocks of stations are ahead of ours. A message tells when it was made, at the latest now, so that
 * every one bounds the offset from below, and the best bound is the highest. A boot sets the clock (B01.FR.06),
 * which makes what was known before worthless.
 */
export class ClockOffsets {
  readonly #offsetsMs = new Map<string, number>();

  /** A station said that it was `stationTime` when it made a message that was received at `receivedAt`. */
  note(stationId: string, stationTime: Date, receivedAt: Date): void {
    const offsetMs = stationTime.getTime() - receivedAt.getTime();
    if (!(Math.abs(offsetMs) <= MAX_OFFSET_MS)) return;
    const known = this.#offsetsMs.get(stationId);
    if (known === undefined || offsetMs > known) this.#offsetsMs.set(stationId, offsetMs);
  }

  forget(stationId: string): void {
    this.#offsetsMs.delete(stationId);
  }

  /** Seconds, to the tenth; undefined when nothing is known. */
  offsetS(stationId: string): number | undefined {
    const offsetMs = this.#offsetsMs.get(stationId);
    return offsetMs === undefined ? undefined : Math.round(offsetMs / 100) / 10;
  }
}

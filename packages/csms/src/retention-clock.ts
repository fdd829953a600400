import type { Logger } from "pino";
import { type Clock, type ElapsedMs, systemElapsedMs } from "./clock.ts";

/** How far the clock may gain on passing time before that counts as a jump: leap seconds and slewing stay below it. */
const TOLERANCE_MS = 10 * 60_000;
/** A jump that lasts this long was the correction of a wrong clock. */
const BELIEVED_AFTER_MS = 24 * 3_600_000;
/** A system that was at rest for longer than this may have woken up with a wrong clock. */
const BELIEVED_REST_MS = 7 * 24 * 3_600_000;

/**
 * The time by which the age of what may be deleted is judged: the machine's, except that a jump ahead is believed
 * only when it has lasted for a day; so is a long time since anything was stored, when the process starts. A wrong clock can be set right; what was deleted by it is gone. After a jump back
 * the machine's time holds at once, which deletes less.
 */
export class RetentionClock implements Clock {
  readonly #clock: Clock;
  readonly #elapsedMs: ElapsedMs;
  readonly #log: Logger;
  /** Machine's time less passing time, as far as it is believed. */
  #offsetMs: number;
  /** A jump ahead that is not believed yet. */
  #doubted: { readonly offsetMs: number; readonly sinceMs: number } | undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly log: Logger;
    /** When the last was stored before the start, where anything was. */
    readonly lastStoredAt?: Date | undefined;
    /** Passing time. Default: the machine's. */
    readonly elapsedMs?: ElapsedMs | undefined;
  }) {
    const { clock, log, lastStoredAt, elapsedMs = systemElapsedMs } = options;
    this.#clock = clock;
    this.#log = log;
    this.#elapsedMs = elapsedMs;
    const nowMs = clock.now().getTime();
    const isRested = lastStoredAt !== undefined && nowMs - lastStoredAt.getTime() > BELIEVED_REST_MS;
    this.#offsetMs = (isRested ? lastStoredAt.getTime() : nowMs) - elapsedMs();
  }

  now(): Date {
    const elapsedMs = this.#elapsedMs();
    const offsetMs = this.#clock.now().getTime() - elapsedMs;
    const gainMs = offsetMs - this.#offsetMs;
    const isKnown = this.#doubted !== undefined && Math.abs(offsetMs - this.#doubted.offsetMs) <= TOLERANCE_MS;
    const lasted = isKnown && elapsedMs - (this.#doubted?.sinceMs ?? elapsedMs) >= BELIEVED_AFTER_MS;
    if (gainMs <= TOLERANCE_MS || lasted) {
      this.#offsetMs = offsetMs;
      this.#doubted = undefined;
    } else if (!isKnown) {
      this.#doubted = { offsetMs, sinceMs: elapsedMs };
      this.#log.error(
        { gainS: Math.round(gainMs / 1_000) },
        "the clock jumped ahead: nothing more is deleted for its age until the time has held for a day",
      );
    }
    return new Date(this.#offsetMs + elapsedMs);
  }
}

/** Limits of {@link BootAdmission}. */
export interface BootAdmissionLimits {
  /** Boots in progress at once. */
  readonly concurrent: number;
  /** Shortest wait in seconds of a station that is put off. */
  readonly retryS: number;
  /** How many boots that were put off are expected back in one second. */
  readonly returningPerS: number;
}

/** The answer to a station that asks to boot: a turn that must be ended, or the seconds after which it may ask again. */
export type BootTurn = { readonly end: () => void } | { readonly retryS: number };

/**
 * Keeps a storm of boots within bounds: so many at a time, and the others spread over a time that grows with their
 * number, so that they do not all return at once (B02, objective 3).
 */
export class BootAdmission {
  readonly #limits: BootAdmissionLimits;
  readonly #random: () => number;
  readonly #now: () => number;
  #running = 0;
  /** Time in milliseconds up to which returns are planned already. */
  #plannedUntil = 0;

  /**
   * @param random uniform in [0, 1)
   * @param now milliseconds since any epoch
   */
  constructor(limits: BootAdmissionLimits, random: () => number, now: () => number) {
    this.#limits = limits;
    this.#random = random;
    this.#now = now;
  }

  /** Boots in progress. */
  get running(): number {
    return this.#running;
  }

  enter(): BootTurn {
    if (this.#running >= this.#limits.concurrent) return { retryS: this.retryS() };
    this.#running += 1;
    let ended = false;
    return {
      end: () => {
        if (ended) return;
        ended = true;
        this.#running -= 1;
      },
    };
  }

  /** Seconds after which one more station that is put off may ask again. */
  retryS(): number {
    const now = this.#now();
    this.#plannedUntil = Math.max(this.#plannedUntil, now) + 1000 / this.#limits.returningPerS;
    const spreadMs = this.#plannedUntil - now;
    return this.#limits.retryS + Math.ceil((spreadMs * (0.5 + this.#random())) / 1000);
  }
}

/** `seconds` and up to a fifth more, so that stations that were answered together do not return together. */
export function withJitter(seconds: number, random: () => number): number {
  return Math.round(seconds * (1 + random() / 5));
}

/** Limits of {@link BootAdmission}. */
export interface BootAdmissionLimits {
  /** Boots in progress at once. */
  readonly concurrent: number;
  /** Boots that may wait for a place. */
  readonly waiting: number;
  /** Milliseconds that a boot waits for a place at most: well within what stations wait for an answer. */
  readonly patienceMs: number;
  /** Shortest wait in seconds of a station that is put off. */
  readonly retryS: number;
  /** How many boots that were put off are expected back in one second. */
  readonly returningPerS: number;
}

/** The answer to a station that asks to boot: a turn that must be ended, or the seconds after which it may ask again. */
export type BootTurn = { readonly end: () => void } | { readonly retryS: number };

interface Waiting {
  readonly untilMs: number;
  readonly resolve: (turn: BootTurn) => void;
}

/**
 * Keeps a storm of boots within bounds: so few at a time that what other stations send is stored in between, the next
 * ones in line for a moment, and the others spread over a time that grows with their number, so that they do not all
 * return at once (B02, objective 3).
 */
export class BootAdmission {
  readonly #limits: BootAdmissionLimits;
  readonly #random: () => number;
  readonly #now: () => number;
  /** In the order of their arrival, from `#next` on. */
  #line: Waiting[] = [];
  #next = 0;
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

  /** Boots that wait for a place. */
  get waiting(): number {
    return this.#line.length - this.#next;
  }

  /** Gives a turn at once, later, or not: a promise where the station waits for a place. */
  enter(): BootTurn | Promise<BootTurn> {
    if (this.#running < this.#limits.concurrent) {
      this.#running += 1;
      return this.#turn();
    }
    if (this.waiting >= this.#limits.waiting) return { retryS: this.retryS() };
    return new Promise((resolve) => {
      this.#line.push({ untilMs: this.#now() + this.#limits.patienceMs, resolve });
    });
  }

  /** Seconds after which one more station that is put off may ask again. */
  retryS(): number {
    const now = this.#now();
    this.#plannedUntil = Math.max(this.#plannedUntil, now) + 1000 / this.#limits.returningPerS;
    const spreadMs = this.#plannedUntil - now;
    return this.#limits.retryS + Math.ceil((spreadMs * (0.5 + this.#random())) / 1000);
  }

  #turn(): BootTurn {
    let ended = false;
    return {
      end: () => {
        if (ended) return;
        ended = true;
        this.#ended();
      },
    };
  }

  /** Hands the place to the next in line; those that have waited too long, while nothing went on, are put off. */
  #ended(): void {
    const now = this.#now();
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      if (next.untilMs >= now) {
        next.resolve(this.#turn());
        return;
      }
      next.resolve({ retryS: this.retryS() });
    }
    this.#running -= 1;
  }

  #take(): Waiting | undefined {
    const next = this.#line[this.#next];
    if (next === undefined) return undefined;
    this.#next += 1;
    if (this.#next === this.#line.length) {
      this.#line = [];
      this.#next = 0;
    }
    return next;
  }
}

/** `seconds` and up to a fifth more, so that stations that were answered together do not return together. */
export function withJitter(seconds: number, random: () => number): number {
  return Math.round(seconds * (1 + random() / 5));
}

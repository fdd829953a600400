/** The waits between attempts to connect (2.x Part 4 §5.4, variables of OCPPCommCtrlr). */
export interface BackOffOptions {
  /** RetryBackOffWaitMinimum, in milliseconds. */
  readonly waitMinimumMs: number;
  /** RetryBackOffRandomRange, in milliseconds. */
  readonly randomRangeMs: number;
  /** RetryBackOffRepeatTimes: how often the wait is doubled. */
  readonly repeatTimes: number;
}

/**
 * The first wait is the minimum plus a random part; each further one doubles the one before and adds a new random part,
 * `repeatTimes` times; from then on the wait stays as it is. {@link reset} starts over, after a successful connection.
 */
export class BackOff {
  readonly #random: () => number;
  #options: BackOffOptions;
  #waitMs = 0;
  #waits = 0;

  /** `random` returns numbers from 0 to 1. @throws RangeError for a negative option */
  constructor(options: BackOffOptions, random: () => number = Math.random) {
    this.#random = random;
    this.#options = checked(options);
  }

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    const { waitMinimumMs, randomRangeMs, repeatTimes } = this.#options;
    if (this.#waits === 0) this.#waitMs = waitMinimumMs + this.#random() * randomRangeMs;
    else if (this.#waits <= repeatTimes) this.#waitMs = 2 * this.#waitMs + this.#random() * randomRangeMs;
    this.#waits++;
    return this.#waitMs;
  }

  reset(): void {
    this.#waits = 0;
  }

  /** Takes new values of the variables for all waits that follow; those not named stay. @throws RangeError for a negative option */
  update(options: Partial<BackOffOptions>): void {
    this.#options = checked({ ...this.#options, ...options });
  }
}

function checked(options: BackOffOptions): BackOffOptions {
  for (const [name, value] of Object.entries(options)) {
    if (!(value >= 0)) throw new RangeError(`${name} must not be negative`);
  }
  return options;
}

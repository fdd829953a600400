/** A source of random numbers that always gives the same sequence for the same seed. */
export interface Random {
  /** A number from 0 up to, but without, 1. */
  next(): number;
  /** A number from `low` up to `high`. */
  between(low: number, high: number): number;
  /** A whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number;
  /** A normally distributed number. */
  normal(mean: number, deviation: number): number;
  /** One of the choices, all equally likely. @throws RangeError when there are none */
  pick<T>(choices: readonly T[]): T;
  /** An independent source for a part, named so that adding parts does not disturb the others. */
  fork(name: string): Random;
}

/** 32-bit FNV-1a, spread over the word: a seed from text. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  return (value ^ (value >>> 13)) >>> 0;
}

class SeededRandom implements Random {
  readonly #seed: string;
  #state: number;

  constructor(seed: string) {
    this.#seed = seed;
    this.#state = hash(seed);
  }

  // mulberry32: 32 bits of state are plenty for a simulation and cost one word per station.
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  normal(mean: number, deviation: number): number {
    // Box-Muller; 1 - next() keeps the logarithm away from 0.
    return mean + deviation * Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[Math.floor(this.next() * choices.length)];
    if (choice === undefined) throw new RangeError("there is nothing to pick from");
    return choice;
  }

  fork(name: string): Random {
    return new SeededRandom(`${this.#seed}/${name}`);
  }
}

/** A repeatable source of random numbers: the same seed gives the same sequence on every machine. */
export function seededRandom(seed: string | number): Random {
  return new SeededRandom(String(seed));
}

/** Ids per block: what a crash wastes, and the reciprocal of how often the database is asked. */
export const BLOCK_SIZE = 500;

/** Reserves a block of ids that nobody else gets and returns its first; the block has {@link BLOCK_SIZE} ids. */
export type ReserveBlock = () => Promise<number>;

/**
 * Transaction ids for family 1: int32, positive, never given twice, also not after a restart or by another node.
 * Blocks are reserved in the database ahead of need, so that a start waits for none.
 */
export class TransactionNumbers {
  readonly #reserve: ReserveBlock;
  #next = 0;
  #left = 0;
  #reserved: number[] = [];
  #reserving: Promise<void> | undefined;

  constructor(reserve: ReserveBlock) {
    this.#reserve = reserve;
  }

  /**
   * The next id.
   *
   * @throws what the database throws when no id is left and no block can be reserved
   */
  async next(): Promise<number> {
    while (this.#left === 0 && !this.#openBlock()) await this.#refill();
    if (this.#left < BLOCK_SIZE / 2 && this.#reserved.length === 0) {
      // Failing here harms nobody yet: the next id asks again.
      this.#refill().catch(() => undefined);
    }
    this.#left -= 1;
    return this.#next++;
  }

  #openBlock(): boolean {
    const first = this.#reserved.shift();
    if (first === undefined) return false;
    this.#next = first;
    this.#left = BLOCK_SIZE;
    return true;
  }

  #refill(): Promise<void> {
    this.#reserving ??= this.#reserve()
      .then((first) => {
        this.#reserved.push(first);
      })
      .finally(() => {
        this.#reserving = undefined;
      });
    return this.#reserving;
  }
}

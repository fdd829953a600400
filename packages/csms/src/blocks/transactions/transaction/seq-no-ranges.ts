/** A run of sequence numbers, both ends included. */
export type SeqNoRange = readonly [from: number, to: number];

/** A set of sequence numbers, small as long as they follow one another. */
export class SeqNoRanges {
  readonly #ranges: [from: number, to: number][] = [];

  constructor(seqNos: Iterable<number> = []) {
    for (const seqNo of seqNos) this.add(seqNo);
  }

  has(seqNo: number): boolean {
    const range = this.#ranges[this.#indexUpTo(seqNo)];
    return range !== undefined && seqNo <= range[1];
  }

  add(seqNo: number): void {
    const index = this.#indexUpTo(seqNo);
    const before = this.#ranges[index];
    if (before !== undefined && seqNo <= before[1]) return;
    const after = this.#ranges[index + 1];
    const joinsBefore = before !== undefined && before[1] === seqNo - 1;
    const joinsAfter = after !== undefined && after[0] === seqNo + 1;
    if (joinsBefore && joinsAfter) {
      before[1] = after[1];
      this.#ranges.splice(index + 1, 1);
    } else if (joinsBefore) before[1] = seqNo;
    else if (joinsAfter) after[0] = seqNo;
    else this.#ranges.splice(index + 1, 0, [seqNo, seqNo]);
  }

  /** Numbers that are missing between `from` and the highest one; `from` itself may be missing. */
  gaps(from: number): SeqNoRange[] {
    const gaps: SeqNoRange[] = [];
    let expected = from;
    for (const [first, last] of this.#ranges) {
      if (first > expected) gaps.push([expected, first - 1]);
      expected = Math.max(expected, last + 1);
    }
    return gaps;
  }

  /** Index of the last range that begins at or before a number; -1 when none does. */
  #indexUpTo(seqNo: number): number {
    let low = 0;
    let high = this.#ranges.length;
    const last = this.#ranges[high - 1];
    // Nearly always the next number of the last range.
    if (last !== undefined && last[0] <= seqNo) return high - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle]?.[0] ?? 0) <= seqNo) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

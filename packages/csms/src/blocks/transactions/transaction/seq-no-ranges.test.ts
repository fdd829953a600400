import fc from "fast-check";
import { expect, it } from "vitest";
import { SeqNoRanges } from "./seq-no-ranges.ts";

it("is the set of the numbers that were added, in any order, and knows what is missing", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 40 }), { maxLength: 60 }), fc.nat({ max: 20 }), (seqNos, from) => {
      const ranges = new SeqNoRanges(seqNos);
      const set = new Set(seqNos);
      for (let seqNo = 0; seqNo <= 41; seqNo++) expect(ranges.has(seqNo)).toBe(set.has(seqNo));
      const highest = Math.max(...seqNos, -1);
      const missing = Array.from({ length: 41 }, (_, seqNo) => seqNo).filter(
        (seqNo) => seqNo >= from && seqNo < highest && !set.has(seqNo),
      );
      const gaps = ranges
        .gaps(from)
        .flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, index) => first + index));
      expect(gaps).toEqual(missing);
    }),
    { numRuns: 1_000 },
  );
});

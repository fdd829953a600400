import fc from "fast-check";
import { expect, test } from "vitest";
import { deleteGently } from "./gentle-deletion.ts";

test("all rows go, a batch at a time, with a rest after each full one that is as long as it took", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(50), fc.integer({ min: 1, max: 20 }), async (rows, batch) => {
      let left = rows;
      let nowMs = 0;
      const tookMs: number[] = [];
      const rests: number[] = [];
      const deleteBatch = async (limit: number) => {
        const count = Math.min(limit, left);
        left -= count;
        tookMs.push(count + 1);
        nowMs += count + 1;
        return count;
      };
      const pause = async (timeMs: number) => void rests.push(timeMs);
      expect(await deleteGently(deleteBatch, { batch, pause, elapsedMs: () => nowMs })).toBe(rows);
      expect(left).toBe(0);
      expect(rests).toEqual(tookMs.slice(0, -1));
    }),
  );
});

test("it ends after the batch that is under way", async () => {
  const halt = new AbortController();
  let batches = 0;
  const deleteBatch = async (limit: number) => {
    batches += 1;
    halt.abort(new Error("enough"));
    return limit;
  };
  await expect(deleteGently(deleteBatch, { batch: 5, signal: halt.signal })).rejects.toThrow();
  expect(batches).toBe(1);
});

import { expect, it } from "vitest";
import { BLOCK_SIZE, TransactionNumbers } from "./transaction-numbers.ts";

function counter() {
  let blocks = 0;
  return { reserve: async () => blocks++ * BLOCK_SIZE + 1, blocks: () => blocks };
}

it("gives each number once, also to many who ask at once", async () => {
  const { reserve, blocks } = counter();
  const numbers = new TransactionNumbers(reserve);
  const given = await Promise.all(Array.from({ length: 3 * BLOCK_SIZE }, () => numbers.next()));
  expect(new Set(given).size).toBe(given.length);
  expect(Math.min(...given)).toBe(1);
  expect(blocks()).toBeLessThanOrEqual(4);
});

it("does not wait for the database while a block is left", async () => {
  const { reserve } = counter();
  let isAway = false;
  const numbers = new TransactionNumbers(() => (isAway ? Promise.reject(new Error("away")) : reserve()));
  const first = await numbers.next();
  isAway = true;
  for (let more = 1; more < BLOCK_SIZE; more++) expect(await numbers.next()).toBe(first + more);
  await expect(numbers.next()).rejects.toThrow("away");
  isAway = false;
  expect(await numbers.next()).toBe(first + BLOCK_SIZE);
});

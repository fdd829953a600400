import { expect, it } from "vitest";
import { GROWTH_BOUND_BYTES, growthFinding, liveHeapBytes } from "./live-heap.ts";

const MEBIBYTE = 2 ** 20;

it("what is still held counts as growth, and what was let go does not", () => {
  const before = liveHeapBytes();
  let held: string[] | undefined = Array.from({ length: 48 }, (_, index) => String(index % 10).repeat(MEBIBYTE - 64));
  // Repeated texts are ropes until somebody reads them.
  for (const text of held) expect(text.lastIndexOf("x")).toBe(-1);
  expect(growthFinding(before, liveHeapBytes())).toMatch(/^the live heap grew by \d+\.\d MiB, bounded are 32\.0 MiB$/);
  expect(held).toHaveLength(48);
  held = undefined;
  expect(growthFinding(before, liveHeapBytes())).toBeUndefined();
});

it("growth up to the bound is none", () => {
  expect(growthFinding(0, GROWTH_BOUND_BYTES)).toBeUndefined();
  expect(growthFinding(0, GROWTH_BOUND_BYTES + 1)).toBeDefined();
});

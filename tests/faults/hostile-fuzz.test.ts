import { expect, test } from "vitest";
import { fuzzGateway } from "./gateway-fuzz.ts";

/** `npm run fuzz` sends a million, of another seed each time. */
const FRAMES = 12_000;

test(`a whole CSMS answers, forgets and goes on after ${FRAMES} frames of every kind of nonsense`, {
  timeout: 300_000,
}, async () => {
  const summary = await fuzzGateway({ frames: FRAMES, seed: 20_260_314 });
  // Among what would be found: that the live heap grew.
  expect(summary.findings).toEqual([]);
  expect(summary.frames).toBeGreaterThanOrEqual(FRAMES);
  expect(summary.results).toBeGreaterThan(FRAMES / 10);
  expect(summary.errors).toBeGreaterThan(FRAMES / 10);
  expect(Object.keys(summary.closeCodes).map(Number)).toEqual(expect.arrayContaining([1002, 1006, 1007, 1009]));
  expect(summary.honestEvents).toBeGreaterThan(10);
});

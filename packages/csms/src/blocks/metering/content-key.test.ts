import fc from "fast-check";
import { expect, it } from "vitest";
import { contentKey } from "./content-key.ts";

it("is the same for the same content, and another for nearly the same", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 60 }), fc.string({ maxLength: 60 }), (a, b) => {
      expect(contentKey(a) === contentKey(b)).toBe(a === b);
    }),
  );
  const keys = new Set<string>();
  for (let value = 0; value < 100_000; value++) keys.add(contentKey(`[{"measurand":"SoC","value":${value}}]`));
  expect(keys.size).toBe(100_000);
});

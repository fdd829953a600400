import { ManualClock } from "@polyphase/testing";
import { expect, it } from "vitest";
import { uuidV7 } from "./transaction-id.ts";

it("makes UUIDs of version 7 that sort by the time they were made (RFC 9562 §5.7)", () => {
  const clock = new ManualClock("2026-03-01T12:00:00Z");
  const ones = uuidV7(clock, (size) => new Uint8Array(size).fill(0xff));
  expect(ones()).toBe("019ca945-0a00-7fff-bfff-ffffffffffff");
  const make = uuidV7(clock);
  const made = Array.from({ length: 50 }, () => {
    clock.advance(1);
    return make();
  });
  expect(made).toEqual(made.toSorted());
  expect(new Set(made).size).toBe(50);
  for (const id of made) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

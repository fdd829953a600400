import { CallQueueFullError } from "@polyphase/ocpp";
import { expect, it } from "vitest";
import { SpacedCalls } from "./spaced-calls.ts";

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

function spacedCalls() {
  const pauses: Array<() => void> = [];
  const made: string[] = [];
  const calls = new SpacedCalls({
    isNeeded: (stationId) => stationId === "SLOW",
    pass: () => new Promise((resolve) => pauses.push(resolve)),
  });
  const call = (stationId: string, name: string) =>
    calls.run(stationId, "Reset", async () => {
      made.push(name);
      if (name.startsWith("bad")) throw new Error(name);
      return name;
    });
  return { pauses, made, call };
}

it("calls a station that needs it only after a pause behind the call before, whatever became of that", async () => {
  const { pauses, made, call } = spacedCalls();
  const outcomes = Promise.allSettled([call("SLOW", "bad 1"), call("SLOW", "2"), call("SLOW", "3")]);
  await settle();
  expect(made).toEqual(["bad 1"]);
  pauses.shift()?.();
  await settle();
  expect(made).toEqual(["bad 1", "2"]);
  pauses.shift()?.();
  expect((await outcomes).map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
  expect(made).toEqual(["bad 1", "2", "3"]);
  expect(await call("FAST", "4")).toBe("4");
  pauses.shift()?.();
  await settle();
  expect(await call("SLOW", "5")).toBe("5");
});

it("lets 64 calls wait for a station at most", async () => {
  const { call } = spacedCalls();
  const waiting = Array.from({ length: 64 }, (_, index) => call("SLOW", String(index)));
  await expect(call("SLOW", "one too many")).rejects.toBeInstanceOf(CallQueueFullError);
  expect(await waiting[0]).toBe("0");
});

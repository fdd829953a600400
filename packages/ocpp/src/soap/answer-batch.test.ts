import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { AnswerBatch } from "./answer-batch.ts";

it("answers of one turn of the event loop go out at its end, in their order; those of the next at the next", async () => {
  const batch = new AnswerBatch();
  const sent: string[] = [];
  batch.add(() => {
    sent.push("first");
    batch.add(() => sent.push("answered meanwhile"));
  });
  await Promise.resolve();
  batch.add(() => sent.push("second"));
  expect(sent).toEqual([]);
  await setImmediate();
  expect(sent).toEqual(["first", "second"]);
  await setImmediate();
  expect(sent).toEqual(["first", "second", "answered meanwhile"]);
});

import { expect, it } from "vitest";
import { ConcurrencyLimit, OverloadedError } from "./concurrency-limit.ts";

/** A task that ends when it is told to, and notes its start. */
class Tasks {
  readonly started: string[] = [];
  readonly #ends: Array<() => void> = [];

  task = (name: string) => () => {
    this.started.push(name);
    return new Promise<void>((resolve) => this.#ends.push(resolve));
  };

  async endOne(): Promise<void> {
    this.#ends.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

it("lets keys take turns, so that a flood of one costs another a single turn", async () => {
  const limit = new ConcurrencyLimit({ concurrent: 1, queued: 100 });
  const tasks = new Tasks();
  for (const index of [0, 1, 2, 3, 4]) void limit.run(tasks.task(`flood ${index}`), undefined, "flood");
  void limit.run(tasks.task("honest"), undefined, "honest");
  expect(limit.waiting).toBe(5);
  for (let count = 0; count < 6; count++) await tasks.endOne();
  expect(tasks.started).toEqual(["flood 0", "flood 1", "honest", "flood 2", "flood 3", "flood 4"]);
  expect(limit.waiting).toBe(0);
});

it("refuses a key that has too many waiting, and takes those of others", async () => {
  const limit = new ConcurrencyLimit({ concurrent: 1, queued: 4, queuedPerKey: 2 });
  const tasks = new Tasks();
  for (const name of ["a", "b", "c"]) void limit.run(tasks.task(name), undefined, "flood");
  await expect(limit.run(tasks.task("d"), undefined, "flood")).rejects.toBeInstanceOf(OverloadedError);
  for (const key of ["x", "y"]) void limit.run(tasks.task(key), undefined, key);
  await expect(limit.run(tasks.task("z"), undefined, "z")).rejects.toBeInstanceOf(OverloadedError);
  for (let count = 0; count < 5; count++) await tasks.endOne();
  expect(tasks.started).toEqual(["a", "b", "x", "y", "c"]);
});

it("forgets who gave up, and begins nothing for them", async () => {
  const limit = new ConcurrencyLimit({ concurrent: 1, queued: 10 });
  const tasks = new Tasks();
  void limit.run(tasks.task("a"), undefined, "a");
  const abort = new AbortController();
  const given = limit.run(tasks.task("b"), abort.signal, "b");
  abort.abort(new Error("gone"));
  await expect(given).rejects.toThrow("gone");
  expect(limit.waiting).toBe(0);
  await expect(limit.run(tasks.task("c"), abort.signal, "c")).rejects.toThrow("gone");
  void limit.run(tasks.task("d"), undefined, "d");
  await tasks.endOne();
  expect(tasks.started).toEqual(["a", "d"]);
});

it("goes on after a task that failed", async () => {
  const limit = new ConcurrencyLimit({ concurrent: 1, queued: 10 });
  await expect(limit.run(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
  await expect(limit.run(async () => 7)).resolves.toBe(7);
});

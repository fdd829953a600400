import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Journal, type JournalChange } from "./journal.ts";
import { FileJournalStorage, MemoryJournalStorage } from "./journal-storage.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "polyphase-journal-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

describe("a journal", () => {
  it("remembers values and undelivered messages after every restart, whatever happened", () => {
    const change = fc.record(
      {
        set: fc.dictionary(fc.constantFrom("a", "b", "c"), fc.option(fc.integer(), { nil: null })),
        put: fc.record({ number: fc.integer({ min: 1, max: 30 }), message: fc.string() }),
        done: fc.integer({ min: 1, max: 30 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 900 }), (changes) => {
        const storage = new MemoryJournalStorage();
        const journal = new Journal(storage);
        for (const each of changes) journal.write(each as JournalChange);
        const reborn = new Journal(storage);
        expect(reborn.messages()).toEqual(journal.messages());
        for (const key of ["a", "b", "c"]) expect(reborn.get(key)).toEqual(journal.get(key));
      }),
      { numRuns: 60 },
    );
  });

  it("stays small although messages come and go", () => {
    const storage = new MemoryJournalStorage();
    const journal = new Journal(storage);
    for (let number = 1; number <= 5_000; number++) {
      journal.write({ put: { number, message: "x" } });
      journal.write({ done: number });
    }
    expect(storage.read().length).toBeLessThanOrEqual(401);
    expect(journal.messages()).toEqual([]);
  });

  it("skips lines that cannot be read", () => {
    const storage = new MemoryJournalStorage();
    storage.append('{"set":{"a":1}}');
    storage.append("\0\0garbage");
    storage.append('{"set":{"b":2}}');
    const journal = new Journal(storage);
    expect([journal.get("a"), journal.get("b")]).toEqual([1, 2]);
  });
});

describe("a journal file", () => {
  it("keeps lines over a restart and makes its directory", () => {
    const path = join(directory, "deep", "CS-1.jsonl");
    const journal = new Journal(new FileJournalStorage(path));
    journal.write({ set: { a: 1 } });
    journal.write({ put: { number: 1, message: { action: "StopTransaction" } } });
    const reborn = new Journal(new FileJournalStorage(path));
    expect(reborn.get("a")).toBe(1);
    expect(reborn.messages()).toEqual([{ number: 1, message: { action: "StopTransaction" } }]);
  });

  it("forgets a line that was torn by a power cut, and nothing else", () => {
    const path = join(directory, "CS-1.jsonl");
    new Journal(new FileJournalStorage(path, { flush: false })).write({ set: { a: 1 } });
    appendFileSync(path, '{"set":{"a":2');
    const journal = new Journal(new FileJournalStorage(path));
    expect(journal.get("a")).toBe(1);
    journal.write({ set: { b: 3 } });
    expect(new Journal(new FileJournalStorage(path)).get("b")).toBe(3);
    expect(readFileSync(path, "utf8")).toBe('{"set":{"a":1}}\n{"set":{"b":3}}\n');
  });

  it("does not hide that it cannot write", () => {
    const storage = new FileJournalStorage(directory);
    expect(() => storage.append("x")).toThrow();
  });
});

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, expect, test } from "vitest";
import { FreeSpace, type FreeSpaceOptions } from "./free-space.ts";

const opened: FreeSpace[] = [];

afterEach(() => {
  for (const space of opened.splice(0)) space.close();
});

function watch(options: Partial<FreeSpaceOptions>): { space: FreeSpace; lines: string[] } {
  const lines: string[] = [];
  const log = pino({ level: "info" }, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  const space = new FreeSpace({ directory: "/data", reserveBytes: 1_000, log, intervalMs: 3_600_000, ...options });
  opened.push(space);
  return { space, lines };
}

test("a disk with less than the reserve is short of space until there is a quarter more than the reserve", async () => {
  let free = 0;
  let shortages = 0;
  const { space, lines } = watch({
    read: async () => ({ bavail: free, bsize: 10 }),
    shortage: () => {
      shortages++;
    },
  });
  expect([space.shortage, space.freeBytes]).toEqual([undefined, undefined]);
  const seen: (string | undefined)[] = [];
  for (free of [200, 100, 99, 0, 100, 124, 125, 99]) {
    await space.look();
    seen.push(space.shortage);
    expect(space.freeBytes).toBe(free * 10);
  }
  const short = "the disk of the database is nearly full";
  expect(seen).toEqual([undefined, undefined, short, short, short, short, undefined, short]);
  expect(shortages).toBe(2);
  expect(lines).toEqual([
    "the disk of the database is nearly full: nothing is stored until there is room again",
    "the disk of the database has room again",
    "the disk of the database is nearly full: nothing is stored until there is room again",
  ]);
});

test("a system that does not tell its free space stops nobody", async () => {
  let isKnown = true;
  const { space } = watch({
    read: () => (isKnown ? Promise.resolve({ bavail: 1, bsize: 1 }) : Promise.reject(new Error("not supported"))),
  });
  await space.look();
  expect(space.shortage).toBeDefined();
  isKnown = false;
  await space.look();
  expect([space.shortage, space.freeBytes]).toEqual([undefined, undefined]);
});

test("the free space of this machine is read", async () => {
  const directory = await mkdtemp(join(tmpdir(), "polyphase-space-"));
  const { space } = watch({ directory });
  await space.look();
  expect(space.freeBytes).toBeGreaterThan(0);
  await rm(directory, { recursive: true });
});

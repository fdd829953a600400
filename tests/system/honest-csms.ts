import { afterAll, afterEach, beforeAll } from "vitest";
import { HonestStation } from "./raw-station.ts";
import { type RunningCsms, runCsms } from "./running-csms.ts";

/** A CSMS for the tests of a file, and a station in it that breaks no rule. */
export interface HonestCsms extends RunningCsms {
  readonly honest: HonestStation;
}

/**
 * Lets the tests of a file have a CSMS, and sees after each of them that an honest station is served as before. Usable
 * within hooks and tests. Arguments are as of {@link runCsms}.
 */
export function useHonestCsms(...started: Parameters<typeof runCsms>): HonestCsms {
  let running: RunningCsms | undefined;
  let honest: HonestStation | undefined;

  beforeAll(async () => {
    running = await runCsms(...started);
    honest = await HonestStation.connect(running);
  });

  afterEach(() => honest?.expectServed());
  afterAll(() => running?.close());

  const now = (): RunningCsms => {
    if (running === undefined) throw new Error("the CSMS starts before the first test");
    return running;
  };
  return {
    get csms() {
      return now().csms;
    },
    get databaseUrl() {
      return now().databaseUrl;
    },
    get honest() {
      if (honest === undefined) throw new Error("the honest station connects before the first test");
      return honest;
    },
    urlFor: (version) => now().urlFor(version),
    api: (method, path, body) => now().api(method, path, body),
    close: () => now().close(),
  };
}

/** Makes names of stations that no other test of the file has. */
export function newIds(): (name: string) => string {
  let count = 0;
  return (name) => `${name}-${++count}`;
}

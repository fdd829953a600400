import { setTimeout as delay } from "node:timers/promises";
import type { Kysely } from "kysely";
import type { Logger } from "pino";
import { type Clock, type ElapsedMs, systemElapsedMs } from "../../clock.ts";
import { HOUR_MS, storeHourSums } from "./hour-sums.ts";

/** After the end of an hour most of its values have come. */
const SETTLED_AFTER_MS = 300_000;
/** Older values are summed up when they are asked for. Less than the shortest retention. */
const LONGEST_WAIT_MS = 20 * HOUR_MS;
/** Stations of one statement, which takes some ten milliseconds. */
const BATCH = 20;

/** Settings of an {@link HourKeeper}. */
export interface HourKeeperOptions {
  readonly database: Kysely<unknown>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Waits after a statement for as long as that took. Default: a timer. */
  readonly pause?: (timeMs: number, signal: AbortSignal) => Promise<unknown>;
  /** Default: the machine's. */
  readonly elapsedMs?: ElapsedMs;
}

/**
 * Stores the sums of hours that are over, for summaries over weeks. What it does not get to, after a crash or for values
 * that come late, is summed up when it is asked for.
 */
export class HourKeeper {
  readonly #database: Kysely<unknown>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #pause: (timeMs: number, signal: AbortSignal) => Promise<unknown>;
  readonly #elapsedMs: ElapsedMs;
  readonly #halt = new AbortController();
  /** Stations that stored values of an hour, by its begin. */
  readonly #waiting = new Map<number, Set<string>>();
  #running: Promise<void> | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor({ database, clock, log, pause, elapsedMs = systemElapsedMs }: HourKeeperOptions) {
    this.#database = database;
    this.#clock = clock;
    this.#log = log;
    this.#elapsedMs = elapsedMs;
    this.#pause = pause ?? ((timeMs, signal) => delay(timeMs, undefined, { signal }));
  }

  /** Tells of a value that is about to be stored. */
  stored(stationId: string, atMs: number, receivedAtMs: number): void {
    if (atMs > receivedAtMs + HOUR_MS || atMs < receivedAtMs - LONGEST_WAIT_MS) return;
    this.#await(Math.floor(atMs / HOUR_MS) * HOUR_MS, stationId);
  }

  /** Stores the sums of what is over. */
  settle(): Promise<void> {
    this.#running ??= this.#settle().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Settles now and then. */
  start(): void {
    this.#timer = setInterval(() => void this.settle(), SETTLED_AFTER_MS);
    this.#timer.unref();
  }

  /** Ends it after the statement that is under way. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#halt.abort();
    await this.#running;
  }

  async #settle(): Promise<void> {
    const nowMs = this.#clock.now().getTime();
    try {
      // What comes meanwhile is for the next time.
      for (const [hourMs, stations] of [...this.#waiting]) {
        if (hourMs < nowMs - LONGEST_WAIT_MS) this.#waiting.delete(hourMs);
        else if (hourMs + HOUR_MS + SETTLED_AFTER_MS <= nowMs) await this.#settleHour(hourMs, [...stations]);
      }
    } catch (error) {
      if (!this.#halt.signal.aborted) this.#log.warn({ err: error }, "hours of meter values cannot be summed up now");
    }
  }

  async #settleHour(hourMs: number, stations: readonly string[]): Promise<void> {
    this.#waiting.delete(hourMs);
    let done = 0;
    try {
      for (; done < stations.length; done += BATCH) {
        this.#halt.signal.throwIfAborted();
        const beganMs = this.#elapsedMs();
        const batch = stations.slice(done, done + BATCH);
        await storeHourSums(this.#database, batch, new Date(hourMs), new Date(hourMs + HOUR_MS));
        await this.#pause(this.#elapsedMs() - beganMs, this.#halt.signal);
      }
    } finally {
      for (const stationId of stations.slice(done)) this.#await(hourMs, stationId);
    }
  }

  #await(hourMs: number, stationId: string): void {
    let stations = this.#waiting.get(hourMs);
    if (stations === undefined) {
      stations = new Set();
      this.#waiting.set(hourMs, stations);
    }
    stations.add(stationId);
  }
}

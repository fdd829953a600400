import { expect, test } from "vitest";
import { ManualTimers } from "../endpoint/manual-timers.ts";
import type { Timers } from "../endpoint/timers.ts";
import { Liveness } from "./liveness.ts";
import type { OcppSocket } from "./ocpp-socket.ts";

/** Timers of a process that can stand still: its timers run late, then, and all at once. */
class LateTimers implements Timers {
  readonly #timers = new ManualTimers();
  #stoodStillMs = 0;

  elapsedMs(): number {
    return this.#timers.elapsedMs() + this.#stoodStillMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    return this.#timers.after(delayMs, callback);
  }

  advance(byMs: number): void {
    this.#timers.advance(byMs);
  }

  standStill(forMs: number): void {
    this.#stoodStillMs += forMs;
  }
}

function watched(timers: Timers) {
  const told: string[] = [];
  let isAlive = false;
  const socket = {
    pingDueMs: 0,
    pongDueMs: Number.POSITIVE_INFINITY,
    isBlocked: false,
    peer: { isPaused: false, end: ({ reason }: { readonly reason: string }) => void told.push(reason) },
    takeSignOfLife: () => {
      const sign = isAlive;
      isAlive = false;
      return sign;
    },
    releaseCompression: () => undefined,
    ping: () => void told.push("ping"),
    terminate: () => void told.push("end"),
  };
  const liveness = new Liveness(timers, 2_000);
  liveness.add(socket as unknown as OcppSocket, 10_000);
  return {
    told,
    answer: () => {
      isAlive = true;
    },
  };
}

test("a station that says nothing is pinged, and ended when no pong comes", () => {
  const timers = new ManualTimers();
  const { told } = watched(timers);
  timers.advance(11_000);
  expect(told).toEqual(["ping"]);
  timers.advance(3_000);
  expect(told).toEqual(["ping", "no pong", "end"]);
});

test("a station is not ended for the time in which the process stood still and could not hear its pong", () => {
  const timers = new LateTimers();
  const { told, answer } = watched(timers);
  timers.advance(11_000);
  timers.standStill(60_000);
  // The first that runs is the timer; what came from the network is read after it.
  timers.advance(500);
  answer();
  timers.advance(9_000);
  expect(told).toEqual(["ping"]);
});

test("a station that is gone is noticed after a standstill as well", () => {
  const timers = new LateTimers();
  const { told } = watched(timers);
  timers.advance(11_000);
  timers.standStill(60_000);
  timers.advance(3_000);
  expect(told).toEqual(["ping", "no pong", "end"]);
});

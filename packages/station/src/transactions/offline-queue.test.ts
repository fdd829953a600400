import { CallTimeoutError, NotConnectedError, PeerError } from "@polyphase/ocpp";
import { beforeEach, describe, expect, it } from "vitest";
import { ManualClock } from "../clock.ts";
import { defaultSettings } from "../configuration/settings.ts";
import { Journal } from "../storage/journal.ts";
import { MemoryJournalStorage } from "../storage/journal-storage.ts";
import { OfflineQueue, type QueueHost, type TransactionMessage } from "./offline-queue.ts";

let clock: ManualClock;
let storage: MemoryJournalStorage;
let delivered: { number: unknown; at: number; offline: boolean }[];
let failure: ((number: number) => Error | undefined) | undefined;
let discarded: unknown[];
let connected: boolean;

function host(): QueueHost {
  return {
    clock,
    settings: { ...defaultSettings(), messageAttempts: 3, messageAttemptIntervalS: 10 },
    mayDeliver: () => connected,
    async deliver(message, sent) {
      const { number } = message.payload as { number: number };
      sent(message.payload);
      delivered.push({ number, at: clock.now(), offline: message.offline });
      const error = failure?.(number);
      if (error instanceof NotConnectedError) connected = false;
      if (error !== undefined) throw error;
      return { number };
    },
    acknowledged: () => {},
    discarded: (message) => discarded.push(message.payload),
  };
}

function message(number: number): TransactionMessage {
  return { action: "TransactionEvent", payload: { number }, transactionId: "t", eventType: "Updated", offline: false };
}

function makeQueue(): OfflineQueue {
  return new OfflineQueue(new Journal(storage), host(), 100);
}

beforeEach(() => {
  clock = new ManualClock(0);
  storage = new MemoryJournalStorage();
  delivered = [];
  discarded = [];
  failure = undefined;
  connected = true;
});

describe("an offline queue", () => {
  it("delivers in order, each message once", async () => {
    const queue = makeQueue();
    queue.put([message(1)], {});
    queue.put([message(2), message(3)], {});
    await queue.drained();
    expect(delivered.map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(queue.ledger.map(({ outcome }) => outcome)).toEqual(["acknowledged", "acknowledged", "acknowledged"]);
    expect(new Journal(storage).messages()).toEqual([]);
  });

  it("waits for the connection and marks what waited as offline (E11.FR.07)", async () => {
    connected = false;
    const queue = makeQueue();
    queue.put([message(1)], {});
    queue.suspend();
    await clock.advance(3_600_000);
    expect(delivered).toEqual([]);
    connected = true;
    queue.wake();
    await queue.drained();
    expect(delivered).toMatchObject([{ number: 1, offline: true }]);
  });

  it("does not count a lost connection as an attempt", async () => {
    const queue = makeQueue();
    failure = () => new NotConnectedError("TransactionEvent", true);
    for (let loss = 0; loss < 5; loss++) {
      if (loss === 0) queue.put([message(1)], {});
      else queue.wake();
      await clock.advance(1);
      expect(connected).toBe(false);
      connected = true;
    }
    failure = undefined;
    queue.wake();
    await queue.drained();
    expect(delivered).toHaveLength(6);
    expect(queue.ledger).toMatchObject([{ attempts: 1, outcome: "acknowledged" }]);
  });

  it("waits the interval times the attempts so far, gives up after the last and goes on (E13.FR.02-04)", async () => {
    const queue = makeQueue();
    failure = (number) => (number === 1 ? new PeerError("InternalError", "no") : undefined);
    queue.put([message(1), message(2)], {});
    await clock.advance(60_000);
    expect(delivered.map(({ number, at }) => [number, at])).toEqual([
      [1, 0],
      [1, 10_000],
      [1, 30_000],
      [2, 30_000],
    ]);
    expect(discarded).toEqual([{ number: 1 }]);
    expect(queue.ledger.map(({ outcome }) => outcome)).toEqual(["discarded", "acknowledged"]);
  });

  it("tries again when no response came, which may repeat a message but never loses it", async () => {
    const queue = makeQueue();
    let tries = 0;
    failure = () => (tries++ === 0 ? new CallTimeoutError("TransactionEvent", 1) : undefined);
    queue.put([message(1)], {});
    await clock.advance(10_000);
    expect(delivered).toHaveLength(2);
    expect(queue.ledger).toMatchObject([{ attempts: 2, outcome: "acknowledged" }]);
  });

  it("takes up after a restart what the journal holds, in order, and numbers on", async () => {
    connected = false;
    const before = makeQueue();
    before.put([message(1)], { a: 1 });
    before.put([message(2)], {});
    before.stop();
    connected = true;
    const after = makeQueue();
    expect(after.size).toBe(2);
    after.put([message(3)], {});
    await after.drained();
    expect(delivered.map(({ number, offline }) => [number, offline])).toEqual([
      [1, true],
      [2, true],
      [3, false],
    ]);
    expect(after.ledger.map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(new Journal(storage).get("a")).toBe(1);
  });

  it("forgets the oldest entries of the ledger first", async () => {
    const queue = new OfflineQueue(new Journal(storage), host(), 2);
    queue.put([message(1), message(2), message(3)], {});
    await queue.drained();
    expect(queue.ledger.map(({ number }) => number)).toEqual([2, 3]);
  });
});

import { beforeEach, describe, expect, test } from "vitest";
import { currentTime, deferred, frame, idOf, peerBench, settle } from "./peer-fixture.ts";

let { timers, wire, events, peerOf } = peerBench();

beforeEach(() => {
  ({ timers, wire, events, peerOf } = peerBench());
});

describe("a connection that is replaced", () => {
  test("still takes the answer that was on its way, and nothing else", async () => {
    const { peer, handlers } = peerOf();
    let heartbeats = 0;
    handlers.set("1.6", "Heartbeat", () => {
      heartbeats += 1;
      return { currentTime };
    });
    const answered = peer.call("Reset", { type: "Soft" });
    const waiting = peer.call("Reset", { type: "Hard" });
    peer.replace();
    await expect(waiting).rejects.toMatchObject({ name: "NotConnectedError", sent: false });
    peer.receive(frame(2, "1", "Heartbeat", {}));
    peer.receive(frame(3, idOf(wire.last), { status: "Accepted" }));
    expect(await answered).toEqual({ status: "Accepted" });
    expect(heartbeats).toBe(0);
    expect(wire.frames).toHaveLength(1);
  });

  test("gives its call up when the socket closes without an answer", async () => {
    const { peer } = peerOf();
    const call = peer.call("Reset", { type: "Soft" });
    peer.replace();
    peer.end({ code: 1006, reason: "" });
    await expect(call).rejects.toMatchObject({ name: "NotConnectedError", sent: true });
    peer.receive(frame(3, idOf(wire.last), { status: "Accepted" }));
    expect(events).toEqual([]);
  });

  test("waits a second at most for the answer of a socket that nobody closes", async () => {
    const { peer } = peerOf();
    const call = peer.call("Reset", { type: "Soft" });
    const outcome = expect(call).rejects.toMatchObject({ name: "NotConnectedError", sent: true });
    peer.replace();
    timers.advance(1_000);
    await outcome;
  });
});

describe("close", () => {
  test("lets running answers out, drops new requests, then closes", async () => {
    const { peer, handlers } = peerOf();
    const slow = deferred<unknown>();
    handlers.set("1.6", "Heartbeat", () => slow.promise);
    peer.receive(frame(2, "1", "Heartbeat", {}));
    const outstanding = peer.call("Reset", { type: "Soft" });
    const closing = peer.close({ code: 1001, reason: "bye" });
    peer.receive(frame(2, "2", "Heartbeat", {}));
    expect(peer.isOpen).toBe(false);
    expect(wire.closes).toEqual([]);
    slow.resolve({ currentTime });
    await closing;
    expect(wire.frames.filter(([type]) => type === 3)).toEqual([[3, "1", { currentTime }]]);
    expect(wire.closes).toEqual([[1001, "bye"]]);
    expect(events).toEqual([["request while closing", "2"]]);
    await expect(outstanding).rejects.toMatchObject({ sent: true });
    await peer.close();
    expect(wire.closes).toHaveLength(1);
  });

  test("waits for answers no longer than it was allowed", async () => {
    const { peer, handlers } = peerOf();
    handlers.set("1.6", "Heartbeat", () => new Promise(() => {}));
    peer.receive(frame(2, "1", "Heartbeat", {}));
    const closing = peer.close({ graceMs: 100 });
    timers.advance(99);
    await settle();
    expect(wire.closes).toEqual([]);
    timers.advance(1);
    await closing;
    expect(wire.closes).toHaveLength(1);
  });

  test("tells the end once, with the reason, to whoever asked", async () => {
    const { peer } = peerOf();
    const ends: unknown[] = [];
    peer.onEnd((ending) => ends.push(ending));
    const { closed } = peer;
    peer.end({ code: 4000, reason: "first" });
    peer.end({ code: 4001, reason: "second" });
    expect(ends).toEqual([{ code: 4000, reason: "first" }]);
    expect(closed.reason).toMatchObject({ code: 4000, reason: "first" });
    await peer.close();
  });
});

import { beforeEach, describe, expect, test } from "vitest";
import {
  CallQueueFullError,
  CallTimeoutError,
  NotConnectedError,
  UnknownActionError,
  ValidationError,
} from "../../errors.ts";
import { OutgoingCalls } from "./outgoing-calls.ts";
import { currentTime, frame, idOf, peerBench, TestTransport } from "./peer-fixture.ts";
import { peerSettings } from "./peer-settings.ts";
import { RpcPeer } from "./rpc-peer.ts";

let { timers, wire, events, peerOf } = peerBench();

beforeEach(() => {
  ({ timers, wire, events, peerOf } = peerBench());
});

describe("outgoing calls", () => {
  test("resolve with the payload of the CALLRESULT", async () => {
    const { peer } = peerOf();
    const call = peer.call("Reset", { type: "Soft" });
    expect(wire.frames).toEqual([[2, expect.any(String), "Reset", { type: "Soft" }]]);
    peer.receive(frame(3, idOf(wire.last), { status: "Accepted" }));
    expect(await call).toEqual({ status: "Accepted" });
  });

  test("one is outstanding at a time, the others wait in their order (2.x Part 4 §4.1.1)", async () => {
    const { peer } = peerOf();
    const calls = ["Soft", "Hard", "Soft"].map((type) => peer.call("Reset", { type }));
    expect(wire.frames).toHaveLength(1);
    for (let sent = 1; sent <= 3; sent++) {
      expect(wire.frames).toHaveLength(sent);
      peer.receive(frame(3, idOf(wire.last), { status: sent === 2 ? "Rejected" : "Accepted" }));
    }
    expect(await Promise.all(calls)).toEqual([{ status: "Accepted" }, { status: "Rejected" }, { status: "Accepted" }]);
    expect(wire.frames.map((sent) => sent[3])).toEqual([{ type: "Soft" }, { type: "Hard" }, { type: "Soft" }]);
  });

  test("have ids of at most 36 characters that never repeat, over connections too", () => {
    const ids = new Set<string>();
    for (let connection = 0; connection < 20; connection++) {
      const calls = new OutgoingCalls(peerSettings("CSMS", { timers }));
      for (let call = 0; call < 500; call++) ids.add(calls.createMessageId());
    }
    expect(ids.size).toBe(10_000);
    for (const id of ids) expect(id.length).toBeLessThanOrEqual(36);
  });

  test("take the ids of the caller", async () => {
    const { peer } = peerOf("1.6", { createMessageId: () => "mine" });
    void peer.call("Reset", { type: "Soft" }).catch(() => {});
    expect(idOf(wire.last)).toBe("mine");
    await expect(peer.callUntyped("Reset", { type: "Soft" }, { messageId: "x".repeat(37) })).rejects.toThrow(
      RangeError,
    );
    const retried = peer.callUntyped("Reset", { type: "Soft" }, { messageId: "again" });
    peer.receive(frame(3, "mine", { status: "Accepted" }));
    expect(idOf(wire.last)).toBe("again");
    peer.receive(frame(3, "again", { status: "Accepted" }));
    expect(await retried).toEqual({ status: "Accepted" });
  });

  test("time out, free the slot, and ignore the late response", async () => {
    const { peer } = peerOf("1.6", { callTimeoutMs: 1_000 });
    const first = peer.call("Reset", { type: "Soft" });
    const firstId = idOf(wire.last);
    const second = peer.call("ClearCache", {}, { timeoutMs: 50 });
    timers.advance(999);
    expect(wire.frames).toHaveLength(1);
    timers.advance(1);
    await expect(first).rejects.toEqual(new CallTimeoutError("Reset", 1_000));
    expect(wire.last?.[2]).toBe("ClearCache");
    peer.receive(frame(3, firstId, { status: "Accepted" }));
    expect(events).toEqual([["late response", firstId]]);
    peer.receive(frame(3, idOf(wire.last), { status: "Accepted" }));
    expect(await second).toEqual({ status: "Accepted" });
  });

  test("count the time-out from the moment they are sent", async () => {
    const { peer } = peerOf("1.6", { callTimeoutMs: 1_000 });
    const first = peer.call("Reset", { type: "Soft" });
    const second = peer.call("Reset", { type: "Hard" });
    timers.advance(900);
    peer.receive(frame(3, idOf(wire.last), { status: "Accepted" }));
    await first;
    timers.advance(900);
    peer.receive(frame(3, idOf(wire.last), { status: "Accepted" }));
    expect(await second).toEqual({ status: "Accepted" });
  });

  test("need one timer for all connections of an endpoint", async () => {
    const settings = peerSettings("CSMS", { timers, callTimeoutMs: 100 });
    const peers = Array.from({ length: 50 }, (_, index) => {
      const peer = new RpcPeer(
        settings,
        { identity: `CS${index}`, version: "1.6", remoteAddress: "" },
        new TestTransport(),
        new OutgoingCalls(settings),
      );
      peer.start();
      return peer;
    });
    const calls = peers.map((peer) => peer.call("Reset", { type: "Soft" }).catch((error: unknown) => error));
    expect(timers.pending).toBe(1);
    timers.advance(100);
    for (const error of await Promise.all(calls)) expect(error).toBeInstanceOf(CallTimeoutError);
  });

  test("are refused when the queue is full", async () => {
    const { peer } = peerOf("1.6", { maxQueuedCalls: 2 });
    const calls = Array.from({ length: 3 }, () => peer.call("Reset", { type: "Soft" }));
    await expect(peer.callUntyped("Reset", { type: "Soft" })).rejects.toEqual(new CallQueueFullError("Reset", 2));
    peer.end({ code: 1006, reason: "" });
    expect(await Promise.allSettled(calls)).toMatchObject([
      { reason: { sent: true } },
      { reason: { sent: false } },
      { reason: { sent: false } },
    ]);
  });

  test("give up waiting for their turn in time, and wait for their answer from when they are sent", async () => {
    const { peer } = peerOf("1.6", { callTimeoutMs: 100 });
    const first = peer.call("Reset", { type: "Soft" }).catch((error: unknown) => error);
    const impatient = peer.callUntyped("ClearCache", {}, { queueTimeoutMs: 40 }).catch((error: unknown) => error);
    const patient = peer.callUntyped("ClearCache", {}, { queueTimeoutMs: 150 }).catch((error: unknown) => error);
    timers.advance(50);
    expect(await impatient).toMatchObject({ name: "CallTimeoutError", sent: false, timeoutMs: 40 });
    timers.advance(60);
    expect(await first).toMatchObject({ name: "CallTimeoutError", sent: true, timeoutMs: 100 });
    timers.advance(80);
    peer.receive(frame(3, idOf(wire.last), { status: "Accepted" }));
    expect(await patient).toEqual({ status: "Accepted" });
    await expect(peer.callUntyped("ClearCache", {}, { queueTimeoutMs: 0 })).rejects.toThrow("queueTimeoutMs");
    peer.end({ code: 1006, reason: "" });
    expect(timers.pending).toBeLessThanOrEqual(1);
  });

  test("can be given up while they wait, and are never sent then", async () => {
    const { peer } = peerOf();
    const abort = new AbortController();
    const first = peer.call("Reset", { type: "Soft" });
    const second = peer.call("ClearCache", {}, { signal: abort.signal });
    const third = peer.call("Reset", { type: "Hard" });
    abort.abort(new Error("changed my mind"));
    await expect(second).rejects.toThrow("changed my mind");
    peer.receive(frame(3, idOf(wire.last), { status: "Accepted" }));
    await first;
    expect(wire.last?.[3]).toEqual({ type: "Hard" });
    peer.receive(frame(3, idOf(wire.last), { status: "Accepted" }));
    await third;
  });

  test("can be given up while outstanding: the slot is free and the response is late", async () => {
    const { peer } = peerOf();
    const abort = new AbortController();
    const first = peer.call("Reset", { type: "Soft" }, { signal: abort.signal });
    const second = peer.call("ClearCache", {});
    const firstId = idOf(wire.last);
    abort.abort();
    await expect(first).rejects.toMatchObject({ name: "AbortError" });
    expect(wire.last?.[2]).toBe("ClearCache");
    peer.receive(frame(3, firstId, { status: "Accepted" }));
    peer.receive(frame(3, idOf(wire.last), { status: "Accepted" }));
    expect(await second).toEqual({ status: "Accepted" });
    expect(events).toEqual([["late response", firstId]]);
  });

  test("with a signal that is aborted already are not sent", async () => {
    const { peer } = peerOf();
    await expect(peer.callUntyped("Reset", { type: "Soft" }, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: "AbortError",
    });
    expect(wire.frames).toEqual([]);
  });

  test("that break their schema are not sent", async () => {
    const { peer } = peerOf();
    const error = await peer.callUntyped("Reset", { type: "Gentle" }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ValidationError);
    expect(error).toMatchObject({ direction: "request", violation: { path: "/type", rule: "enum" } });
    expect(wire.frames).toEqual([]);
  });

  test("of actions that the role does not send are refused", async () => {
    const { peer } = peerOf("2.1");
    for (const action of ["Heartbeat", "NoSuchThing", "__proto__", "NotifyPeriodicEventStream"]) {
      await expect(peer.callUntyped(action, {})).rejects.toEqual(new UnknownActionError("2.1", action));
    }
  });

  test("fail with sent: true when the connection is lost before the response", async () => {
    const { peer } = peerOf();
    const first = peer.call("Reset", { type: "Soft" });
    const second = peer.call("Reset", { type: "Soft" });
    peer.end({ code: 1006, reason: "gone" });
    await expect(first).rejects.toMatchObject({ name: "NotConnectedError", sent: true, cause: { code: 1006 } });
    await expect(second).rejects.toMatchObject({ name: "NotConnectedError", sent: false });
    await expect(peer.callUntyped("Reset", { type: "Soft" })).rejects.toEqual(new NotConnectedError("Reset", false));
    expect(peer.isOpen).toBe(false);
    expect(peer.closed.aborted).toBe(true);
  });

  test("go on while requests of the peer cross them (2.x Part 4 §4.1.1)", async () => {
    const { peer, handlers } = peerOf();
    handlers.set("1.6", "Heartbeat", () => ({ currentTime }));
    const call = peer.call("Reset", { type: "Soft" });
    const id = idOf(wire.last);
    peer.receive(frame(2, id, "Heartbeat", {}));
    expect(wire.last).toEqual([3, id, { currentTime }]);
    peer.receive(frame(3, id, { status: "Accepted" }));
    expect(await call).toEqual({ status: "Accepted" });
  });
});

import { beforeEach, describe, expect, test } from "vitest";
import type { OcppVersion, Role } from "../../catalogue/version.ts";
import type { EndpointObserver, WireMessage } from "../../connection.ts";
import { ManualTimers } from "../../endpoint/manual-timers.ts";
import {
  CallQueueFullError,
  CallTimeoutError,
  NotConnectedError,
  OcppError,
  PeerError,
  UnknownActionError,
  ValidationError,
} from "../../errors.ts";
import { OutgoingCalls } from "./outgoing-calls.ts";
import { type PeerOptions, type PeerSettings, peerSettings } from "./peer-settings.ts";
import { RpcPeer } from "./rpc-peer.ts";
import type { Transport } from "./transport.ts";

/** A transport whose other end is the test. */
class Wire implements Transport {
  readonly frames: unknown[][] = [];
  readonly closes: [number, string][] = [];
  isPaused = false;
  isTerminated = false;

  sendText(text: string): void {
    this.frames.push(JSON.parse(text) as unknown[]);
  }
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  close(code: number, reason: string): void {
    this.closes.push([code, reason]);
  }
  terminate(): void {
    this.isTerminated = true;
  }
  /** The last frame that was sent. */
  get last(): unknown[] | undefined {
    return this.frames.at(-1);
  }
}

let timers: ManualTimers;
let wire: Wire;
let events: [string, string][];
let failures: unknown[];
let messages: WireMessage[];
const observer: EndpointObserver = {
  message: (message) => messages.push(message),
  ignored: ({ reason, messageId }) => events.push([reason, messageId]),
  violated: ({ violation }) => events.push(["violated", violation.rule]),
  tolerated: ({ rule }) => events.push(["tolerated", rule]),
  failed: ({ error }) => failures.push(error),
};

beforeEach(() => {
  timers = new ManualTimers();
  wire = new Wire();
  events = [];
  failures = [];
  messages = [];
});

function peerOf(version: OcppVersion = "1.6", options: PeerOptions = {}, role: Role = "CSMS") {
  const settings: PeerSettings = peerSettings(role, { timers, observer, ...options });
  const peer = new RpcPeer(
    settings,
    { identity: "CS1", version, remoteAddress: "::1" },
    wire,
    new OutgoingCalls(settings),
  );
  peer.start();
  return { peer, handlers: settings.handlers };
}

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const frame = (...elements: unknown[]) => JSON.stringify(elements);
const idOf = (sent: unknown[] | undefined) => String(sent?.[1]);
const currentTime = "2026-01-01T00:00:00Z";

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

  test("reject with the peer's error under its own and the common spelling", async () => {
    const { peer } = peerOf();
    const call = peer.call("Reset", { type: "Soft" });
    peer.receive(frame(4, idOf(wire.last), "FormationViolation", "no", { why: 1 }));
    const error = await call.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PeerError);
    expect(error).toMatchObject({
      code: "FormatViolation",
      wireCode: "FormationViolation",
      message: "no",
      details: { why: 1 },
    });
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
        new Wire(),
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

  test("report duplicate and unknown responses and go on", async () => {
    const { peer } = peerOf();
    const call = peer.call("Reset", { type: "Soft" });
    const id = idOf(wire.last);
    peer.receive(frame(3, "nobody", { status: "Accepted" }));
    peer.receive(frame(4, "nobody", "GenericError", "", {}));
    peer.receive(frame(3, id, { status: "Accepted" }));
    peer.receive(frame(3, id, { status: "Accepted" }));
    expect(await call).toEqual({ status: "Accepted" });
    expect(events).toEqual([
      ["unknown response", "nobody"],
      ["unknown response", "nobody"],
      ["duplicate response", id],
    ]);
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

  test("of 2.1 answer a response that breaks its schema with CALLRESULTERROR", async () => {
    const { peer } = peerOf("2.1");
    const call = peer.call("Reset", { type: "Immediate" });
    const id = idOf(wire.last);
    peer.receive(frame(3, id, { status: "Maybe" }));
    await expect(call).rejects.toMatchObject({ name: "ValidationError", direction: "response" });
    expect(wire.last).toEqual([
      5,
      id,
      "PropertyConstraintViolation",
      expect.any(String),
      { path: "/status", rule: "enum" },
    ]);
    expect(events).toEqual([["violated", "enum"]]);
  });

  test.each(["1.6", "2.0.1"] as const)(
    "of %s reject a response that breaks its schema and say nothing",
    async (version) => {
      const { peer } = peerOf(version);
      const call = peer.callUntyped("Reset", { type: version === "1.6" ? "Soft" : "Immediate" });
      peer.receive(frame(3, idOf(wire.last), { status: "Maybe" }));
      await expect(call).rejects.toBeInstanceOf(ValidationError);
      expect(wire.frames).toHaveLength(1);
    },
  );

  test("end at once when their CALLRESULT is truncated", async () => {
    const { peer } = peerOf("2.1");
    const call = peer.call("Reset", { type: "Immediate" });
    const id = idOf(wire.last);
    peer.receive(`[3,"${id}",{"status":"Acc`);
    await expect(call).rejects.toMatchObject({ name: "ValidationError", violation: { rule: "frame" } });
    expect(wire.last?.slice(0, 3)).toEqual([5, id, "FormatViolation"]);
  });

  test("do not end by a CALLERROR of id -1, which may be about anything", async () => {
    const { peer } = peerOf("2.0.1");
    const call = peer.callUntyped("Reset", { type: "Immediate" });
    peer.receive(frame(4, "-1", "RpcFrameworkError", "", {}));
    expect(events).toEqual([["the peer could not read a message: RpcFrameworkError", "-1"]]);
    peer.receive(frame(3, idOf(wire.last), { status: "Accepted" }));
    expect(await call).toEqual({ status: "Accepted" });
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

describe("SEND (2.1 Part 4 §4.2.4)", () => {
  const stream = { id: 1, pending: 0, basetime: currentTime, data: [{ t: 0, v: "1" }] };

  test("goes out while a call is outstanding and resolves at once", async () => {
    const { peer } = peerOf("2.1", {}, "ChargingStation");
    void peer.call("Heartbeat", {}).catch(() => {});
    await peer.send("NotifyPeriodicEventStream", stream);
    expect(wire.last).toEqual([6, expect.any(String), "NotifyPeriodicEventStream", stream]);
    await expect(peer.send("NotifyPeriodicEventStream", {})).rejects.toBeInstanceOf(ValidationError);
    await expect(peer.send("Heartbeat", {})).rejects.toBeInstanceOf(UnknownActionError);
  });

  test("has an id of at most 36 characters like a CALL, whoever makes the ids", async () => {
    const { peer } = peerOf("2.1", { createMessageId: () => "x".repeat(37) }, "ChargingStation");
    await expect(peer.send("NotifyPeriodicEventStream", stream)).rejects.toThrow("at most 36 characters");
    await expect(peer.call("Heartbeat", {})).rejects.toThrow("at most 36 characters");
    expect(wire.last).toBeUndefined();
  });

  test("is handled and never answered, whatever is wrong with it", async () => {
    const { peer, handlers } = peerOf("2.1");
    const seen: unknown[] = [];
    handlers.set("2.1", "NotifyPeriodicEventStream", (payload) => {
      seen.push(payload);
      if (seen.length === 2) throw new Error("boom");
    });
    for (const payload of [stream, stream, {}]) peer.receive(frame(6, "1", "NotifyPeriodicEventStream", payload));
    peer.receive(frame(6, "1", "Heartbeat", {}));
    peer.receive(frame(6, "1", "NoSuchThing", {}));
    peer.receive(frame(6, 1, "NotifyPeriodicEventStream", stream));
    await settle();
    expect(seen).toEqual([stream, stream]);
    expect(failures).toHaveLength(1);
    expect(wire.frames).toEqual([]);
  });

  test("sent as a CALL is refused", () => {
    const { peer, handlers } = peerOf("2.1");
    handlers.set("2.1", "NotifyPeriodicEventStream", () => undefined);
    peer.receive(frame(2, "1", "NotifyPeriodicEventStream", stream));
    expect(wire.last?.slice(0, 3)).toEqual([4, "1", "NotSupported"]);
  });
});

describe("incoming requests", () => {
  test("are answered synchronously by a handler that returns synchronously", () => {
    const { peer, handlers } = peerOf();
    handlers.set("1.6", "Heartbeat", () => ({ currentTime }));
    peer.receive(frame(2, "77", "Heartbeat", {}));
    expect(wire.frames).toEqual([[3, "77", { currentTime }]]);
  });

  test("are answered in their own time", async () => {
    const { peer, handlers } = peerOf();
    const slow = deferred<unknown>();
    handlers.set("1.6", "Authorize", () => slow.promise);
    handlers.set("1.6", "Heartbeat", async () => ({ currentTime }));
    peer.receive(frame(2, "a", "Authorize", { idTag: "T" }));
    peer.receive(frame(2, "b", "Heartbeat", {}));
    await settle();
    slow.resolve({ idTagInfo: { status: "Accepted" } });
    await settle();
    expect(wire.frames.map(idOf)).toEqual(["b", "a"]);
  });

  test("know their connection, action, id and time", () => {
    const now = new Date("2026-05-01T12:00:00Z");
    const { peer, handlers } = peerOf("1.6", { clock: { now: () => now } });
    const contexts: unknown[] = [];
    handlers.set("1.6", "Heartbeat", (_payload, context) => {
      contexts.push(context);
      return { currentTime };
    });
    peer.receive(frame(2, "77", "Heartbeat", {}));
    expect(contexts).toMatchObject([{ action: "Heartbeat", messageId: "77", receivedAt: now, tolerances: [] }]);
    expect((contexts[0] as { connection: unknown }).connection).toBe(peer);
  });

  test.each([
    ["1.6", { connectorId: 1 }, "ProtocolError"],
    ["1.6", { connectorId: 1, errorCode: "Error", status: "Available" }, "PropertyConstraintViolation"],
    ["1.6", { connectorId: "1", errorCode: "NoError", status: "Available" }, "TypeConstraintViolation"],
    ["1.6", { connectorId: 1, errorCode: "NoError", status: "Available", x: 1 }, "FormationViolation"],
    ["1.6", [], "TypeConstraintViolation"],
    ["2.0.1", { evseId: 1 }, "OccurrenceConstraintViolation"],
    [
      "2.0.1",
      { timestamp: currentTime, connectorStatus: "Available", evseId: 1, connectorId: 1, x: 1 },
      "FormatViolation",
    ],
  ] as const)("that break their schema are refused in the version's own words: %s %j", (version, payload, code) => {
    const { peer, handlers } = peerOf(version);
    handlers.set(version, "StatusNotification", () => ({}));
    peer.receive(frame(2, "1", "StatusNotification", payload));
    expect(wire.last?.slice(0, 3)).toEqual([4, "1", code]);
  });

  test("of unknown actions are NotImplemented, of known ones without a handler NotSupported", () => {
    const { peer } = peerOf();
    for (const [action, code] of [
      ["NoSuchThing", "NotImplemented"],
      ["__proto__", "NotImplemented"],
      ["constructor", "NotImplemented"],
      ["heartbeat", "NotImplemented"],
      ["Heartbeat", "NotSupported"],
      ["Reset", "NotSupported"],
    ]) {
      peer.receive(frame(2, "1", action, {}));
      expect(wire.last?.[2]).toBe(code);
    }
  });

  test("without a handler of their own go to the fallback", () => {
    const { peer, handlers } = peerOf("2.0.1");
    handlers.fallback = (_payload, { action }) => (action === "Heartbeat" ? { currentTime } : {});
    peer.receive(frame(2, "1", "Heartbeat", {}));
    peer.receive(frame(2, "2", "Reset", { type: "Immediate" }));
    expect(wire.frames).toEqual([
      [3, "1", { currentTime }],
      [4, "2", "NotSupported", expect.any(String), {}],
    ]);
  });

  test("whose handler throws OcppError get that error, cut to size", () => {
    const { peer, handlers } = peerOf("2.0.1");
    handlers.set("2.0.1", "Heartbeat", () => {
      throw new OcppError("SecurityError", "x".repeat(300), { details: { a: 1 } });
    });
    peer.receive(frame(2, "1", "Heartbeat", {}));
    expect(wire.last).toEqual([4, "1", "SecurityError", "x".repeat(255), { a: 1 }]);
    expect(failures).toEqual([]);
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("password is hunter2");
      },
    ],
    ["rejects", () => Promise.reject(new Error("password is hunter2"))],
    ["fails by the answer of another peer", () => Promise.reject(new PeerError("SecurityError", "hunter2"))],
    ["answers nothing", () => undefined],
    ["answers what breaks the schema", () => ({ currentTime: "hunter2" })],
    ["answers what JSON cannot hold", () => ({ currentTime, customData: { vendorId: "x", big: 1n } })],
  ])("whose handler %s get InternalError that leaks nothing", async (_name, handler) => {
    const { peer, handlers } = peerOf("2.0.1");
    handlers.set("2.0.1", "Heartbeat", handler);
    peer.receive(frame(2, "1", "Heartbeat", {}));
    await settle();
    expect(wire.frames).toEqual([[4, "1", "InternalError", expect.not.stringContaining("hunter2"), {}]]);
    expect(failures).toHaveLength(1);
  });

  test("are never answered after the connection ended", async () => {
    const { peer, handlers } = peerOf();
    const slow = deferred<unknown>();
    handlers.set("1.6", "Heartbeat", () => slow.promise);
    peer.receive(frame(2, "1", "Heartbeat", {}));
    peer.end({ code: 1006, reason: "" });
    slow.resolve({ currentTime });
    await settle();
    peer.receive(frame(2, "2", "Heartbeat", {}));
    expect(wire.frames).toEqual([]);
  });

  test("repeated with the same id while in work are served by one answer; another action under that id is refused", async () => {
    const { peer, handlers } = peerOf();
    const slow = deferred<unknown>();
    let runs = 0;
    handlers.set("1.6", "Heartbeat", () => {
      runs++;
      return slow.promise;
    });
    peer.receive(frame(2, "1", "Heartbeat", {}));
    peer.receive(frame(2, "1", "Heartbeat", {}));
    peer.receive(frame(2, "1", "Authorize", { idTag: "T" }));
    slow.resolve({ currentTime });
    await settle();
    expect(runs).toBe(1);
    expect(wire.frames).toEqual([
      [4, "1", "GenericError", expect.any(String), {}],
      [3, "1", { currentTime }],
    ]);
    expect(events).toEqual([["repeated request", "1"]]);
  });

  test("may not use __proto__ as a way in", () => {
    const { peer, handlers } = peerOf();
    const seen: unknown[] = [];
    handlers.set("1.6", "DataTransfer", (payload) => {
      seen.push(payload);
      return { status: "Accepted" };
    });
    peer.receive('[2,"1","DataTransfer",{"vendorId":"v","__proto__":{"polluted":true}}]');
    peer.receive('[2,"2","DataTransfer",{"vendorId":"v","constructor":{"prototype":{"polluted":true}}}]');
    expect(wire.frames.map((sent) => sent[2])).toEqual(["FormationViolation", "FormationViolation"]);
    expect(seen).toEqual([]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe("back-pressure", () => {
  function slowPeer(options: PeerOptions = {}) {
    const { peer, handlers } = peerOf("1.6", { maxConcurrentRequests: 2, ...options });
    const jobs: { readonly id: string; readonly resolve: (value: unknown) => void }[] = [];
    handlers.set("1.6", "Heartbeat", (_payload, { messageId }) => {
      const { promise, resolve } = deferred<unknown>();
      jobs.push({ id: messageId, resolve });
      return promise;
    });
    return { peer, jobs, request: (id: string) => peer.receive(frame(2, id, "Heartbeat", {})) };
  }

  test("as many handlers run as may; then the socket is not read, and what was read already waits", async () => {
    const { jobs, request } = slowPeer();
    request("1");
    expect(wire.isPaused).toBe(false);
    request("2");
    expect(wire.isPaused).toBe(true);
    request("3");
    request("4");
    expect(jobs.map(({ id }) => id)).toEqual(["1", "2"]);
    jobs[0]?.resolve({ currentTime });
    await settle();
    expect(jobs.map(({ id }) => id)).toEqual(["1", "2", "3"]);
    expect(wire.isPaused).toBe(true);
    for (const job of jobs.slice(1)) job.resolve({ currentTime });
    await settle();
    jobs[3]?.resolve({ currentTime });
    await settle();
    expect(wire.isPaused).toBe(false);
    expect(wire.frames.map(idOf).sort()).toEqual(["1", "2", "3", "4"]);
  });

  test("a handler may wait for a call to the same peer even when every slot is taken", async () => {
    const { peer, handlers } = peerOf("1.6", { maxConcurrentRequests: 1 });
    handlers.set("1.6", "BootNotification", async () => {
      await peer.call("ClearCache", {});
      return { currentTime, interval: 60, status: "Accepted" };
    });
    peer.receive(frame(2, "1", "BootNotification", { chargePointModel: "m", chargePointVendor: "v" }));
    expect(wire.isPaused).toBe(false);
    peer.receive(frame(3, idOf(wire.last), { status: "Accepted" }));
    await settle();
    expect(wire.last).toEqual([3, "1", { currentTime, interval: 60, status: "Accepted" }]);
    expect(wire.isPaused).toBe(false);
  });

  test("even then it is not read without bound", async () => {
    const { peer, request } = slowPeer();
    void peer.call("ClearCache", {}).catch(() => {});
    for (const id of ["1", "2", "3"]) request(id);
    expect(wire.isPaused).toBe(false);
    request("4");
    expect(wire.isPaused).toBe(true);
  });

  test("a peer that does not read its answers is not read", () => {
    const { peer } = peerOf();
    peer.setBlocked(true);
    expect(wire.isPaused).toBe(true);
    peer.setBlocked(false);
    expect(wire.isPaused).toBe(false);
  });
});

describe("malformed frames", () => {
  test("are answered with id -1 in 2.x, and with silence in 1.6", () => {
    for (const version of ["1.6", "2.0.1", "2.1"] as const) peerOf(version).peer.receive("hello");
    expect(wire.frames).toEqual([
      [4, "-1", "RpcFrameworkError", "not JSON", {}],
      [4, "-1", "RpcFrameworkError", "not JSON", {}],
    ]);
    expect(events).toHaveLength(3);
    expect(messages.filter(({ kind }) => kind === "malformed")).toHaveLength(3);
  });

  test("whose id can be read are answered under it in every version", () => {
    for (const version of ["1.6", "2.0.1"] as const) peerOf(version).peer.receive('[2,"9","Heartbeat",{]');
    expect(wire.frames.map((sent) => sent.slice(0, 3))).toEqual([
      [4, "9", "FormationViolation"],
      [4, "9", "FormatViolation"],
    ]);
  });

  test("that are binary are counted and ignored", () => {
    peerOf("2.0.1").peer.receiveBinary();
    expect(wire.frames).toEqual([]);
    expect(events).toEqual([["unreadable frame: binary frame", ""]]);
  });

  test("can be mended by the tolerance hook", () => {
    const tolerance = {
      frame: ({ text }: { text: string }) => ({ rule: "trailing-nul", text: text.replaceAll("\u0000", "") }),
    };
    const { peer, handlers } = peerOf("1.6", { tolerance });
    handlers.set("1.6", "Heartbeat", () => ({ currentTime }));
    peer.receive('[2,"1","Heartbeat",{}]\u0000');
    expect(wire.last).toEqual([3, "1", { currentTime }]);
    expect(events).toEqual([["tolerated", "trailing-nul"]]);
    peer.receive("hopeless");
    expect(events.at(-1)).toEqual(["unreadable frame: not JSON", ""]);
  });

  test.each([
    ["1.6", "SomethingWrong"],
    ["1.6", "RpcFrameworkError"],
    ["2.0.1", "FormationViolation"],
  ] as const)(
    "with an error code that %s does not have (%s) tell it as spelled, or GenericError",
    async (version, code) => {
      const refused: unknown[] = [];
      const answered = async (isAllowed: boolean) => {
        const { peer } = peerOf(version, {
          tolerance: { allows: () => isAllowed },
          observer: { ...observer, refused: ({ cause, reason }) => refused.push([cause, reason]) },
        });
        const call = peer.callUntyped("ClearCache", {}).catch((error: unknown) => error);
        peer.receive(frame(4, idOf(wire.last), code, "", {}));
        return await call;
      };
      expect(await answered(true)).toMatchObject({ name: "PeerError", wireCode: code });
      expect(events).toEqual([["tolerated", "json-error-code"]]);
      expect(await answered(false)).toMatchObject({ name: "PeerError", wireCode: "GenericError" });
      expect(refused).toEqual([["not-tolerated", "json-error-code"]]);
    },
  );

  test("that are refused before their payload is looked at tell why", () => {
    const refused: unknown[] = [];
    const { peer } = peerOf("1.6", { observer: { refused: ({ action, cause }) => refused.push([action, cause]) } });
    peer.receive(frame(2, "1", "Nonsense", {}));
    peer.receive(frame(2, "2", "Reset", { type: "Soft" }));
    expect(refused).toEqual([
      ["Nonsense", "unknown-action"],
      ["Reset", "not-supported"],
    ]);
  });

  test("of the kind CALLRESULTERROR are reported in 2.1", () => {
    const { peer } = peerOf("2.1");
    peer.receive(frame(5, "1", "FormatViolation", "", {}));
    expect(events).toEqual([["CALLRESULTERROR FormatViolation", "1"]]);
    expect(messages).toMatchObject([{ kind: "CALLRESULTERROR", errorCode: "FormatViolation" }]);
  });
});

describe("a text with NUL in it", () => {
  const heartbeat = '[2,"1","DataTransfer",{"vendorId":"V\\u0000"}]';

  test("can be mended by the tolerance hook, and is logged as it was on the wire", () => {
    const texts: string[] = [];
    const tolerance = {
      frame: ({ text }: { readonly text: string }) => ({ rule: "nul", text: text.replaceAll("\\u0000", "") }),
    };
    const observer = { message: ({ text }: { readonly text: string }) => texts.push(text) };
    const { peer, handlers } = peerOf("1.6", { tolerance, observer });
    const seen: unknown[] = [];
    handlers.set("1.6", "DataTransfer", (payload) => {
      seen.push(payload);
      return { status: "Accepted" };
    });
    peer.receive(heartbeat);
    expect(seen).toEqual([{ vendorId: "V" }]);
    expect(texts[0]).toBe(heartbeat);
  });

  test("is a text like any other where nobody mends it", () => {
    const { peer, handlers } = peerOf("1.6");
    const seen: unknown[] = [];
    handlers.set("1.6", "DataTransfer", (payload) => {
      seen.push(payload);
      return { status: "Accepted" };
    });
    peer.receive(heartbeat);
    expect(seen).toEqual([{ vendorId: "V\0" }]);
  });
});

describe("tolerance", () => {
  const request = { connectorId: 1, errorCode: "Error", status: "Available", extra: 1 };

  test("mends a request step by step and names its rules", () => {
    const { peer, handlers } = peerOf("1.6", {
      tolerance: {
        payload: ({ payload, violation }) => {
          const { extra: _extra, ...rest } = payload as Record<string, unknown>;
          if (violation.rule === "additionalProperties") return { rule: "unknown-property", payload: rest };
          if (violation.path === "/errorCode")
            return { rule: "error-code", payload: { ...(payload as object), errorCode: "OtherError" } };
          return undefined;
        },
      },
    });
    const seen: unknown[] = [];
    handlers.set("1.6", "StatusNotification", (payload, { tolerances }) => {
      seen.push(payload, tolerances);
      return {};
    });
    peer.receive(frame(2, "1", "StatusNotification", request));
    expect(wire.last).toEqual([3, "1", {}]);
    expect(seen[0]).toEqual({ connectorId: 1, errorCode: "OtherError", status: "Available" });
    expect([...(seen[1] as string[])].sort()).toEqual(["error-code", "unknown-property"]);
  });

  test("may accept a payload as it is", () => {
    const { peer, handlers } = peerOf("1.6", { tolerance: { payload: () => ({ rule: "any", skipValidation: true }) } });
    handlers.set("1.6", "StatusNotification", () => ({}));
    peer.receive(frame(2, "1", "StatusNotification", request));
    expect(wire.last).toEqual([3, "1", {}]);
  });

  test("is asked at most eight times", () => {
    let asked = 0;
    const payload = () => {
      asked++;
      return { rule: "hopeless" };
    };
    const { peer, handlers } = peerOf("1.6", { tolerance: { payload } });
    handlers.set("1.6", "StatusNotification", () => ({}));
    peer.receive(frame(2, "1", "StatusNotification", request));
    expect(asked).toBe(8);
    expect(wire.last?.[0]).toBe(4);
  });

  test("that throws counts as a refusal", () => {
    const payload = () => {
      throw new Error("bug");
    };
    const { peer, handlers } = peerOf("1.6", { tolerance: { payload } });
    handlers.set("1.6", "StatusNotification", () => ({}));
    peer.receive(frame(2, "1", "StatusNotification", request));
    expect(wire.last?.[0]).toBe(4);
    expect(failures).toHaveLength(1);
  });

  test("applies to responses too", async () => {
    const { peer } = peerOf("2.1", {
      tolerance: {
        payload: ({ direction }) =>
          direction === "response" ? { rule: "status", payload: { status: "Accepted" } } : undefined,
      },
    });
    const call = peer.call("Reset", { type: "Immediate" });
    peer.receive(frame(3, idOf(wire.last), { status: "OK" }));
    expect(await call).toEqual({ status: "Accepted" });
    expect(wire.frames).toHaveLength(1);
  });
});

describe("observer", () => {
  test("sees every message of both directions as it was on the wire", async () => {
    const { peer, handlers } = peerOf("1.6");
    handlers.set("1.6", "Heartbeat", () => ({ currentTime }));
    peer.receive('[2, "1", "Heartbeat", {}]');
    peer.receive('[2,"2","NoSuchThing",{}]');
    const call = peer.call("Reset", { type: "Soft" });
    peer.receive(frame(3, idOf(wire.last), { status: "Accepted" }));
    await call;
    expect(messages.map(({ direction, kind, action, errorCode }) => [direction, kind, action, errorCode])).toEqual([
      ["received", "CALL", "Heartbeat", undefined],
      ["sent", "CALLRESULT", "Heartbeat", undefined],
      ["received", "CALL", "NoSuchThing", undefined],
      ["sent", "CALLERROR", "NoSuchThing", "NotImplemented"],
      ["sent", "CALL", "Reset", undefined],
      ["received", "CALLRESULT", "Reset", undefined],
    ]);
    expect(messages[0]?.text).toBe('[2, "1", "Heartbeat", {}]');
  });

  test("that throws harms nothing", () => {
    const boom = () => {
      throw new Error("bug");
    };
    const { peer, handlers } = peerOf("1.6", {
      observer: { message: boom, ignored: boom, violated: boom, failed: boom, tolerated: boom },
    });
    handlers.set("1.6", "Heartbeat", () => ({ currentTime }));
    peer.receive("hello");
    peer.receive(frame(2, "1", "Heartbeat", { x: 1 }));
    peer.receive(frame(2, "2", "Heartbeat", {}));
    expect(wire.last).toEqual([3, "2", { currentTime }]);
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

test("limits that are not above 0 are refused", () => {
  for (const name of ["callTimeoutMs", "maxQueuedCalls", "maxConcurrentRequests", "maxFrameBytes", "maxUnsentBytes"]) {
    expect(() => peerSettings("CSMS", { [name]: 0 })).toThrow(name);
    expect(() => peerSettings("CSMS", { [name]: Number.NaN })).toThrow(name);
  }
});

test("a handler for an action that nobody sends is refused at once", () => {
  const { handlers } = peerOf();
  expect(() => handlers.set("1.6", "Reset", () => ({}))).toThrow(TypeError);
  expect(() => handlers.set("1.6", "NoSuchThing", () => ({}))).toThrow(TypeError);
});

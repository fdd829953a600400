import { beforeEach, describe, expect, test } from "vitest";
import { currentTime, frame, idOf, peerBench } from "./peer-fixture.ts";

let { wire, messages, peerOf } = peerBench();

beforeEach(() => {
  ({ wire, messages, peerOf } = peerBench());
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

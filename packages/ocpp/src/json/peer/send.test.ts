import { beforeEach, describe, expect, test } from "vitest";
import { UnknownActionError, ValidationError } from "../../errors.ts";
import { currentTime, frame, peerBench, settle } from "./peer-fixture.ts";

let { wire, failures, peerOf } = peerBench();

beforeEach(() => {
  ({ wire, failures, peerOf } = peerBench());
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

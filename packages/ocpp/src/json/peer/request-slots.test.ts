import { beforeEach, describe, expect, test } from "vitest";
import { currentTime, deferred, frame, idOf, peerBench, settle } from "./peer-fixture.ts";
import type { PeerOptions } from "./peer-settings.ts";

let { wire, peerOf } = peerBench();

beforeEach(() => {
  ({ wire, peerOf } = peerBench());
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

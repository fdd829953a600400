import { describe, expect, it } from "vitest";
import type { WireMessage } from "../connection.ts";
import {
  CallQueueFullError,
  CallTimeoutError,
  NotConnectedError,
  UnknownActionError,
  ValidationError,
} from "../errors.ts";
import { now, openCsms, openStation, peerOf } from "./soap-fixture.ts";
import { SoapStation } from "./soap-station.ts";

describe("calls", () => {
  it("go out one at a time and in order", async () => {
    const { csms, url } = await openCsms();
    const station = await openStation({ url, version: "1.6" });
    let running = 0;
    let most = 0;
    const order: (string | undefined)[] = [];
    station.handle("1.6", "DataTransfer", async ({ data }) => {
      running++;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(data);
      running--;
      return { status: "Accepted" };
    });
    await station.connection.call("Heartbeat", {});
    const peer = peerOf(csms);
    const calls = ["1", "2", "3", "4"].map((data) => peer.callUntyped("DataTransfer", { vendorId: "v", data }));
    await Promise.all(calls);
    expect(order).toEqual(["1", "2", "3", "4"]);
    expect(most).toBe(1);
  });

  it("are refused when the queue is full, and leave it when they are given up", async () => {
    const { csms, url } = await openCsms({ maxQueuedCalls: 1 });
    const station = await openStation({ url, version: "1.6" });
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let handled = 0;
    station.handle("1.6", "ClearCache", async () => {
      handled++;
      await held;
      return { status: "Accepted" };
    });
    await station.connection.call("Heartbeat", {});
    const peer = peerOf(csms);
    const first = peer.callUntyped("ClearCache", {});
    const abort = new AbortController();
    const second = peer.callUntyped("ClearCache", {}, { signal: abort.signal });
    await expect(peer.callUntyped("ClearCache", {})).rejects.toBeInstanceOf(CallQueueFullError);
    abort.abort(new Error("not needed any more"));
    await expect(second).rejects.toThrow("not needed any more");
    const impatient = peer.callUntyped("ClearCache", {}, { queueTimeoutMs: 1 });
    await expect(impatient).rejects.toMatchObject({ name: "CallTimeoutError", sent: false });
    const third = peer.callUntyped("ClearCache", {});
    release();
    expect(await Promise.all([first, third])).toEqual([{ status: "Accepted" }, { status: "Accepted" }]);
    expect(handled).toBe(2);
    await expect(
      peer.callUntyped("ClearCache", {}, { signal: AbortSignal.abort(new Error("too late")) }),
    ).rejects.toThrow("too late");
  });

  it("end with a time-out that frees the slot", async () => {
    const { csms, url } = await openCsms();
    const station = await openStation({ url, version: "1.6" });
    station.handle("1.6", "ClearCache", () => new Promise(() => {}));
    station.handle("1.6", "Reset", () => ({ status: "Accepted" }));
    await station.connection.call("Heartbeat", {});
    const peer = peerOf(csms);
    const slow = peer.callUntyped("ClearCache", {}, { timeoutMs: 50 });
    const next = peer.callUntyped("Reset", { type: "Hard" });
    await expect(slow).rejects.toBeInstanceOf(CallTimeoutError);
    expect(await next).toEqual({ status: "Accepted" });
  });

  it("are checked before they are sent", async () => {
    const sent: WireMessage[] = [];
    const { csms, url } = await openCsms({ observer: { message: (message) => sent.push(message) } });
    const station = await openStation({ url, version: "1.5" });
    await station.connection.call("Heartbeat", {});
    sent.length = 0;
    const peer = peerOf(csms);
    await expect(peer.callUntyped("Reset", { type: "Medium" })).rejects.toBeInstanceOf(ValidationError);
    await expect(peer.callUntyped("TriggerMessage", {})).rejects.toBeInstanceOf(UnknownActionError);
    await expect(peer.callUntyped("Heartbeat", {})).rejects.toBeInstanceOf(UnknownActionError);
    await expect(peer.callUntyped("DataTransfer", { vendorId: "v", data: "a\0b" })).rejects.toMatchObject({
      violation: { path: "/data", rule: "xml" },
    });
    expect(sent).toEqual([]);
  });

  it("do not know the security extension of 1.6, which has no WSDL", async () => {
    const { url } = await openCsms();
    const station = await openStation({ url, version: "1.6" });
    const payload = { type: "x", timestamp: now };
    await expect(station.connection.callUntyped("SecurityEventNotification", payload)).rejects.toBeInstanceOf(
      UnknownActionError,
    );
  });

  it("say that the peer cannot be reached, and whether the request left", async () => {
    const { csms, url } = await openCsms();
    const deaf = await openStation({ url, version: "1.6", publicUrl: "http://127.0.0.1:1/" });
    await deaf.connection.call("Heartbeat", {});
    await expect(peerOf(csms).callUntyped("ClearCache", {})).rejects.toMatchObject({
      name: "NotConnectedError",
      sent: false,
    });
    const silent = new SoapStation({ url, identity: "CP2", version: "1.6" });
    await silent.connection.call("Heartbeat", {});
    const peer = peerOf(csms, "CP2");
    expect([peer.isOpen, peer.address]).toEqual([false, undefined]);
    await expect(peer.callUntyped("ClearCache", {})).rejects.toMatchObject({ name: "NotConnectedError", sent: false });
    await silent.close();
  });

  it("fail when the connection is closed, the one under way after the grace", async () => {
    const { csms, url } = await openCsms();
    const station = await openStation({ url, version: "1.6" });
    let started = () => {};
    const arrived = new Promise<void>((resolve) => {
      started = resolve;
    });
    station.handle("1.6", "ClearCache", () => {
      started();
      return new Promise(() => {});
    });
    await station.connection.call("Heartbeat", {});
    const peer = peerOf(csms);
    const running = peer.callUntyped("ClearCache", {});
    const waiting = peer.callUntyped("ClearCache", {});
    const outcomes = Promise.allSettled([running, waiting]);
    await arrived;
    await peer.close({ graceMs: 20, reason: "enough" });
    expect(await outcomes).toEqual([
      { status: "rejected", reason: expect.objectContaining({ name: "NotConnectedError", sent: true }) },
      { status: "rejected", reason: expect.objectContaining({ name: "NotConnectedError", sent: false }) },
    ]);
    expect([peer.isOpen, peer.closed.aborted, csms.connections.has("CP1")]).toEqual([false, true, false]);
    await expect(peer.callUntyped("ClearCache", {})).rejects.toBeInstanceOf(NotConnectedError);
  });
});

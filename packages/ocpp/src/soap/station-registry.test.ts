import { describe, expect, it } from "vitest";
import { now, openCsms, openStation, peerOf } from "./soap-fixture.ts";
import type { SoapVersion } from "./soap-version.ts";

describe("the CSMS keeps track of its stations", () => {
  it("and tells of first contact, new addresses, new versions and ends", async () => {
    const events: unknown[] = [];
    const { csms, url } = await openCsms({
      authenticate: ({ version }) => ({ accept: true, context: `context of ${version}` }),
      onConnect: ({ identity, version, address }, { context }) =>
        events.push(["connect", identity, version, address, context]),
      onAddress: ({ version }, address) => events.push(["address", version, address]),
      onDisconnect: ({ version }, { reason, replacedBy }) => events.push(["disconnect", version, reason, replacedBy]),
    });
    const contact = async <V extends SoapVersion>(version: V, publicUrl: string) => {
      const station = await openStation<SoapVersion>({ url, version, publicUrl });
      await station.connection.callUntyped("Heartbeat", {});
      await station.connection.callUntyped("Heartbeat", {});
    };
    await contact("1.5", "http://127.0.0.1:1001/a");
    const first = peerOf(csms);
    await contact("1.5", "http://127.0.0.1:1002/");
    expect(peerOf(csms)).toBe(first);
    expect(first.address).toBe("http://127.0.0.1:1002/");
    await contact("1.6", "http://127.0.0.1:1003/");
    expect(peerOf(csms).version).toBe("1.6");
    expect(first.closed.aborted).toBe(true);
    await csms.close();
    expect(events).toEqual([
      ["connect", "CP1", "1.5", "http://127.0.0.1:1001/a", "context of 1.5"],
      ["address", "1.5", "http://127.0.0.1:1001/a"],
      ["address", "1.5", "http://127.0.0.1:1002/"],
      ["disconnect", "1.5", "now speaks OCPP 1.6", true],
      ["connect", "CP1", "1.6", "http://127.0.0.1:1003/", "context of 1.6"],
      ["address", "1.6", "http://127.0.0.1:1003/"],
      ["disconnect", "1.6", "the CSMS closes", undefined],
    ]);
  });

  it("and survives callbacks that throw", async () => {
    const failed: unknown[] = [];
    const boom = () => {
      throw new Error("boom");
    };
    const { url } = await openCsms({
      onConnect: boom,
      onAddress: boom,
      observer: { failed: ({ error }) => failed.push(error) },
    });
    const station = await openStation({ url, version: "1.6" });
    expect(await station.connection.call("Heartbeat", {})).toEqual({ currentTime: now });
    expect(failed).toHaveLength(2);
  });

  it("reaches a station after a restart by the address kept elsewhere", async () => {
    const { csms: before, url } = await openCsms();
    const station = await openStation({ url, version: "1.5" });
    station.handle("1.5", "ClearCache", () => ({ status: "Accepted" }));
    await station.connection.call("Heartbeat", {});
    const kept = peerOf(before).address;
    const { csms: after } = await openCsms({ stationAddress: (identity) => (identity === "CP1" ? kept : undefined) });
    expect(after.connectionTo("CP9", "1.5")).toBeUndefined();
    expect(await after.connectionTo("CP1", "1.5")?.callUntyped("ClearCache", {})).toEqual({ status: "Accepted" });
    expect(after.connectionTo("CP1", "1.5")).toBe(peerOf(after));
  });

  it("forgets a station that is silent for too long", async () => {
    let nowMs = 0;
    let runTimers: (() => void)[] = [];
    const timers = {
      elapsedMs: () => nowMs,
      after: (_delayMs: number, callback: () => void) => {
        runTimers.push(callback);
        return () => {};
      },
    };
    const gone: string[] = [];
    const { csms, url } = await openCsms({
      timers,
      silenceTimeoutMs: 1000,
      onDisconnect: ({ identity }, { reason }) => gone.push(`${identity}: ${reason}`),
    });
    const advance = (ms: number) => {
      nowMs += ms;
      const due = runTimers;
      runTimers = [];
      for (const callback of due) callback();
    };
    const one = await openStation({ url, version: "1.6", identity: "CP1" });
    const two = await openStation({ url, version: "1.6", identity: "CP2" });
    await one.connection.call("Heartbeat", {});
    await two.connection.call("Heartbeat", {});
    advance(600);
    await two.connection.call("Heartbeat", {});
    advance(600);
    expect([...csms.connections.keys()]).toEqual(["CP2"]);
    expect(gone).toEqual(["CP1: silent for 1000 ms"]);
  });

  it("does not call addresses that it is told not to", async () => {
    const { csms, url } = await openCsms({ acceptAddress: ({ address }) => address.hostname !== "169.254.169.254" });
    const station = await openStation({ url, version: "1.6", publicUrl: "http://169.254.169.254/latest" });
    await station.connection.call("Heartbeat", {});
    expect(peerOf(csms).address).toBeUndefined();
    const mailer = await openStation({ url, version: "1.6", identity: "CP2", publicUrl: "ftp://127.0.0.1/" });
    await mailer.connection.call("Heartbeat", {});
    expect(peerOf(csms, "CP2").address).toBeUndefined();
  });
});

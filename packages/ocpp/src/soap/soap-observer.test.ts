import { describe, expect, it } from "vitest";
import type { EndpointObserver, WireMessage } from "../connection.ts";
import { PeerError } from "../errors.ts";
import {
  faultOf,
  heartbeat,
  identityHeader,
  now,
  openClearableStation,
  openCsms,
  openStation,
  peerOf,
  post,
} from "./soap-fixture.ts";

describe("the observer", () => {
  it("sees every envelope of both directions with its text", async () => {
    const log: WireMessage[] = [];
    const observer = { message: (message: WireMessage) => log.push(message) };
    const { csms, url } = await openCsms({ observer });
    const station = await openStation({ url, version: "1.5" });
    await station.connection.call("Heartbeat", {});
    await peerOf(csms)
      .callUntyped("ClearCache", {})
      .catch(() => {});
    expect(log.map(({ direction, kind, action, errorCode }) => [direction, kind, action, errorCode])).toEqual([
      ["received", "CALL", "Heartbeat", undefined],
      ["sent", "CALLRESULT", "Heartbeat", undefined],
      ["sent", "CALL", "ClearCache", undefined],
      ["received", "CALLERROR", "ClearCache", "NotSupported"],
    ]);
    expect(
      log.every(
        ({ identity, version, transport }) => identity === "CP1" && version === "1.5" && transport === "OCPP-S",
      ),
    ).toBe(true);
    expect(log[0]?.messageId).toBe(log[1]?.messageId);
    expect(log[2]?.messageId).toBe(log[3]?.messageId);
    for (const { text } of log)
      expect(text).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n<s:Envelope .*<\/s:Envelope>$/s);
  });
});

describe("an observer that throws", () => {
  const boom = () => {
    throw new Error("bug");
  };
  const observer: EndpointObserver = { message: boom, tolerated: boom, violated: boom, ignored: boom, failed: boom };

  it("does not harm the CSMS", async () => {
    const { url } = await openCsms({ observer });
    expect(faultOf(await post(url, "hello"))).toEqual([400, "s:Sender", "o:ProtocolError"]);
    expect((await post(url, heartbeat("1.6", identityHeader))).status).toBe(200);
  });

  it("does not harm a station", async () => {
    const { csms, url } = await openCsms();
    csms.handle("1.5", "Authorize", boom);
    const station = await openClearableStation({ url, observer });
    expect(await station.connection.call("Heartbeat", {})).toEqual({ currentTime: now });
    await expect(station.connection.call("Authorize", { idTag: "A" })).rejects.toThrow(PeerError);
    expect(await csms.connections.get("CP1")?.callUntyped("ClearCache", {})).toEqual({ status: "Accepted" });
  });
});

import type { WireMessage } from "@polyphase/ocpp";
import { expect, it } from "vitest";
import { HeartbeatSieve } from "./heartbeat-sieve.ts";

const message = (overrides: Partial<WireMessage> = {}): WireMessage => ({
  identity: "CP1",
  version: "1.6",
  transport: "OCPP-J",
  direction: "received",
  kind: "CALL",
  action: "Heartbeat",
  messageId: "1",
  text: "",
  ...overrides,
});
const answer = (messageId: string, kind: WireMessage["kind"] = "CALLRESULT") =>
  message({ direction: "sent", kind, messageId });

it("keeps one Heartbeat of a station a minute with its answer", () => {
  const sieve = new HeartbeatSieve();
  expect([sieve.keeps(message(), 0), sieve.keeps(answer("1"), 0)]).toEqual([true, true]);
  // A station may use one message id for all of them.
  for (const messageId of ["1", "2"]) {
    expect([sieve.keeps(message({ messageId }), 59_999), sieve.keeps(answer(messageId), 59_999)]).toEqual([
      false,
      false,
    ]);
  }
  expect(sieve.keeps(message({ identity: "CP2" }), 59_999)).toBe(true);
  expect([sieve.keeps(message({ messageId: "3" }), 60_000), sieve.keeps(answer("3"), 60_000)]).toEqual([true, true]);
});

it("keeps everything else, and errors", () => {
  const sieve = new HeartbeatSieve();
  sieve.keeps(message(), 0);
  expect(sieve.keeps(message({ action: "MeterValues" }), 1)).toBe(true);
  expect(sieve.keeps(message({ kind: "malformed" }), 1)).toBe(true);
  expect(sieve.keeps(answer("2", "CALLERROR"), 1)).toBe(true);
});

it("goes on when the clock is set back", () => {
  const sieve = new HeartbeatSieve();
  sieve.keeps(message(), 1_000_000);
  expect(sieve.keeps(message(), 0)).toBe(true);
});

import { expect } from "vitest";
import type { HonestCsms } from "./honest-csms.ts";
import { type RawStation, tolerated, type WireFrame } from "./raw-station.ts";

/** Expects that a call was answered with success. */
export function accepted(frame: WireFrame): void {
  expect(frame[0], JSON.stringify(frame)).toBe(3);
}

/** Applies a deviation and expects that a rule let it pass. */
export async function expectTolerated(csms: HonestCsms, rule: string, deviate: () => Promise<void>): Promise<void> {
  const before = await tolerated(csms, rule);
  await deviate();
  expect(await tolerated(csms, rule)).toBeGreaterThan(before);
}

/** Starts a transaction of 1.6 at 1,000 Wh. */
export function start(station: RawStation, more: object = {}): Promise<Record<string, unknown>> {
  return station.call("StartTransaction", {
    ...{ connectorId: 1, idTag: "HONEST", meterStart: 1_000, timestamp: "2026-04-01T10:00:00Z" },
    ...more,
  });
}

/** Stops a transaction of 1.6 an hour after {@link start}. */
export function stop(station: RawStation, transactionId: unknown, meterStop: number, more: object = {}) {
  return station.call("StopTransaction", { transactionId, meterStop, timestamp: "2026-04-01T11:00:00Z", ...more });
}

/** Sends a meter value of 1.6 half an hour after {@link start}, and resolves with the whole answer. */
export function meterValues(station: RawStation, transactionId: unknown, sampledValue: unknown, more: object = {}) {
  const meterValue = [{ timestamp: "2026-04-01T10:30:00Z", sampledValue, ...more }];
  return station.ask("MeterValues", { connectorId: 1, transactionId, meterValue });
}

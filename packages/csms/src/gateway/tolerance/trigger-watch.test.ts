import { beforeEach, describe, expect, it } from "vitest";
import { TriggerWatch, triggeredAction } from "./trigger-watch.ts";

let elapsedMs: number;
let missed: string[];
let watch: TriggerWatch;

beforeEach(() => {
  elapsedMs = 0;
  missed = [];
  watch = new TriggerWatch(
    (stationId, action) => missed.push(`${stationId} ${action}`),
    () => elapsedMs,
  );
});

describe("a triggered message", () => {
  it("that does not come within a minute is told once", () => {
    watch.expect("CS1", "Heartbeat");
    elapsedMs += 59_999;
    watch.look();
    expect(missed).toEqual([]);
    elapsedMs += 1;
    watch.look();
    watch.look();
    expect(missed).toEqual(["CS1 Heartbeat"]);
    expect(watch.size).toBe(0);
  });

  it("that comes is not told, and another station's does not stand for it", () => {
    watch.expect("CS1", "StatusNotification");
    watch.expect("CS2", "StatusNotification");
    watch.expect("CS3", "StatusNotification");
    watch.settled("CS1", "StatusNotification");
    watch.settled("CS2", "NotifyEvent");
    watch.settled("CS3", "Heartbeat");
    elapsedMs += 60_000;
    watch.look();
    expect(missed).toEqual(["CS3 StatusNotification"]);
  });

  it("that is asked for again has a minute from then on", () => {
    watch.expect("CS1", "Heartbeat");
    elapsedMs += 40_000;
    watch.expect("CS2", "Heartbeat");
    watch.expect("CS1", "Heartbeat");
    elapsedMs += 40_000;
    watch.look();
    expect(missed).toEqual([]);
    elapsedMs += 20_000;
    watch.look();
    expect(missed).toEqual(["CS2 Heartbeat", "CS1 Heartbeat"]);
  });

  it("is awaited of ten thousand at most", () => {
    for (let index = 0; index < 10_100; index += 1) watch.expect(`CS${index}`, "Heartbeat");
    expect(watch.size).toBe(10_000);
  });
});

it.each([
  ["TriggerMessage", { requestedMessage: "MeterValues" }, "MeterValues"],
  ["ExtendedTriggerMessage", { requestedMessage: "SignChargePointCertificate" }, "SignCertificate"],
  ["TriggerMessage", { requestedMessage: "CustomTrigger", customTrigger: "x" }, undefined],
  ["TriggerMessage", null, undefined],
  ["Reset", { type: "Soft" }, undefined],
])("%s with %j is answered by %s", (action, payload, expected) => {
  expect(triggeredAction(action, payload)).toBe(expected);
});

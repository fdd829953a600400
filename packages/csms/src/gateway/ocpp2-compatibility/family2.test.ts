import { catalogue } from "@polyphase/ocpp";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { payloadsOf } from "../payload-fixture.ts";
import { requestTo21, responseFrom21 } from "./family2.ts";

const sent = [...catalogue("2.0.1").values()].filter(({ from }) => from !== "CSMS");

/** What 2.1 forbids and 2.0.1 allows: numbers below zero where none make sense. */
const isOfSense = (rule: string | undefined) => rule === "minimum" || rule === "maximum";

describe("2.0.1 in words of 2.1", () => {
  it.each(sent.map(({ action }) => action))("every %s of a 2.0.1 station has all that 2.1 demands", (action) => {
    const theirs = catalogue("2.0.1").get(action);
    const ours = catalogue("2.1").get(action);
    fc.assert(
      fc.property(payloadsOf(fc, "2.0.1", theirs?.requestSchema ?? {}), (request) => {
        expect(theirs?.validateRequest(request)).toBeUndefined();
        const violation = ours?.validateRequest(requestTo21("2.0.1", action, request));
        if (!isOfSense(violation?.rule)) expect(violation).toBeUndefined();
      }),
      { numRuns: 30 },
    );
  });

  it("N02: a monitor of 2.0.1 is a CustomMonitor, for the version does not tell", () => {
    const monitoring = { id: 1, transaction: false, value: 1, type: "UpperThreshold", severity: 3 };
    const report = {
      requestId: 1,
      seqNo: 0,
      generatedAt: "2024-05-01T00:00:00Z",
      monitor: [{ component: { name: "EVSE" }, variable: { name: "Power" }, variableMonitoring: [monitoring] }],
    };
    expect(requestTo21("2.0.1", "NotifyMonitoringReport", report)).toMatchObject({
      monitor: [{ variableMonitoring: [{ ...monitoring, eventNotificationType: "CustomMonitor" }] }],
    });
    expect(requestTo21("2.1", "NotifyMonitoringReport", report)).toBe(report);
  });

  it("leaves out what 2.0.1 lacks, and says the nearest for values it lacks", () => {
    const response = {
      idTokenInfo: { status: "Accepted", groupIdToken: { idToken: "G", type: "VIN" } },
      tariff: { tariffId: "1", currency: "EUR" },
      allowedEnergyTransfer: ["DC"],
    };
    const told = responseFrom21("2.0.1", "Authorize", response);
    expect(told).toEqual({ idTokenInfo: { status: "Accepted", groupIdToken: { idToken: "G", type: "Central" } } });
    expect(catalogue("2.0.1").get("Authorize")?.validateResponse(told)).toBeUndefined();
    expect(responseFrom21("2.1", "Authorize", response)).toBe(response);
  });

  it.each(sent.map(({ action }) => action))("answers to %s lose nothing that 2.0.1 has", (action) => {
    const entry = catalogue("2.0.1").get(action);
    fc.assert(
      fc.property(payloadsOf(fc, "2.0.1", entry?.responseSchema ?? {}), (response) => {
        expect(responseFrom21("2.0.1", action, response)).toBe(response);
      }),
      { numRuns: 20 },
    );
  });
});

import { catalogue, type JsonSchema, type OcppVersion } from "@polyphase/ocpp";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { payloadsOf } from "../payload-fixture.ts";
import { NotTranslatableError, requestFrom16, requestTo16, responseFrom16, responseTo16 } from "./translation.ts";

const olderVersions = ["1.2", "1.5"] as const;

/** 1.2 writes IdToken without a length, but means the 20 characters of the later versions. */
const longest = (property: string | undefined) => (property === "idTag" || property === "parentIdTag" ? 20 : 600);

function entryOf(version: OcppVersion, action: string) {
  const entry = catalogue(version).get(action);
  if (entry === undefined) throw new TypeError(`no ${action} in ${version}`);
  return entry;
}

const payloads = (version: OcppVersion, schema: JsonSchema | undefined) =>
  payloadsOf(fc, version, schema ?? {}, longest);

describe.each(olderVersions)("OCPP %s", (version) => {
  const entries = [...catalogue(version).values()];
  const sent = entries.filter(({ from }) => from !== "CSMS");
  const taken = entries.filter(({ from }) => from !== "ChargingStation");

  it.each(sent.map(({ action }) => action))(
    "every %s of a station is valid 1.6, and every 1.6 answer valid for it",
    (action) => {
      const theirs = entryOf(version, action);
      const ours = entryOf("1.6", action);
      fc.assert(
        fc.property(payloads(version, theirs.requestSchema), (request) => {
          expect(theirs.validateRequest(request)).toBeUndefined();
          expect(ours.validateRequest(requestTo16(version, action, request))).toBeUndefined();
        }),
      );
      fc.assert(
        fc.property(payloads("1.6", ours.responseSchema), (response) => {
          expect(theirs.validateResponse(responseFrom16(version, action, response))).toBeUndefined();
        }),
      );
    },
  );

  it.each(taken.map(({ action }) => action))(
    "every 1.6 %s is valid for a station, and its every answer valid 1.6",
    (action) => {
      const theirs = entryOf(version, action);
      const ours = entryOf("1.6", action);
      fc.assert(
        fc.property(payloads("1.6", ours.requestSchema), (request) => {
          const hasProfile = (request as { chargingProfile?: object }).chargingProfile !== undefined;
          fc.pre(!hasProfile);
          expect(theirs.validateRequest(requestFrom16(version, action, request))).toBeUndefined();
        }),
      );
      fc.assert(
        fc.property(payloads(version, theirs.responseSchema), (response) => {
          expect(ours.validateResponse(responseTo16(version, action, response))).toBeUndefined();
        }),
      );
    },
  );

  it("refuses every call of 1.6 that the version lacks", () => {
    const lacking = [...catalogue("1.6").values()].filter(
      ({ from, action }) => from !== "ChargingStation" && !taken.some((entry) => entry.action === action),
    );
    expect(lacking.length).toBeGreaterThan(10);
    for (const { action } of lacking) {
      expect(() => requestFrom16(version, action, {})).toThrow(NotTranslatableError);
    }
  });
});

describe("meanings", () => {
  it("1.2: an integer is the energy register in Wh", () => {
    const timestamp = "2024-05-01T00:00:00Z";
    expect(requestTo16("1.2", "MeterValues", { connectorId: 1, values: [{ timestamp, value: 42 }] })).toEqual({
      connectorId: 1,
      meterValue: [
        { timestamp, sampledValue: [{ value: "42", measurand: "Energy.Active.Import.Register", unit: "Wh" }] },
      ],
    });
  });

  it("1.5: attributes stay, Amp and Volt become A and V, groups of transactionData one list", () => {
    const timestamp = "2024-05-01T00:00:00Z";
    const value = [
      { value: "16", unit: "Amp", measurand: "Current.Import" },
      { value: "230", unit: "Volt" },
    ];
    const stop = {
      transactionId: 1,
      timestamp,
      meterStop: 5,
      transactionData: [{ values: [{ timestamp, value }] }, {}, { values: [{ timestamp, value: [{ value: "1" }] }] }],
    };
    expect(requestTo16("1.5", "StopTransaction", stop)).toEqual({
      transactionId: 1,
      timestamp,
      meterStop: 5,
      transactionData: [
        {
          timestamp,
          sampledValue: [
            { value: "16", unit: "A", measurand: "Current.Import" },
            { value: "230", unit: "V" },
          ],
        },
        { timestamp, sampledValue: [{ value: "1" }] },
      ],
    });
  });

  it("Pending is told as Rejected with the time to wait, for earlier versions have no Pending", () => {
    const response = { status: "Pending", currentTime: "2024-05-01T00:00:00Z", interval: 60 };
    for (const version of olderVersions) {
      expect(responseFrom16(version, "BootNotification", response)).toEqual({
        status: "Rejected",
        currentTime: "2024-05-01T00:00:00Z",
        heartbeatInterval: 60,
      });
    }
  });

  it("1.5: HashError is Failed, an accepted unlocking Unlocked, and the local list has its old spelling", () => {
    expect(responseTo16("1.5", "SendLocalList", { status: "HashError", hash: "x" })).toEqual({ status: "Failed" });
    expect(responseTo16("1.5", "UnlockConnector", { status: "Rejected" })).toEqual({ status: "UnlockFailed" });
    const localAuthorizationList = [{ idTag: "A" }];
    expect(
      requestFrom16("1.5", "SendLocalList", { listVersion: 1, updateType: "Full", localAuthorizationList }),
    ).toEqual({ listVersion: 1, updateType: "Full", localAuthorisationList: localAuthorizationList });
  });

  it("a start with a charging profile is refused rather than carried out without its limit", () => {
    const request = { idTag: "A", chargingProfile: {} };
    for (const version of olderVersions) {
      expect(() => requestFrom16(version, "RemoteStartTransaction", request)).toThrow(NotTranslatableError);
    }
  });

  it("1.6 and family 2 pass as they are", () => {
    const payload = { any: "thing" };
    for (const translate of [requestTo16, responseFrom16, requestFrom16, responseTo16]) {
      expect(translate("1.6", "StatusNotification", payload)).toBe(payload);
    }
  });
});

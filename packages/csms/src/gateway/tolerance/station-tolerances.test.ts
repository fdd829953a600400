import { catalogue, type Deviation, endpointTolerances, type OcppVersion } from "@polyphase/ocpp";
import { describe, expect, it } from "vitest";
import { namedDeviations, toleranceRules } from "./catalogue.ts";
import { conductDeviations } from "./conduct.ts";
import { namedRejections } from "./rejections.ts";
import { StationTolerances } from "./station-tolerances.ts";

const fixedNames = [...conductDeviations.filter(({ isSwitchable }) => !isSwitchable), ...namedRejections];

const tolerances = new StationTolerances();

/** What is made of a payload as the protocol library does it: rule after rule, validated after each. */
function tolerate(version: OcppVersion, action: string, original: unknown, hook = tolerances) {
  const entry = catalogue(version).get(action);
  if (entry === undefined) throw new TypeError(action);
  const rules: string[] = [];
  let payload = original;
  let violation = entry.validateRequest(payload);
  while (violation !== undefined && rules.length < 8) {
    const deviation: Deviation = { identity: "CP1", version, action, direction: "request", payload, violation };
    const tolerated = hook.payload(deviation);
    if (tolerated === undefined) break;
    rules.push(tolerated.rule);
    payload = tolerated.payload ?? payload;
    violation = tolerated.skipValidation === true ? undefined : entry.validateRequest(payload);
  }
  return { rules, payload, isAccepted: violation === undefined };
}

function frame(text: string) {
  return tolerances.frame({ identity: "CP1", version: "1.6", text });
}

const meterValues = (sampledValue: readonly object[], timestamp = "2024-05-01T00:00:00Z") => ({
  connectorId: 1,
  meterValue: [{ timestamp, sampledValue }],
});
const boot = { chargePointVendor: "ACME", chargePointModel: "One" };

describe("frames", () => {
  it("json-trailing-nul: ignores NUL bytes at the end", () => {
    expect(frame('[3,"1",{}]\0\0 \n')).toEqual({ rule: "json-trailing-nul", text: '[3,"1",{}]' });
  });

  it("nul-in-text: ignores NUL at the end of a text and replaces it elsewhere, but not an escaped backslash", () => {
    const slashes = String.raw`"a":"A\u0000\u0000","b":"\u0000B\\\u0000","c":"\u0000","d":"\\u0000"`;
    expect(frame(`[2,"1","A",{${slashes}}]`)).toEqual({
      rule: "nul-in-text",
      text: String.raw`[2,"1","A",{"a":"A","b":"@B\\","c":"","d":"\\u0000"}]`.replace("@", "\uFFFD"),
    });
    expect(frame(String.raw`[2,"1","A",{"d":"\\u0000"}]`)).toBeUndefined();
  });

  it("json-leading-comma: ignores a comma after an opening bracket, but not in a text", () => {
    expect(frame('[2,"1","A",{"x":[ ,{"y":"[,"}]}]')).toEqual({
      rule: "json-leading-comma",
      text: '[2,"1","A",{"x":[{"y":"[,"}]}]',
    });
  });

  it("json-empty-value: reads a property without a value as null, but not in a text", () => {
    expect(frame('[2,"1","A",{"a":,"b":":,","c": }]')).toEqual({
      rule: "json-empty-value",
      text: '[2,"1","A",{"a":null,"b":":,","c":null }]',
    });
  });

  it("names every rule that it took to make JSON of a frame", () => {
    expect(frame('[2,"1","A",{"a":,"b":[,1]}]\0')?.rule).toBe("json-trailing-nul+json-leading-comma+json-empty-value");
  });

  it("leaves a truncated frame to be refused", () => {
    expect(frame('[3,"1",{"status":"Acc')).toBeUndefined();
    expect(frame("")).toBeUndefined();
  });
});

describe("frames made to take long", () => {
  const long = 2 ** 20;

  it.each([
    { name: "NUL bytes that are not at the end", text: `[2,"1","Heartbeat",{}]${"\0".repeat(long)}x` },
    { name: "NUL bytes and spaces", text: `${"\0 ".repeat(long / 2)}x` },
    { name: "commas after a bracket", text: `[${" ,".repeat(long / 2)}x` },
    { name: "brackets and spaces", text: "[ ".repeat(long / 2) },
    { name: "colons without values", text: `{${'"a": '.repeat(long / 5)}x` },
    { name: "backslashes", text: `"${"\\\\".repeat(long / 2)}\\u0000"` },
    { name: "NUL in texts", text: `"${"\\u0000".repeat(long / 6)}` },
    { name: "a text without end", text: `"${"\\a".repeat(long / 2)}` },
  ])("are given up in time that grows with their length only: $name", ({ text }) => {
    const tolerances = new StationTolerances();
    const begin = performance.now();
    tolerances.frame({ identity: "CP", version: "1.6", text });
    // A mebibyte takes about 50 ms; by an expression that tries again from every place it takes an hour.
    expect(performance.now() - begin).toBeLessThan(10_000);
  });
});

describe("payloads", () => {
  it("null-values: reads null as absent, and refuses it where a value is required", () => {
    expect(tolerate("1.6", "BootNotification", { ...boot, iccid: null })).toEqual({
      rules: ["null-values"],
      payload: boot,
      isAccepted: true,
    });
    expect(tolerate("1.6", "Authorize", { idTag: null }).isAccepted).toBe(false);
  });

  it("unknown-properties: ignores them at any depth", () => {
    const given = { ...boot, extra: { deep: 1 } };
    expect(tolerate("1.6", "BootNotification", given)).toMatchObject({ rules: ["unknown-properties"], payload: boot });
    const values = meterValues([{ value: "1", vendor: "x" }]);
    expect(tolerate("1.6", "MeterValues", values)).toMatchObject({ payload: meterValues([{ value: "1" }]) });
  });

  it("number-for-text: takes numbers and booleans as text", () => {
    expect(tolerate("1.6", "MeterValues", meterValues([{ value: 12.5 }]))).toMatchObject({
      rules: ["number-for-text"],
      payload: meterValues([{ value: "12.5" }]),
      isAccepted: true,
    });
  });

  it("object-for-text: takes the data of a DataTransfer as JSON text", () => {
    expect(tolerate("1.6", "DataTransfer", { vendorId: "x", data: { a: [1, null] } })).toEqual({
      rules: ["object-for-text"],
      payload: { vendorId: "x", data: '{"a":[1,null]}' },
      isAccepted: true,
    });
  });

  it.each([
    ["2024-05-01T10:11:12", "2024-05-01T10:11:12Z"],
    ["2024-05-01T10:11:12+02", "2024-05-01T10:11:12+02:00"],
    ["2024-05-01T10:11:12.5+0200", "2024-05-01T10:11:12.5+02:00"],
    ["2024-05-01 10:11:12", "2024-05-01T10:11:12Z"],
    ["2024-05-01T10:11Z", "2024-05-01T10:11:00Z"],
  ])("time-format: reads %s as %s", (given, understood) => {
    expect(tolerate("1.6", "MeterValues", meterValues([{ value: "1" }], given))).toMatchObject({
      rules: ["time-format"],
      payload: meterValues([{ value: "1" }], understood),
      isAccepted: true,
    });
  });

  it.each(["", "yesterday", "2024-13-01T00:00:00Z", "1714557600"])("refuses the time %j", (given) => {
    expect(tolerate("1.6", "MeterValues", meterValues([{ value: "1" }], given)).isAccepted).toBe(false);
  });

  it("enum-spelling: understands other cases", () => {
    const status = { connectorId: 1, status: "available", errorCode: "noError" };
    expect(tolerate("1.6", "StatusNotification", status)).toMatchObject({
      rules: ["enum-spelling"],
      payload: { status: "Available", errorCode: "NoError" },
      isAccepted: true,
    });
  });

  it("unknown-values: an unknown errorCode is OtherError, an unknown reason Other, an unknown status refused", () => {
    const status = { connectorId: 1, status: "Faulted", errorCode: "Error" };
    expect(tolerate("1.6", "StatusNotification", status).payload).toMatchObject({ errorCode: "OtherError" });
    expect(tolerate("1.5", "StatusNotification", status).payload).toMatchObject({ errorCode: "OtherError" });
    const stop = { transactionId: 1, timestamp: "2024-05-01T00:00:00Z", meterStop: 1, reason: "Boredom" };
    expect(tolerate("1.6", "StopTransaction", stop).payload).toMatchObject({ reason: "Other" });
    expect(tolerate("1.6", "StatusNotification", { ...status, status: "Broken" }).isAccepted).toBe(false);
  });

  it("unknown-values: never lets a value of unknown meaning pass for energy", () => {
    const known = { value: "7", measurand: "Power.Active.Import" };
    const given = meterValues([
      { value: "50", measurand: "Hz" },
      { value: "51", unit: "Hz" },
      { value: "52", phase: "L9" },
      { value: "53", format: "Hex" },
      { value: "50", measurand: "Frequency", unit: "Hz" },
      { value: "1", context: "Request.Energy" },
      { ...known, location: "Roof" },
    ]);
    expect(tolerate("1.6", "MeterValues", given)).toEqual({
      rules: ["unknown-values"],
      payload: meterValues([{ value: "50", measurand: "Frequency" }, { value: "1", context: "Other" }, known]),
      isAccepted: true,
    });
  });

  it("unknown-values and empty-lists: a 2.x meter value that loses its only sample is left out", () => {
    const event = {
      eventType: "Updated",
      timestamp: "2024-05-01T00:00:00Z",
      triggerReason: "MeterValuePeriodic",
      seqNo: 1,
      transactionInfo: { transactionId: "1" },
    };
    const meterValue = [{ timestamp: "2024-05-01T00:00:00Z", sampledValue: [{ value: 1, measurand: "Hz" }] }];
    expect(tolerate("2.1", "TransactionEvent", { ...event, meterValue })).toEqual({
      rules: ["unknown-values", "empty-lists"],
      payload: event,
      isAccepted: true,
    });
    expect(tolerate("2.0.1", "TransactionEvent", { ...event, meterValue: [] })).toMatchObject({ payload: event });
  });

  it("over-long-texts: keeps the whole text, and refuses it when something else is wrong or it is endless", () => {
    const long = { ...boot, chargePointSerialNumber: "S".repeat(33) };
    expect(tolerate("1.6", "BootNotification", long)).toEqual({
      rules: ["over-long-texts"],
      payload: long,
      isAccepted: true,
    });
    expect(tolerate("1.6", "BootNotification", { ...long, chargePointModel: {} }).isAccepted).toBe(false);
    expect(tolerate("1.6", "Authorize", { idTag: "A".repeat(256) }).isAccepted).toBe(false);
    expect(tolerate("1.6", "Authorize", { idTag: "A".repeat(24) }).payload).toEqual({ idTag: "A".repeat(24) });
  });

  it("applies several rules to one payload", () => {
    const given = { ...boot, chargePointSerialNumber: "S".repeat(33), iccid: null, extra: 1, imsi: 901 };
    expect(tolerate("1.6", "BootNotification", given)).toEqual({
      rules: ["null-values", "unknown-properties", "number-for-text", "over-long-texts"],
      payload: { ...boot, chargePointSerialNumber: "S".repeat(33), imsi: "901" },
      isAccepted: true,
    });
  });

  it("fractional-meter: rounds meterStart and meterStop, and nothing else", () => {
    const stop = { transactionId: 1, timestamp: "2024-05-01T00:00:00Z", meterStop: 26008.333 };
    expect(tolerate("1.6", "StopTransaction", stop)).toEqual({
      rules: ["fractional-meter"],
      payload: { ...stop, meterStop: 26008 },
      isAccepted: true,
    });
    const start = { connectorId: 1, idTag: "1", meterStart: 0.5, timestamp: "2024-05-01T00:00:00Z" };
    expect(tolerate("1.5", "StartTransaction", start)).toMatchObject({ payload: { meterStart: 1 }, isAccepted: true });
    expect(tolerate("1.6", "StartTransaction", { ...start, connectorId: 1.5 }).isAccepted).toBe(false);
  });

  it("missing-time: gives a message the time of its arrival, and never a meter value", () => {
    const now = new Date("2024-05-01T10:11:12.345Z");
    const clocked = new StationTolerances({ clock: { now: () => now } });
    const start = { connectorId: 1, idTag: "1", meterStart: 0 };
    expect(tolerate("1.6", "StartTransaction", start, clocked)).toEqual({
      rules: ["missing-time"],
      payload: { ...start, timestamp: "2024-05-01T10:11:12.345Z" },
      isAccepted: true,
    });
    const values = { connectorId: 1, meterValue: [{ sampledValue: [{ value: "1" }] }] };
    expect(tolerate("1.6", "MeterValues", values, clocked).isAccepted).toBe(false);
  });

  it("text-for-number: takes numbers and booleans in quotes where an operator switched it on", () => {
    const start = { connectorId: " 1", idTag: "1", meterStart: "12", timestamp: "2024-05-01T00:00:00Z" };
    expect(tolerate("1.6", "StartTransaction", start).isAccepted).toBe(false);
    const lenient = new StationTolerances();
    lenient.decide("CP1", "text-for-number", true);
    expect(tolerate("1.6", "StartTransaction", start, lenient)).toMatchObject({
      rules: ["text-for-number"],
      payload: { connectorId: 1, meterStart: 12 },
      isAccepted: true,
    });
    for (const meterStart of ["", "12 Wh", "1e3", "0x10", "NaN", "9".repeat(16)]) {
      expect(tolerate("1.6", "StartTransaction", { ...start, meterStart }, lenient).isAccepted).toBe(false);
    }
    const value = { value: "12.50", measurand: "Current.Import" };
    const given = { evseId: 1, meterValue: [{ timestamp: "2024-05-01T00:00:00Z", sampledValue: [value] }] };
    expect(tolerate("2.0.1", "MeterValues", given, lenient)).toMatchObject({
      payload: { meterValue: [{ sampledValue: [{ value: 12.5 }] }] },
    });
  });

  it("leaves alone what was decided for a station before what was for its model, and that before the default", () => {
    const model = { vendorName: "ACME", model: "One" };
    const decided = new StationTolerances({ station: (stationId) => (stationId === "CP1" ? model : undefined) });
    const isAccepted = () => tolerate("1.6", "BootNotification", { ...boot, iccid: null }, decided).isAccepted;
    const shown = () => {
      const { enabled, decidedFor } = decided.of("CP1").find(({ rule }) => rule === "null-values") ?? {};
      return [isAccepted(), enabled, decidedFor];
    };
    expect(shown()).toEqual([true, true, "default"]);
    decided.models.set({ vendorName: "acme", model: "*", rule: "null-values", enabled: false });
    expect(shown()).toEqual([false, false, "model"]);
    decided.decide("CP1", "null-values", true);
    expect(shown()).toEqual([true, true, "station"]);
    decided.decide("CP1", "null-values", undefined);
    expect(shown()).toEqual([false, false, "model"]);
    decided.models.delete({ vendorName: "ACME", model: "*", rule: "null-values" });
    expect(shown()).toEqual([true, true, "default"]);
  });

  it("knows a rule for everything that the protocol library sets right, but for what only stations meet", () => {
    const known = new Set(toleranceRules.map(({ name }) => name));
    expect(endpointTolerances.filter((name) => !known.has(name))).toEqual(["soap-no-identity"]);
    expect(known.size).toBe(toleranceRules.length);
    expect(namedDeviations.size).toBe(toleranceRules.length + fixedNames.length);
  });

  it("survives payloads of any shape", () => {
    for (const payload of [null, undefined, 1, "x", [], [[]], { meterValue: {} }, { meterValue: [null, 1] }]) {
      expect(tolerate("1.6", "MeterValues", payload).isAccepted).toBe(false);
    }
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stationTime } from "../../gateway/station-time.ts";
import { normaliseSample, parseDecimal, samplesFromJson, samplesToJson, shiftDecimal } from "./meter-sample.ts";
import { meterValuesOf1 } from "./ocpp1.ts";
import { meterValuesOf2 } from "./ocpp2.ts";

describe("a sampled value", () => {
  it("takes the defaults of OCPP 1.6 §7.31 to §7.45", () => {
    expect(normaliseSample({ value: "1234" })).toEqual({
      value: 1234,
      measurand: "Energy.Active.Import.Register",
      unit: "Wh",
      context: "Sample.Periodic",
      location: "Outlet",
    });
  });

  it("turns prefixed units and multipliers into base units exactly", () => {
    expect(normaliseSample({ value: "910.083", unit: "kWh" })).toMatchObject({ value: 910_083, unit: "Wh" });
    expect(normaliseSample({ value: 7.4, unit: "kW", measurand: "Power.Active.Import" })).toMatchObject({
      value: 7_400,
      unit: "W",
    });
    expect(normaliseSample({ value: 91.0083, unit: "kWh", multiplier: 1 })).toMatchObject({ value: 910_083 });
    expect(normaliseSample({ value: 2_304, unit: "V", multiplier: -1, measurand: "Voltage" })).toMatchObject({
      value: 230.4,
    });
    expect(normaliseSample({ value: "21", unit: "Celcius", measurand: "Temperature" })).toMatchObject({
      unit: "Celsius",
    });
    expect(normaliseSample({ value: "16", unit: "Amp", measurand: "Current.Import" })).toMatchObject({ unit: "A" });
  });

  it("keeps text that is no number, and never makes one of it", () => {
    for (const text of ["1.234,5", "1,234", "12,5", "NaN", "Infinity", "", " ", "0x10", "12 kWh", "null", "1e999"]) {
      const sample = normaliseSample({ value: text });
      expect(sample).not.toHaveProperty("value");
      expect(sample.raw).toBe(text);
    }
  });

  it("reads every plain decimal as written", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(parseDecimal(String(value))).toBe(Number(String(value)));
      }),
    );
    expect(parseDecimal(" +00012.50 ")).toBe(12.5);
    expect(parseDecimal(".5")).toBe(0.5);
  });

  it("shifts the decimal point and back without loss", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(10 ** 9), max: 10 ** 9 }), fc.integer({ min: 0, max: 3 }), (n, places) => {
        const value = Number(`${n}e-${places}`);
        expect(shiftDecimal(shiftDecimal(value, 3), -3)).toBe(value);
      }),
    );
  });

  it("survives storage", () => {
    const samples = [
      normaliseSample({ value: 1, location: "Inlet", phase: "L1-N" }),
      normaliseSample({ value: "x", context: "Sample.Clock" }),
      normaliseSample({ value: 2 }),
    ];
    expect(samplesFromJson(JSON.parse(samplesToJson(samples)))).toEqual(samples);
    expect(samplesToJson(samples.slice(2))).not.toContain("Outlet");
  });
});

describe("meter values of family 1", () => {
  it("keeps signed data apart from values (1.6 §7.40)", () => {
    const [value] = meterValuesOf1(
      [{ timestamp: "2026-03-01T12:00:00Z", sampledValue: [{ value: "OCMF|{}|{}", format: "SignedData" }] }],
      0,
    );
    expect(value?.samples[0]).toEqual({
      measurand: "Energy.Active.Import.Register",
      unit: "Wh",
      context: "Sample.Periodic",
      location: "Outlet",
      signedMeterValue: { signedMeterData: "OCMF|{}|{}" },
    });
  });

  it("is no values when the list is absent", () => {
    expect(meterValuesOf1(undefined, 0)).toEqual([]);
  });
});

describe("meter values of family 2", () => {
  it("keeps the value beside its signed form", () => {
    const signedMeterValue = { signedMeterData: "AAAA", encodingMethod: "OCMF", publicKey: "oca:base16:asn1:00" };
    const [value] = meterValuesOf2(
      [{ timestamp: "soon", sampledValue: [{ value: 1.5, unitOfMeasure: { unit: "kWh" }, signedMeterValue }] }],
      42,
    );
    expect(value).toMatchObject({ atMs: 42, samples: [{ value: 1_500, unit: "Wh", signedMeterValue }] });
  });
});

describe("a station's time", () => {
  it("is read with any zone, and as UTC without one", () => {
    const noon = Date.parse("2026-03-01T12:00:00Z");
    for (const text of [
      "2026-03-01T12:00:00Z",
      "2026-03-01T12:00:00.000Z",
      "2026-03-01T12:00:00",
      "2026-03-01 12:00:00",
      "2026-03-01T14:00:00+02",
      "2026-03-01T14:00:00+0200",
      "2026-03-01T14:00:00+02:00",
      "2026-03-01T12:00Z",
    ]) {
      expect(stationTime(text)).toBe(noon);
    }
  });

  it("is kept when the clock was never set, and is nothing when it is nonsense", () => {
    expect(stationTime("0001-01-01T00:00:00Z")).toBeLessThan(0);
    expect(stationTime("1970-01-01T00:00:00Z")).toBe(0);
    for (const text of ["", "now", "2026-13-41T00:00:00Z", "+012026-03-01T12:00:00Z"]) {
      expect(stationTime(text)).toBeUndefined();
    }
  });
});

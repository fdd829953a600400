import type { Ocpp16 } from "@polyphase/ocpp";
import { stationTime } from "../../gateway/station-time.ts";
import { type MeterValue, normaliseSample, type WireSample } from "./meter-sample.ts";

/**
 * Meter values of family 1 in normal form. A moment that the station's text does not tell becomes `fallbackMs`.
 * Format SignedData makes the value signed data, which no total uses (1.6 §7.40).
 */
export function meterValuesOf1(
  values: readonly Ocpp16.MeterValue[] | undefined,
  fallbackMs: number,
): readonly MeterValue[] {
  if (values === undefined) return [];
  return values.map((value) => ({
    atMs: stationTime(value.timestamp) ?? fallbackMs,
    samples: value.sampledValue.map(sampleOf1),
  }));
}

function sampleOf1(sampled: Ocpp16.SampledValue) {
  const wire: WireSample = {
    value: sampled.value,
    measurand: sampled.measurand,
    context: sampled.context,
    location: sampled.location,
    phase: sampled.phase,
    unit: sampled.unit,
  };
  if (sampled.format !== "SignedData") return normaliseSample(wire);
  const { raw: _, value: __, ...sample } = normaliseSample(wire);
  return { ...sample, signedMeterValue: { signedMeterData: sampled.value } };
}

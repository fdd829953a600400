import type { Ocpp21 } from "@polyphase/ocpp";
import { stationTime } from "../../gateway/station-time.ts";
import { type MeterSample, type MeterValue, normaliseSample, type SignedMeterValue } from "./meter-sample.ts";

/** Meter values of family 2 in normal form. A moment that the station's text does not tell becomes `fallbackMs`. */
export function meterValuesOf2(
  values: readonly Ocpp21.MeterValueType[] | undefined,
  fallbackMs: number,
): readonly MeterValue[] {
  if (values === undefined) return [];
  return values.map((value) => ({
    atMs: stationTime(value.timestamp) ?? fallbackMs,
    samples: value.sampledValue.map(sampleOf2),
  }));
}

function sampleOf2(sampled: Ocpp21.SampledValueType): MeterSample {
  return normaliseSample({
    value: sampled.value,
    measurand: sampled.measurand,
    context: sampled.context,
    location: sampled.location,
    phase: sampled.phase,
    unit: sampled.unitOfMeasure?.unit,
    multiplier: sampled.unitOfMeasure?.multiplier,
    signedMeterValue: sampled.signedMeterValue && signedOf2(sampled.signedMeterValue),
  });
}

function signedOf2(signed: Ocpp21.SignedMeterValueType): SignedMeterValue {
  return {
    signedMeterData: signed.signedMeterData,
    encodingMethod: signed.encodingMethod,
    ...(signed.signingMethod === undefined ? {} : { signingMethod: signed.signingMethod }),
    ...(signed.publicKey === undefined ? {} : { publicKey: signed.publicKey }),
  };
}

import type { Ocpp16 } from "@polyphase/ocpp";
import type { MeasuredValue, MeterSample } from "../metering/meter-sample.ts";

function unitOf(value: MeasuredValue): Ocpp16.UnitOfMeasure | undefined {
  // OCPP 1.6 has no unit for the frequency.
  return value.unit === "Hz" ? undefined : value.unit;
}

function sampledValue(value: MeasuredValue, context: MeterSample["context"]): Ocpp16.SampledValue {
  const unit = unitOf(value);
  return {
    value: String(value.value),
    context,
    measurand: value.measurand,
    ...(value.phase === undefined ? {} : { phase: value.phase }),
    ...(value.location === undefined ? {} : { location: value.location }),
    ...(unit === undefined ? {} : { unit }),
  };
}

/** A sample as OCPP 1.6 writes it. */
export function meterValue(sample: MeterSample): Ocpp16.MeterValue {
  return {
    timestamp: new Date(sample.at).toISOString(),
    sampledValue: sample.values.map((value) => sampledValue(value, sample.context)),
  };
}

import type { Ocpp21 } from "@polyphase/ocpp";
import type { MeasuredValue, MeterSample } from "../metering/meter-sample.ts";

function sampledValue(value: MeasuredValue, context: MeterSample["context"]): Ocpp21.SampledValueType {
  return {
    value: value.value,
    context,
    measurand: value.measurand,
    ...(value.phase === undefined ? {} : { phase: value.phase }),
    ...(value.location === undefined ? {} : { location: value.location }),
    ...(value.unit === undefined ? {} : { unitOfMeasure: { unit: value.unit } }),
  };
}

/** A sample as OCPP 2.x writes it. */
export function meterValue(sample: MeterSample): Ocpp21.MeterValueType {
  return {
    timestamp: new Date(sample.at).toISOString(),
    sampledValue: sample.values.map((value) => sampledValue(value, sample.context)),
  };
}

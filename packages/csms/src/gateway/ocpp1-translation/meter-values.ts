import type { Ocpp12, Ocpp15, Ocpp16 } from "@polyphase/ocpp";
import { defined } from "./direction.ts";

function unitTo16(unit: Ocpp15.UnitOfMeasure): Ocpp16.UnitOfMeasure {
  if (unit === "Amp") return "A";
  return unit === "Volt" ? "V" : unit;
}

function sampledValueTo16(value: Ocpp15.SampledValue): Ocpp16.SampledValue {
  const { unit, ...others } = value;
  return unit === undefined ? others : { ...others, unit: unitTo16(unit) };
}

/** `value` with attributes becomes `sampledValue`. */
export function meterValueFrom15(meterValue: Ocpp15.MeterValue): Ocpp16.MeterValue {
  return { timestamp: meterValue.timestamp, sampledValue: meterValue.value.map(sampledValueTo16) };
}

/** 1.2 knows one value only: the energy register in Wh. */
export function meterValueFrom12(meterValue: Ocpp12.MeterValue): Ocpp16.MeterValue {
  return {
    timestamp: meterValue.timestamp,
    sampledValue: [{ value: String(meterValue.value), measurand: "Energy.Active.Import.Register", unit: "Wh" }],
  };
}

export function meterValuesFrom15(payload: Ocpp15.MeterValuesRequest): Ocpp16.MeterValuesRequest {
  const { connectorId, transactionId, values = [] } = payload;
  return defined({ connectorId, transactionId, meterValue: values.map(meterValueFrom15) });
}

export function meterValuesFrom12(payload: Ocpp12.MeterValuesRequest): Ocpp16.MeterValuesRequest {
  const { connectorId, values = [] } = payload;
  return { connectorId, meterValue: values.map(meterValueFrom12) };
}

/** The groups of `transactionData` become one list. */
export function stopRequestFrom15(payload: Ocpp15.StopTransactionRequest): Ocpp16.StopTransactionRequest {
  const { transactionData, ...others } = payload;
  if (transactionData === undefined) return others;
  return { ...others, transactionData: transactionData.flatMap((group) => (group.values ?? []).map(meterValueFrom15)) };
}

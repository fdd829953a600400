import type { Ocpp16, Ocpp21 } from "@polyphase/ocpp";
import type { StationDeviations } from "../../gateway/tolerance/conduct.ts";

/** Whether a value is energy whose unit is told to be watt-hours, or is watt-hours because none is told. */
function isWattHours(measurand: string | undefined, unit: string | undefined): boolean {
  const isEnergy = measurand === undefined || measurand.startsWith("Energy.Active.");
  return isEnergy && (unit === undefined || unit === "Wh");
}

/** Meter values of family 1 of a station that tells kilowatt-hours and calls them watt-hours, where that is tolerated. */
export function withKilowattHours1(
  deviations: StationDeviations,
  stationId: string,
  values: readonly Ocpp16.MeterValue[] | undefined,
): readonly Ocpp16.MeterValue[] | undefined {
  if (values === undefined || !deviations.tolerates(stationId, "kwh-labelled-wh")) return values;
  let first: Ocpp16.SampledValue | undefined;
  const relabelled = values.map((value) => ({
    ...value,
    sampledValue: value.sampledValue.map((sample) => {
      if (!isWattHours(sample.measurand, sample.unit) || sample.format === "SignedData") return sample;
      first ??= sample;
      return { ...sample, unit: "kWh" as const };
    }),
  }));
  if (first !== undefined) deviations.showed(stationId, "kwh-labelled-wh", first);
  return relabelled;
}

/** The same of family 2. */
export function withKilowattHours2(
  deviations: StationDeviations,
  stationId: string,
  values: readonly Ocpp21.MeterValueType[] | undefined,
): readonly Ocpp21.MeterValueType[] | undefined {
  if (values === undefined || !deviations.tolerates(stationId, "kwh-labelled-wh")) return values;
  let first: Ocpp21.SampledValueType | undefined;
  const relabelled = values.map((value) => ({
    ...value,
    sampledValue: value.sampledValue.map((sample) => {
      const { unit, multiplier } = sample.unitOfMeasure ?? {};
      if (!isWattHours(sample.measurand, unit) || (multiplier ?? 0) !== 0) return sample;
      first ??= sample;
      return { ...sample, unitOfMeasure: { ...sample.unitOfMeasure, unit: "kWh" } };
    }),
  }));
  if (first !== undefined) deviations.showed(stationId, "kwh-labelled-wh", first);
  return relabelled as readonly Ocpp21.MeterValueType[];
}

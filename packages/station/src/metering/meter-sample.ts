import type { Ocpp16, Ocpp21 } from "@polyphase/ocpp";
import type { Evse } from "../evse/evse.ts";

/** A quantity that simulated stations can measure. */
export type Measurand = Extract<Ocpp21.MeasurandEnumType, Ocpp16.Measurand>;

/** Why a sample was taken. */
export type SampleContext = Ocpp21.ReadingContextEnumType;

/** One measured value. */
export interface MeasuredValue {
  readonly measurand: Measurand;
  readonly value: number;
  readonly phase?: Ocpp16.Phase;
  readonly location?: "Outlet" | "EV";
  /** Unit in the words of OCPP 2.x; absent where there is none. */
  readonly unit?: "Wh" | "W" | "A" | "V" | "Percent" | "Hz";
}

/** Values that were measured at one moment. */
export interface MeterSample {
  /** Milliseconds since 1970, in the station's time. */
  readonly at: number;
  readonly context: SampleContext;
  readonly values: readonly MeasuredValue[];
}

/** The measurands that can be configured, in the order in which they are reported. */
export const supportedMeasurands: readonly Measurand[] = [
  "Energy.Active.Import.Register",
  "Energy.Active.Import.Interval",
  "Power.Active.Import",
  "Power.Offered",
  "Power.Factor",
  "Current.Import",
  "Current.Offered",
  "Voltage",
  "Frequency",
  "SoC",
];

const supported: ReadonlySet<string> = new Set(supportedMeasurands);

/** Whether the meter knows this measurand. */
export function isSupportedMeasurand(name: string): name is Measurand {
  return supported.has(name);
}

const phaseNames = ["L1", "L2", "L3"] as const;
const neutralNames = ["L1-N", "L2-N", "L3-N"] as const;

function perPhase(evse: Evse, measurand: "Current.Import" | "Voltage"): MeasuredValue[] {
  const { phases } = evse.values;
  const unit = measurand === "Voltage" ? "V" : "A";
  if (evse.supply.kind === "DC") {
    const output = phases[0];
    const value = measurand === "Voltage" ? output?.voltageV : output?.currentA;
    return [{ measurand, value: value ?? 0, location: "Outlet", unit }];
  }
  return phases.flatMap((values, index) => {
    const phase = measurand === "Voltage" ? neutralNames[index] : phaseNames[index];
    const value = measurand === "Voltage" ? values.voltageV : values.currentA;
    return phase === undefined ? [] : [{ measurand, value, phase, location: "Outlet" as const, unit }];
  });
}

function outlet(measurand: Measurand, value: number, unit?: MeasuredValue["unit"]): MeasuredValue[] {
  return [{ measurand, value, location: "Outlet", ...(unit === undefined ? {} : { unit }) }];
}

function measure(evse: Evse, measurand: Measurand, intervalWh: number): MeasuredValue[] {
  switch (measurand) {
    case "Energy.Active.Import.Register":
      return outlet(measurand, evse.meterWh, "Wh");
    case "Energy.Active.Import.Interval":
      return outlet(measurand, intervalWh, "Wh");
    case "Power.Active.Import":
      return outlet(measurand, evse.values.powerW, "W");
    case "Power.Offered":
      return outlet(measurand, evse.contactorClosed ? evse.values.offeredPowerW : 0, "W");
    case "Power.Factor":
      return outlet(measurand, evse.delivering ? 0.99 : 1);
    case "Current.Import":
    case "Voltage":
      return perPhase(evse, measurand);
    case "Current.Offered":
      return outlet(measurand, evse.contactorClosed ? evse.values.offeredCurrentA : 0, "A");
    case "Frequency":
      return outlet(measurand, evse.values.frequencyHz, "Hz");
    case "SoC": {
      const soc = evse.socPercent;
      return soc === undefined ? [] : [{ measurand, value: Math.floor(soc), location: "EV", unit: "Percent" }];
    }
    default:
      return [];
  }
}

/**
 * Reads the configured measurands of an EVSE.
 *
 * @param intervalWh energy since the previous sample of the same series, for the Interval measurand
 * @returns undefined when none of the measurands gives a value
 */
export function takeSample(
  evse: Evse,
  at: number,
  context: SampleContext,
  measurands: readonly Measurand[],
  intervalWh = 0,
): MeterSample | undefined {
  const values = measurands.flatMap((measurand) => measure(evse, measurand, intervalWh));
  return values.length === 0 ? undefined : { at, context, values };
}

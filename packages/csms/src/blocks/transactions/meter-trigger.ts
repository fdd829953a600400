import type { MeterValue } from "../metering/index.ts";

/** Why values were sent, in words of a trigger reason, by the context of the first. */
export function triggerOfValues(values: readonly MeterValue[]): string {
  const context = values[0]?.samples[0]?.context;
  if (context === "Sample.Clock") return "MeterValueClock";
  return context === "Trigger" ? "Trigger" : "MeterValuePeriodic";
}

import type { Ocpp16 } from "@polyphase/ocpp";
import type { ChargingProfile } from "../smart-charging/charging-profile.ts";

const purposes = {
  ChargePointMaxProfile: "ChargingStationMaxProfile",
  TxDefaultProfile: "TxDefaultProfile",
  TxProfile: "TxProfile",
} as const;

/** The purpose of a profile in the words of 2.x. */
export function purposeOf(purpose: Ocpp16.ChargingProfilePurposeType): ChargingProfile["purpose"] {
  return purposes[purpose];
}

/** A charging profile of 1.6 in the words of 2.x; the transaction is filled in where it is installed. */
export function profileOf(profile: Ocpp16.ChargingProfile): ChargingProfile {
  const { chargingSchedule: schedule, validFrom, validTo, recurrencyKind } = profile;
  return {
    id: profile.chargingProfileId,
    stackLevel: profile.stackLevel,
    purpose: purposeOf(profile.chargingProfilePurpose),
    kind: profile.chargingProfileKind,
    ...(recurrencyKind === undefined ? {} : { recurrency: recurrencyKind }),
    ...(validFrom === undefined ? {} : { validFrom: Date.parse(validFrom) }),
    ...(validTo === undefined ? {} : { validTo: Date.parse(validTo) }),
    schedule: {
      unit: schedule.chargingRateUnit,
      ...(schedule.startSchedule === undefined ? {} : { startAt: Date.parse(schedule.startSchedule) }),
      ...(schedule.duration === undefined ? {} : { durationS: schedule.duration }),
      periods: schedule.chargingSchedulePeriod.map(({ startPeriod, limit, numberPhases }) => ({
        startPeriodS: startPeriod,
        limit,
        ...(numberPhases === undefined ? {} : { numberPhases }),
      })),
    },
  };
}

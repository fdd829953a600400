import type { Ocpp21 } from "@polyphase/ocpp";
import type { ChargingProfile, SchedulePeriod } from "../smart-charging/charging-profile.ts";

const purposes: ReadonlySet<string> = new Set(["ChargingStationMaxProfile", "TxDefaultProfile", "TxProfile"]);

function periodOf(period: Ocpp21.ChargingSchedulePeriodType): SchedulePeriod | undefined {
  const { startPeriod, limit, numberPhases, operationMode } = period;
  // Without V2X only plain limits can be obeyed.
  if (limit === undefined || (operationMode !== undefined && operationMode !== "ChargingOnly")) return undefined;
  return { startPeriodS: startPeriod, limit, ...(numberPhases === undefined ? {} : { numberPhases }) };
}

/** A charging profile that the station can obey; undefined for purposes, kinds and periods that it does not offer. */
export function profileOf(profile: Ocpp21.ChargingProfileType): ChargingProfile | undefined {
  const { chargingProfilePurpose, chargingProfileKind, chargingSchedule, validFrom, validTo } = profile;
  const [schedule] = chargingSchedule;
  if (schedule === undefined || chargingSchedule.length > 1) return undefined;
  if (!purposes.has(chargingProfilePurpose) || chargingProfileKind === "Dynamic") return undefined;
  const periods = schedule.chargingSchedulePeriod.map(periodOf);
  if (periods.includes(undefined)) return undefined;
  return {
    id: profile.id,
    stackLevel: profile.stackLevel,
    purpose: chargingProfilePurpose as ChargingProfile["purpose"],
    kind: chargingProfileKind,
    ...(profile.recurrencyKind === undefined ? {} : { recurrency: profile.recurrencyKind }),
    ...(validFrom === undefined ? {} : { validFrom: Date.parse(validFrom) }),
    ...(validTo === undefined ? {} : { validTo: Date.parse(validTo) }),
    ...(profile.transactionId === undefined ? {} : { transactionId: profile.transactionId }),
    schedule: {
      id: schedule.id,
      unit: schedule.chargingRateUnit,
      ...(schedule.startSchedule === undefined ? {} : { startAt: Date.parse(schedule.startSchedule) }),
      ...(schedule.duration === undefined ? {} : { durationS: schedule.duration }),
      periods: periods.filter((period) => period !== undefined),
    },
  };
}

/** An installed profile as ReportChargingProfiles shows it. */
export function reportedProfile(profile: ChargingProfile): Ocpp21.ChargingProfileType {
  const { schedule } = profile;
  return {
    id: profile.id,
    stackLevel: profile.stackLevel,
    chargingProfilePurpose: profile.purpose,
    chargingProfileKind: profile.kind,
    ...(profile.recurrency === undefined ? {} : { recurrencyKind: profile.recurrency }),
    ...(profile.validFrom === undefined ? {} : { validFrom: new Date(profile.validFrom).toISOString() }),
    ...(profile.validTo === undefined ? {} : { validTo: new Date(profile.validTo).toISOString() }),
    ...(profile.transactionId === undefined ? {} : { transactionId: profile.transactionId }),
    chargingSchedule: [
      {
        id: schedule.id ?? profile.id,
        chargingRateUnit: schedule.unit,
        ...(schedule.startAt === undefined ? {} : { startSchedule: new Date(schedule.startAt).toISOString() }),
        ...(schedule.durationS === undefined ? {} : { duration: schedule.durationS }),
        chargingSchedulePeriod: schedule.periods.map(({ startPeriodS, limit, numberPhases }) => ({
          startPeriod: startPeriodS,
          limit,
          ...(numberPhases === undefined ? {} : { numberPhases }),
        })),
      },
    ],
  };
}

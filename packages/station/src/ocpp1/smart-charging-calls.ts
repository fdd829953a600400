import type { Family1Calls } from "./calls.ts";
import { profileOf, purposeOf } from "./charging-profile-words.ts";

/** Calls of the Smart Charging profile. */
export const smartChargingCalls: Pick<
  Family1Calls,
  "ClearChargingProfile" | "GetCompositeSchedule" | "SetChargingProfile"
> = {
  SetChargingProfile: (driver, { connectorId, csChargingProfiles }) => {
    const { station } = driver;
    if (!station.settings.smartChargingEnabled) return { status: "NotSupported" };
    const profile = profileOf(csChargingProfiles);
    const { transactionId } = csChargingProfiles;
    if (transactionId === undefined) return { status: station.profiles.install(connectorId, profile) };
    const transaction = driver.sessionOfRemote(transactionId)?.transaction;
    if (transaction === undefined) return { status: "Rejected" };
    return { status: station.profiles.install(connectorId, { ...profile, transactionId: transaction.id }) };
  },

  ClearChargingProfile: ({ station }, { id, connectorId, chargingProfilePurpose, stackLevel }) => {
    const cleared = station.profiles.clear({
      ...(id === undefined ? {} : { id }),
      ...(connectorId === undefined ? {} : { evseId: connectorId }),
      ...(chargingProfilePurpose === undefined ? {} : { purpose: purposeOf(chargingProfilePurpose) }),
      ...(stackLevel === undefined ? {} : { stackLevel }),
    });
    return { status: cleared ? "Accepted" : "Unknown" };
  },

  GetCompositeSchedule: ({ station }, { connectorId, duration, chargingRateUnit = "A" }) => {
    const session = station.session(connectorId);
    if (session === undefined || !station.settings.smartChargingEnabled) return { status: "Rejected" };
    const schedule = station.profiles.composite(session, duration, chargingRateUnit);
    const scheduleStart = new Date(schedule.startAt).toISOString();
    return {
      status: "Accepted",
      connectorId,
      scheduleStart,
      chargingSchedule: {
        duration,
        startSchedule: scheduleStart,
        chargingRateUnit,
        chargingSchedulePeriod: schedule.periods.map(({ startPeriodS, limit }) => ({
          startPeriod: startPeriodS,
          limit,
        })),
      },
    };
  },
};

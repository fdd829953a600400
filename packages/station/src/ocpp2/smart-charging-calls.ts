import type { InstalledProfile } from "../smart-charging/charging-profiles.ts";
import type { Family2Calls } from "./calls.ts";
import { profileOf, reportedProfile } from "./charging-profile-words.ts";
import type { Family2Driver } from "./family2-driver.ts";

async function sendProfiles(
  driver: Family2Driver,
  requestId: number,
  found: readonly InstalledProfile[],
): Promise<void> {
  for (const [index, { evseId, profile }] of found.entries()) {
    await driver.call("ReportChargingProfiles", {
      requestId,
      chargingLimitSource: "CSO",
      evseId,
      tbc: index < found.length - 1,
      chargingProfile: [reportedProfile(profile)],
    });
  }
}

/** Calls about charging profiles (K01 to K10). */
export const smartChargingCalls: Pick<
  Family2Calls,
  "ClearChargingProfile" | "GetChargingProfiles" | "GetCompositeSchedule" | "SetChargingProfile"
> = {
  SetChargingProfile: ({ station }, { evseId, chargingProfile }) => {
    const profile = profileOf(chargingProfile);
    if (profile === undefined || !station.settings.smartChargingEnabled) {
      return { status: "Rejected", statusInfo: { reasonCode: "UnsupportedProfile" } };
    }
    if (profile.purpose === "TxProfile" && profile.transactionId === undefined) {
      // K01.FR.03
      return { status: "Rejected", statusInfo: { reasonCode: "MissingParam", additionalInfo: "transactionId" } };
    }
    return { status: station.profiles.install(evseId, profile) };
  },

  ClearChargingProfile: ({ station }, { chargingProfileId, chargingProfileCriteria = {} }) => {
    const { evseId, chargingProfilePurpose, stackLevel } = chargingProfileCriteria;
    const cleared = station.profiles.clear(
      chargingProfileId !== undefined
        ? { id: chargingProfileId }
        : {
            ...(evseId === undefined ? {} : { evseId }),
            ...(chargingProfilePurpose === undefined ? {} : { purpose: chargingProfilePurpose }),
            ...(stackLevel === undefined ? {} : { stackLevel }),
          },
    );
    return { status: cleared ? "Accepted" : "Unknown" };
  },

  GetChargingProfiles: (driver, { requestId, evseId, chargingProfile }) => {
    const { chargingProfilePurpose, stackLevel, chargingProfileId, chargingLimitSource } = chargingProfile;
    const found = driver.station.profiles
      .find({
        ...(evseId === undefined ? {} : { evseId }),
        ...(chargingProfilePurpose === undefined ? {} : { purpose: chargingProfilePurpose }),
        ...(stackLevel === undefined ? {} : { stackLevel }),
      })
      .filter(({ profile }) => chargingProfileId?.includes(profile.id) ?? true)
      .filter(() => chargingLimitSource?.includes("CSO") ?? true);
    if (found.length === 0) return { status: "NoProfiles" };
    driver.station.afterAnswer(() => sendProfiles(driver, requestId, found));
    return { status: "Accepted" };
  },

  GetCompositeSchedule: ({ station }, { evseId, duration, chargingRateUnit = "A" }) => {
    const session = station.session(evseId);
    if (session === undefined || !station.settings.smartChargingEnabled) return { status: "Rejected" };
    const { startAt, periods } = station.profiles.composite(session, duration, chargingRateUnit);
    return {
      status: "Accepted",
      schedule: {
        evseId,
        duration,
        scheduleStart: new Date(startAt).toISOString(),
        chargingRateUnit,
        chargingSchedulePeriod: periods.map(({ startPeriodS, limit }) => ({ startPeriod: startPeriodS, limit })),
      },
    };
  },
};

import type { Ocpp16, Ocpp21 } from "@polyphase/ocpp";
import type { CommandRegistry } from "../../gateway/commands.ts";
import { CommandNotSupportedError, type StationCalls } from "../../gateway/station-messages.ts";

/** Purposes that both families have. */
const purposes = {
  ChargingStationMaxProfile: "ChargePointMaxProfile",
  TxDefaultProfile: "TxDefaultProfile",
  TxProfile: "TxProfile",
} as const satisfies {
  readonly [Purpose in Ocpp21.ChargingProfilePurposeEnumType]?: Ocpp16.ChargingProfilePurposeType;
};

const profileFields: ReadonlySet<string> = new Set<keyof Ocpp21.ChargingProfileType>([
  "id",
  "stackLevel",
  "chargingProfilePurpose",
  "chargingProfileKind",
  "recurrencyKind",
  "validFrom",
  "validTo",
  "transactionId",
  "chargingSchedule",
  "customData",
]);
const scheduleFields: ReadonlySet<string> = new Set<keyof Ocpp21.ChargingScheduleType>([
  "id",
  "startSchedule",
  "duration",
  "chargingRateUnit",
  "minChargingRate",
  "chargingSchedulePeriod",
  "customData",
]);
const periodFields: ReadonlySet<string> = new Set<keyof Ocpp21.ChargingSchedulePeriodType>([
  "startPeriod",
  "limit",
  "numberPhases",
  "customData",
]);

/**
 * A charging profile as 1.6 says it (1.6 §7.8). A limit that the station would not understand is worse than none, so
 * nothing is left out silently.
 *
 * @throws CommandNotSupportedError when 1.6 cannot say it
 */
export function chargingProfileOfFamily1(
  stationId: string,
  command: string,
  profile: Ocpp21.ChargingProfileType,
): Ocpp16.ChargingProfile {
  const refuse = (what: string) =>
    new CommandNotSupportedError(stationId, command, `a profile of OCPP 1.6 has ${what}`);
  const { id, stackLevel, chargingProfileKind, recurrencyKind, validFrom, validTo, transactionId } = profile;
  const unknown = unknownField(profile, profileFields);
  if (unknown !== undefined) throw refuse(`no ${unknown}`);
  const purpose = purposeOfFamily1(profile.chargingProfilePurpose);
  if (purpose === undefined) throw refuse(`no purpose ${profile.chargingProfilePurpose}`);
  if (chargingProfileKind === "Dynamic") throw refuse("no kind Dynamic");
  const [schedule, ...alternatives] = profile.chargingSchedule;
  if (schedule === undefined || alternatives.length > 0) throw refuse("exactly one schedule");
  if (transactionId !== undefined && !/^\d{1,10}$/.test(transactionId)) throw refuse("a number as transactionId");
  return {
    chargingProfileId: id,
    stackLevel,
    chargingProfilePurpose: purpose,
    chargingProfileKind,
    ...(recurrencyKind === undefined ? {} : { recurrencyKind }),
    ...(validFrom === undefined ? {} : { validFrom }),
    ...(validTo === undefined ? {} : { validTo }),
    ...(transactionId === undefined ? {} : { transactionId: Number(transactionId) }),
    chargingSchedule: scheduleOfFamily1(schedule, refuse),
  };
}

function scheduleOfFamily1(
  schedule: Ocpp21.ChargingScheduleType,
  refuse: (what: string) => CommandNotSupportedError,
): Ocpp16.ChargingSchedule {
  const { startSchedule, duration, chargingRateUnit, minChargingRate, chargingSchedulePeriod } = schedule;
  const unknown = unknownField(schedule, scheduleFields);
  if (unknown !== undefined) throw refuse(`no ${unknown}`);
  return {
    ...(startSchedule === undefined ? {} : { startSchedule }),
    ...(duration === undefined ? {} : { duration }),
    chargingRateUnit,
    ...(minChargingRate === undefined ? {} : { minChargingRate }),
    chargingSchedulePeriod: chargingSchedulePeriod.map((period) => {
      const { startPeriod, limit, numberPhases } = period;
      const unknownOfPeriod = unknownField(period, periodFields);
      if (unknownOfPeriod !== undefined) throw refuse(`no ${unknownOfPeriod}`);
      if (limit === undefined) throw refuse("a limit in every period");
      return { startPeriod, limit, ...(numberPhases === undefined ? {} : { numberPhases }) };
    }),
  };
}

function unknownField(value: object, known: ReadonlySet<string>): string | undefined {
  return Object.entries(value).find(([name, member]) => member !== undefined && !known.has(name))?.[0];
}

function purposeOfFamily1(
  purpose: Ocpp21.ChargingProfilePurposeEnumType,
): Ocpp16.ChargingProfilePurposeType | undefined {
  return Object.hasOwn(purposes, purpose) ? purposes[purpose as keyof typeof purposes] : undefined;
}

/** Translates the commands of block K that 1.6 has (1.6 §5.5, §5.7, §5.16). */
export function translateFamily1(commands: CommandRegistry, calls: StationCalls): void {
  commands.translate("SetChargingProfile", async (stationId, request, options) => {
    const csChargingProfiles = chargingProfileOfFamily1(stationId, "setChargingProfile", request.chargingProfile);
    const payload = { connectorId: request.evseId, csChargingProfiles };
    const { status } = await calls.call1(stationId, "SetChargingProfile", payload, options);
    if (status !== "NotSupported") return { status };
    return { status: "Rejected", statusInfo: { reasonCode: "UnsupportedRequest" } };
  });

  commands.translate("ClearChargingProfile", async (stationId, request, options) => {
    const { evseId, chargingProfilePurpose, stackLevel } = request.chargingProfileCriteria ?? {};
    const purpose = chargingProfilePurpose === undefined ? undefined : purposeOfFamily1(chargingProfilePurpose);
    if (chargingProfilePurpose !== undefined && purpose === undefined) {
      // No profile of 1.6 has this purpose, so none matches.
      return { status: "Unknown" };
    }
    const payload = {
      ...(request.chargingProfileId === undefined ? {} : { id: request.chargingProfileId }),
      ...(evseId === undefined ? {} : { connectorId: evseId }),
      ...(purpose === undefined ? {} : { chargingProfilePurpose: purpose }),
      ...(stackLevel === undefined ? {} : { stackLevel }),
    };
    return calls.call1(stationId, "ClearChargingProfile", payload, options);
  });

  commands.translate("GetCompositeSchedule", async (stationId, request, options) => {
    const { evseId, duration, chargingRateUnit } = request;
    const payload = { connectorId: evseId, duration, ...(chargingRateUnit === undefined ? {} : { chargingRateUnit }) };
    const response = await calls.call1(stationId, "GetCompositeSchedule", payload, options);
    const { status, chargingSchedule } = response;
    const scheduleStart = response.scheduleStart ?? chargingSchedule?.startSchedule;
    if (chargingSchedule === undefined || scheduleStart === undefined) return { status };
    return {
      status,
      schedule: {
        evseId: response.connectorId ?? evseId,
        duration: chargingSchedule.duration ?? duration,
        scheduleStart,
        chargingRateUnit: chargingSchedule.chargingRateUnit,
        chargingSchedulePeriod: chargingSchedule.chargingSchedulePeriod,
      },
    };
  });
}

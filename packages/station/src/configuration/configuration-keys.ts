import type { Ocpp16, OcppVersion } from "@polyphase/ocpp";
import { LocalList } from "../authorization/local-list.ts";
import { isSupportedMeasurand, type Measurand, supportedMeasurands } from "../metering/meter-sample.ts";
import { ChargingProfiles } from "../smart-charging/charging-profiles.ts";
import type { ConfigurationStore } from "./configuration-store.ts";
import type { SettingOf, Settings } from "./settings.ts";

/** A version of family 1. */
export type Family1Version = Extract<OcppVersion, "1.2" | "1.5" | "1.6">;

/** What a key can depend on besides the settings. */
export interface KeyContext {
  readonly store: ConfigurationStore;
  readonly version: Family1Version;
  readonly connectors: number;
  /** Takes a new password, its bytes in hexadecimal, for the next connection. */
  changeAuthorizationKey(hex: string): void;
}

/** A configuration key of family 1 (OCPP 1.6 §9). */
export interface ConfigurationKey {
  readonly key: string;
  /** Undefined for write-only keys. */
  read(context: KeyContext): string | undefined;
  /** Absent for read-only keys. */
  readonly write?: (context: KeyContext, value: string) => Ocpp16.ConfigurationStatus;
}

const LONGEST_MEASURAND_LIST = 10;

/** The measurands that a version has words for. */
export function measurandsOf(version: Family1Version): readonly Measurand[] {
  if (version === "1.2") return ["Energy.Active.Import.Register"];
  if (version === "1.6") return supportedMeasurands;
  const words15: readonly Measurand[] = [
    "Energy.Active.Import.Register",
    "Energy.Active.Import.Interval",
    "Power.Active.Import",
    "Current.Import",
    "Voltage",
  ];
  return words15;
}

/** Reads a whole number of at least `minimum`; undefined for anything else. */
function parseInteger(text: string, minimum: number): number | undefined {
  if (!/^[+-]?\d{1,9}$/.test(text.trim())) return undefined;
  const value = Number(text);
  return value >= minimum ? value : undefined;
}

function parseBoolean(text: string): boolean | undefined {
  const lower = text.trim().toLowerCase();
  return lower === "true" ? true : lower === "false" ? false : undefined;
}

/** @param twin a setting that family 1 does not tell apart from the first */
function integer(
  key: string,
  setting: SettingOf<number>,
  minimum = 0,
  twin: SettingOf<number> = setting,
): ConfigurationKey {
  return {
    key,
    read: ({ store }) => String(store.settings[setting]),
    write({ store }, text) {
      const value = parseInteger(text, minimum);
      if (value === undefined) return "Rejected";
      store.change(setting, value);
      store.change(twin, value);
      return "Accepted";
    },
  };
}

function boolean(key: string, setting: SettingOf<boolean>): ConfigurationKey {
  return {
    key,
    read: ({ store }) => String(store.settings[setting]),
    write({ store }, text) {
      const value = parseBoolean(text);
      if (value === undefined) return "Rejected";
      store.change(setting, value);
      return "Accepted";
    },
  };
}

type MeasurandSetting = {
  [K in keyof Settings]: Settings[K] extends readonly Measurand[] ? K : never;
}[keyof Settings];

function measurands(key: string, setting: MeasurandSetting): ConfigurationKey {
  return {
    key,
    read: ({ store }) => store.settings[setting].join(","),
    write({ store, version }, text) {
      const names = text.split(",").flatMap((name) => (name.trim() === "" ? [] : [name.trim()]));
      const known = names.filter(isSupportedMeasurand).filter((name) => measurandsOf(version).includes(name));
      // The list is taken as a whole or not at all (OCPP 1.6 §5.3).
      if (known.length !== names.length || names.length > LONGEST_MEASURAND_LIST) return "Rejected";
      store.change(setting, known);
      return "Accepted";
    },
  };
}

function fixed(key: string, value: string | ((context: KeyContext) => string)): ConfigurationKey {
  return { key, read: typeof value === "string" ? () => value : value };
}

/** A key that is kept and reported, without a part of the simulation that it could change. */
function kept(key: string, initial: string, accepts: (text: string) => boolean): ConfigurationKey {
  return {
    key,
    read: ({ store }) => store.stored(key) ?? initial,
    write({ store }, text) {
      if (!accepts(text)) return "Rejected";
      store.store(key, text);
      return "Accepted";
    },
  };
}

function isCount(text: string): boolean {
  return parseInteger(text, 0) !== undefined;
}

function isTruth(text: string): boolean {
  return parseBoolean(text) !== undefined;
}

/** 16 to 20 bytes in hexadecimal; never shown (security whitepaper, AuthorizationKey). */
const authorizationKey: ConfigurationKey = {
  key: "AuthorizationKey",
  read: () => undefined,
  write(context, text) {
    if (!/^([0-9a-fA-F]{2}){16,20}$/.test(text)) return "Rejected";
    context.changeAuthorizationKey(text);
    return "Accepted";
  },
};

const coreOf12: readonly ConfigurationKey[] = [
  integer("HeartBeatInterval", "heartbeatIntervalS"),
  integer("ConnectionTimeOut", "evConnectionTimeOutS"),
  kept("ProximityContactRetries", "0", isCount),
  kept("ProximityLockRetries", "2", isCount),
  integer("ResetRetries", "resetRetries"),
  kept("BlinkRepeat", "3", isCount),
  kept("LightIntensity", "100", (text) => (parseInteger(text, 0) ?? 101) <= 100),
  integer("MeterValueSampleInterval", "txUpdatedIntervalS", 0, "txEndedIntervalS"),
];

const metering: readonly ConfigurationKey[] = [
  integer("ClockAlignedDataInterval", "alignedIntervalS", 0, "alignedTxEndedIntervalS"),
  measurands("MeterValuesSampledData", "txUpdatedMeasurands"),
  measurands("MeterValuesAlignedData", "alignedMeasurands"),
  measurands("StopTxnSampledData", "txEndedMeasurands"),
  measurands("StopTxnAlignedData", "alignedTxEndedMeasurands"),
];

const coreOf16: readonly ConfigurationKey[] = [
  authorizationKey,
  boolean("AllowOfflineTxForUnknownId", "offlineTxForUnknownId"),
  boolean("AuthorizationCacheEnabled", "authCacheEnabled"),
  boolean("AuthorizeRemoteTxRequests", "authorizeRemoteStart"),
  kept("BlinkRepeat", "3", isCount),
  integer("ConnectionTimeOut", "evConnectionTimeOutS"),
  kept("ConnectorPhaseRotation", "0.RST", (text) => /^\d+\.[A-Za-z]{3,7}(,\s*\d+\.[A-Za-z]{3,7})*$/.test(text)),
  fixed("ConnectorPhaseRotationMaxLength", ({ connectors }) => String(connectors + 1)),
  fixed("GetConfigurationMaxKeys", "100"),
  integer("HeartbeatInterval", "heartbeatIntervalS"),
  kept("LightIntensity", "100", (text) => (parseInteger(text, 0) ?? 101) <= 100),
  boolean("LocalAuthorizeOffline", "localAuthorizeOffline"),
  boolean("LocalPreAuthorize", "localPreAuthorize"),
  integer("MaxEnergyOnInvalidId", "maxEnergyOnInvalidIdWh"),
  ...metering,
  integer("MeterValueSampleInterval", "txUpdatedIntervalS", 0, "txEndedIntervalS"),
  fixed("MeterValuesAlignedDataMaxLength", String(LONGEST_MEASURAND_LIST)),
  fixed("MeterValuesSampledDataMaxLength", String(LONGEST_MEASURAND_LIST)),
  kept("MinimumStatusDuration", "0", isCount),
  fixed("NumberOfConnectors", ({ connectors }) => String(connectors)),
  integer("ResetRetries", "resetRetries"),
  boolean("StopTransactionOnEVSideDisconnect", "stopTxOnEvSideDisconnect"),
  boolean("StopTransactionOnInvalidId", "stopTxOnInvalidId"),
  fixed("StopTxnAlignedDataMaxLength", String(LONGEST_MEASURAND_LIST)),
  fixed("StopTxnSampledDataMaxLength", String(LONGEST_MEASURAND_LIST)),
  fixed(
    "SupportedFeatureProfiles",
    "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger",
  ),
  fixed("SupportedFeatureProfilesMaxLength", "6"),
  integer("TransactionMessageAttempts", "messageAttempts", 1),
  integer("TransactionMessageRetryInterval", "messageAttemptIntervalS"),
  boolean("UnlockConnectorOnEVSideDisconnect", "unlockOnEvSideDisconnect"),
  integer("WebSocketPingInterval", "webSocketPingIntervalS"),
  boolean("LocalAuthListEnabled", "localAuthListEnabled"),
  fixed("LocalAuthListMaxLength", String(LocalList.capacity)),
  fixed("SendLocalListMaxLength", "500"),
  fixed("ReserveConnectorZeroSupported", "false"),
  fixed("ChargeProfileMaxStackLevel", String(ChargingProfiles.maxStackLevel)),
  fixed("ChargingScheduleAllowedChargingRateUnit", "Current,Power"),
  fixed("ChargingScheduleMaxPeriods", String(ChargingProfiles.maxPeriods)),
  fixed("ConnectorSwitch3to1PhaseSupported", "false"),
  fixed("MaxChargingProfilesInstalled", String(ChargingProfiles.maxProfiles)),
  kept("SupportedFileTransferProtocols", "", () => false),
  kept("AllowNewSessionsPendingFirmwareUpdate", "true", isTruth),
];

const keys: Readonly<Record<Family1Version, readonly ConfigurationKey[]>> = {
  "1.2": coreOf12,
  "1.5": [...coreOf12, ...metering, fixed("NumberOfConnectors", ({ connectors }) => String(connectors))],
  "1.6": coreOf16,
};

/** All keys of a version, in the order of GetConfiguration. */
export function configurationKeys(version: Family1Version): readonly ConfigurationKey[] {
  return keys[version];
}

/** The key with this name; names are compared without regard to case, as CiString50 has it. */
export function findConfigurationKey(version: Family1Version, name: string): ConfigurationKey | undefined {
  const wanted = name.toLowerCase();
  return keys[version].find((candidate) => candidate.key.toLowerCase() === wanted);
}

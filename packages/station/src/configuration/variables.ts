import { LocalList } from "../authorization/local-list.ts";
import { isSupportedMeasurand, type Measurand, supportedMeasurands } from "../metering/meter-sample.ts";
import { ChargingProfiles } from "../smart-charging/charging-profiles.ts";
import { type EvseFacts, type ModelContext, splitList, type VariableDefinition } from "./device-model.ts";
import type { SettingOf, Settings, TxPoint } from "./settings.ts";

/** Most elements in GetReport, GetVariables and SetVariables. */
export const ITEMS_PER_MESSAGE = 50;
const BYTES_PER_MESSAGE = 65_000;

/** Entries of SendLocalList in one message. */
const LOCAL_LIST_ITEMS_PER_MESSAGE = 500;

const txPoints: readonly TxPoint[] = [
  "ParkingBayOccupancy",
  "EVConnected",
  "Authorized",
  "PowerPathClosed",
  "EnergyTransfer",
];

/** The name of a variable, with its instance where it has one: `Name` or `Name[Instance]`. */
function named(name: string): Pick<VariableDefinition, "variable" | "instance"> {
  const match = /^(\w+)\[(.+)\]$/.exec(name);
  const [, variable, instance] = match ?? [];
  return variable === undefined || instance === undefined ? { variable: name } : { variable, instance };
}

function integer(
  component: string,
  name: string,
  setting: SettingOf<number>,
  limits: { readonly min?: number; readonly max?: number; readonly unit?: string } = {},
): VariableDefinition {
  return {
    component,
    ...named(name),
    dataType: "integer",
    mutability: "ReadWrite",
    minLimit: limits.min ?? 0,
    ...(limits.max === undefined ? {} : { maxLimit: limits.max }),
    ...(limits.unit === undefined ? {} : { unit: limits.unit }),
    read: ({ store }) => String(store.settings[setting]),
    write({ store }, value) {
      store.change(setting, Number(value));
      return "Accepted";
    },
  };
}

function boolean(component: string, name: string, setting: SettingOf<boolean>): VariableDefinition {
  return {
    component,
    ...named(name),
    dataType: "boolean",
    mutability: "ReadWrite",
    read: ({ store }) => String(store.settings[setting]),
    write({ store }, value) {
      store.change(setting, value === "true");
      return "Accepted";
    },
  };
}

type MeasurandSetting = {
  [K in keyof Settings]: Settings[K] extends readonly Measurand[] ? K : never;
}[keyof Settings];

function measurands(component: string, name: string, setting: MeasurandSetting): VariableDefinition {
  return {
    component,
    ...named(name),
    dataType: "MemberList",
    valuesList: supportedMeasurands.join(","),
    mutability: "ReadWrite",
    read: ({ store }) => store.settings[setting].join(","),
    write({ store }, value) {
      store.change(setting, splitList(value).filter(isSupportedMeasurand));
      return "Accepted";
    },
  };
}

function points(name: string, setting: "txStartPoint" | "txStopPoint"): VariableDefinition {
  return {
    component: "TxCtrlr",
    variable: name,
    dataType: "MemberList",
    valuesList: txPoints.join(","),
    mutability: "ReadWrite",
    read: ({ store }) => store.settings[setting].join(","),
    write({ store }, value) {
      const members = splitList(value);
      const chosen = txPoints.filter((point) => members.includes(point));
      // Without any point no transaction would ever start, or end.
      if (chosen.length === 0) return "Rejected";
      store.change(setting, chosen);
      return "Accepted";
    },
  };
}

function fixed(
  component: string,
  name: string,
  dataType: VariableDefinition["dataType"],
  value: string | ((context: ModelContext) => string),
  more: Partial<Pick<VariableDefinition, "unit" | "maxLimit" | "valuesList">> = {},
): VariableDefinition {
  return {
    component,
    ...named(name),
    dataType,
    mutability: "ReadOnly",
    read: typeof value === "string" ? () => value : value,
    ...more,
  };
}

/** Kept and reported, without a part of the simulation that it could change. */
function kept(
  component: string,
  name: string,
  initial: string,
  shape: Pick<VariableDefinition, "dataType"> & Partial<VariableDefinition>,
): VariableDefinition {
  const key = `${component}.${name}`;
  return {
    component,
    ...named(name),
    mutability: "ReadWrite",
    read: ({ store }) => store.stored(key) ?? initial,
    write({ store }, value) {
      store.store(key, value);
      return "Accepted";
    },
    ...shape,
  };
}

const deviceData = ["GetReport", "GetVariables", "SetVariables"].flatMap((message) => [
  fixed("DeviceDataCtrlr", `BytesPerMessage[${message}]`, "integer", String(BYTES_PER_MESSAGE)),
  fixed("DeviceDataCtrlr", `ItemsPerMessage[${message}]`, "integer", String(ITEMS_PER_MESSAGE)),
]);

const basicAuthPassword: VariableDefinition = {
  component: "SecurityCtrlr",
  variable: "BasicAuthPassword",
  dataType: "string",
  mutability: "WriteOnly",
  maxLimit: 40,
  read: () => "",
  write(context, value) {
    // A00.FR.205: 16 characters at least.
    if (value.length < 16) return "Rejected";
    context.changePassword(value);
    return "Accepted";
  },
};

const availabilityValues = { valuesList: "Available,Occupied,Reserved,Unavailable,Faulted" } as const;

const stationVariables: readonly VariableDefinition[] = [
  fixed("AlignedDataCtrlr", "Available", "boolean", "true"),
  integer("AlignedDataCtrlr", "Interval", "alignedIntervalS", { unit: "s" }),
  measurands("AlignedDataCtrlr", "Measurands", "alignedMeasurands"),
  boolean("AlignedDataCtrlr", "SendDuringIdle", "alignedOnlyDuringIdle"),
  integer("AlignedDataCtrlr", "TxEndedInterval", "alignedTxEndedIntervalS", { unit: "s" }),
  measurands("AlignedDataCtrlr", "TxEndedMeasurands", "alignedTxEndedMeasurands"),
  fixed("AuthCacheCtrlr", "Available", "boolean", "true"),
  boolean("AuthCacheCtrlr", "Enabled", "authCacheEnabled"),
  integer("AuthCacheCtrlr", "LifeTime", "authCacheLifeTimeS", { unit: "s" }),
  boolean("AuthCtrlr", "AuthorizeRemoteStart", "authorizeRemoteStart"),
  boolean("AuthCtrlr", "Enabled", "authorizationEnabled"),
  boolean("AuthCtrlr", "LocalAuthorizeOffline", "localAuthorizeOffline"),
  boolean("AuthCtrlr", "LocalPreAuthorize", "localPreAuthorize"),
  {
    component: "AuthCtrlr",
    variable: "MasterPassGroupId",
    dataType: "string",
    maxLimit: 36,
    mutability: "ReadWrite",
    read: ({ store }) => store.settings.masterPassGroupId,
    write({ store }, value) {
      store.change("masterPassGroupId", value);
      return "Accepted";
    },
  },
  boolean("AuthCtrlr", "OfflineTxForUnknownIdEnabled", "offlineTxForUnknownId"),
  fixed(
    "ChargingStation",
    "AvailabilityState",
    "OptionList",
    ({ stationOperative }) => (stationOperative ? "Available" : "Unavailable"),
    availabilityValues,
  ),
  fixed("ChargingStation", "Available", "boolean", "true"),
  fixed("ChargingStation", "Model", "string", ({ identity }) => identity.model),
  fixed("ChargingStation", "SerialNumber", "string", ({ identity }) => identity.serialNumber),
  fixed("ChargingStation", "FirmwareVersion", "string", ({ identity }) => identity.firmwareVersion),
  fixed("ChargingStation", "SupplyPhases", "integer", ({ evses }) => String(evses[0]?.phases ?? 3)),
  fixed("ChargingStation", "VendorName", "string", ({ identity }) => identity.vendorName),
  fixed("ClockCtrlr", "DateTime", "dateTime", (context) => new Date(context.stationTime()).toISOString()),
  kept("ClockCtrlr", "TimeSource", "Heartbeat", { dataType: "SequenceList", valuesList: "Heartbeat" }),
  ...deviceData,
  fixed("DisplayMessageCtrlr", "Available", "boolean", "false"),
  fixed("LocalAuthListCtrlr", "Available", "boolean", "true"),
  fixed("LocalAuthListCtrlr", "BytesPerMessage", "integer", String(BYTES_PER_MESSAGE)),
  boolean("LocalAuthListCtrlr", "Enabled", "localAuthListEnabled"),
  fixed("LocalAuthListCtrlr", "Entries", "integer", ({ localListEntries }) => String(localListEntries), {
    maxLimit: LocalList.capacity,
  }),
  fixed("LocalAuthListCtrlr", "ItemsPerMessage", "integer", String(LOCAL_LIST_ITEMS_PER_MESSAGE)),
  fixed("MonitoringCtrlr", "Available", "boolean", "false"),
  fixed("OCPPCommCtrlr", "ActiveNetworkProfile", "string", "0"),
  fixed("OCPPCommCtrlr", "FileTransferProtocols", "MemberList", ""),
  integer("OCPPCommCtrlr", "HeartbeatInterval", "heartbeatIntervalS", { min: 1, unit: "s" }),
  integer("OCPPCommCtrlr", "MessageTimeout[Default]", "messageTimeoutS", { min: 1, unit: "s" }),
  integer("OCPPCommCtrlr", "MessageAttemptInterval[TransactionEvent]", "messageAttemptIntervalS", { unit: "s" }),
  integer("OCPPCommCtrlr", "MessageAttempts[TransactionEvent]", "messageAttempts", { min: 1 }),
  kept("OCPPCommCtrlr", "NetworkConfigurationPriority", "0", { dataType: "SequenceList", valuesList: "0" }),
  kept("OCPPCommCtrlr", "NetworkProfileConnectionAttempts", "3", { dataType: "integer", minLimit: 1 }),
  integer("OCPPCommCtrlr", "OfflineThreshold", "offlineThresholdS", { unit: "s" }),
  integer("OCPPCommCtrlr", "ResetRetries", "resetRetries"),
  integer("OCPPCommCtrlr", "RetryBackOffRandomRange", "retryBackOffRandomRangeS", { unit: "s" }),
  integer("OCPPCommCtrlr", "RetryBackOffRepeatTimes", "retryBackOffRepeatTimes"),
  integer("OCPPCommCtrlr", "RetryBackOffWaitMinimum", "retryBackOffWaitMinimumS", { unit: "s" }),
  boolean("OCPPCommCtrlr", "UnlockOnEVSideDisconnect", "unlockOnEvSideDisconnect"),
  integer("OCPPCommCtrlr", "WebSocketPingInterval", "webSocketPingIntervalS", { unit: "s" }),
  fixed("ReservationCtrlr", "Available", "boolean", "true"),
  boolean("ReservationCtrlr", "Enabled", "reservationEnabled"),
  fixed("ReservationCtrlr", "NonEvseSpecific", "boolean", "false"),
  fixed("SampledDataCtrlr", "Available", "boolean", "true"),
  fixed("SampledDataCtrlr", "RegisterValuesWithoutPhases", "boolean", "true"),
  integer("SampledDataCtrlr", "TxEndedInterval", "txEndedIntervalS", { unit: "s" }),
  measurands("SampledDataCtrlr", "TxEndedMeasurands", "txEndedMeasurands"),
  measurands("SampledDataCtrlr", "TxStartedMeasurands", "txStartedMeasurands"),
  integer("SampledDataCtrlr", "TxUpdatedInterval", "txUpdatedIntervalS", { unit: "s" }),
  measurands("SampledDataCtrlr", "TxUpdatedMeasurands", "txUpdatedMeasurands"),
  basicAuthPassword,
  fixed("SecurityCtrlr", "CertificateEntries", "integer", "0", { maxLimit: 0 }),
  fixed("SecurityCtrlr", "Identity", "string", ({ stationId }) => stationId),
  kept("SecurityCtrlr", "OrganizationName", "Polyphase", { dataType: "string", maxLimit: 64 }),
  fixed("SecurityCtrlr", "SecurityProfile", "integer", ({ securityProfile }) => String(securityProfile)),
  fixed("SmartChargingCtrlr", "Available", "boolean", "true"),
  boolean("SmartChargingCtrlr", "Enabled", "smartChargingEnabled"),
  fixed("SmartChargingCtrlr", "Entries[ChargingProfiles]", "integer", ({ profileEntries }) => String(profileEntries), {
    maxLimit: ChargingProfiles.maxProfiles,
  }),
  fixed("SmartChargingCtrlr", "LimitChangeSignificance", "decimal", "0.0", { unit: "Percent" }),
  fixed("SmartChargingCtrlr", "PeriodsPerSchedule", "integer", String(ChargingProfiles.maxPeriods)),
  fixed("SmartChargingCtrlr", "ProfileStackLevel", "integer", String(ChargingProfiles.maxStackLevel)),
  fixed("SmartChargingCtrlr", "RateUnit", "MemberList", "A,W", { valuesList: "A,W" }),
  fixed("TariffCostCtrlr", "Available[Tariff]", "boolean", "false"),
  fixed("TariffCostCtrlr", "Available[Cost]", "boolean", "false"),
  integer("TxCtrlr", "EVConnectionTimeOut", "evConnectionTimeOutS", { unit: "s" }),
  integer("TxCtrlr", "MaxEnergyOnInvalidId", "maxEnergyOnInvalidIdWh", { unit: "Wh" }),
  boolean("TxCtrlr", "StopTxOnEVSideDisconnect", "stopTxOnEvSideDisconnect"),
  boolean("TxCtrlr", "StopTxOnInvalidId", "stopTxOnInvalidId"),
  boolean("TxCtrlr", "TxBeforeAcceptedEnabled", "txBeforeAccepted"),
  points("TxStartPoint", "txStartPoint"),
  points("TxStopPoint", "txStopPoint"),
];

function ofEvse(definition: VariableDefinition, evseId: number, connectorId?: number): VariableDefinition {
  return { ...definition, evseId, ...(connectorId === undefined ? {} : { connectorId }) };
}

function evseVariables(evse: EvseFacts): VariableDefinition[] {
  const state = () => evse.availabilityState;
  const phases = String(evse.phases);
  const connectorType = evse.kind === "AC" ? "sType2" : "cCCS2";
  return [
    ofEvse(fixed("EVSE", "AllowReset", "boolean", "true"), evse.id),
    ofEvse(fixed("EVSE", "AvailabilityState", "OptionList", state, availabilityValues), evse.id),
    ofEvse(fixed("EVSE", "Available", "boolean", "true"), evse.id),
    ofEvse(fixed("EVSE", "Power", "decimal", String(evse.powerW), { unit: "W", maxLimit: evse.maxPowerW }), evse.id),
    ofEvse(fixed("EVSE", "SupplyPhases", "integer", phases), evse.id),
    ofEvse(fixed("Connector", "AvailabilityState", "OptionList", state, availabilityValues), evse.id, 1),
    ofEvse(fixed("Connector", "Available", "boolean", "true"), evse.id, 1),
    ofEvse(fixed("Connector", "ConnectorType", "string", connectorType), evse.id, 1),
    ofEvse(fixed("Connector", "SupplyPhases", "integer", phases), evse.id, 1),
  ];
}

/** All variables of a station, those of its EVSEs and connectors included. */
export function allVariables(context: ModelContext): readonly VariableDefinition[] {
  return [...stationVariables, ...context.evses.flatMap(evseVariables)];
}

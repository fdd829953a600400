import type { Ocpp21 } from "@polyphase/ocpp";

/**
 * The component that holds what only family 1 has: every configuration key that has no equal in the device model of
 * 2.x is a variable of this component under the key's own name. All keys can also be addressed through it.
 */
export const CONFIGURATION_COMPONENT = "Configuration";

type Equal = readonly [
  key: string,
  component: string,
  variable: string,
  dataType: Ocpp21.DataEnumType,
  variableInstance?: string,
];

/** Keys of 1.6 (§9, and whitepaper §5) whose meaning and unit a variable of the device model shares. */
const equals: readonly Equal[] = [
  ["AllowOfflineTxForUnknownId", "AuthCtrlr", "OfflineTxForUnknownIdEnabled", "boolean"],
  ["AuthorizationCacheEnabled", "AuthCacheCtrlr", "Enabled", "boolean"],
  ["AuthorizeRemoteTxRequests", "AuthCtrlr", "AuthorizeRemoteStart", "boolean"],
  ["ClockAlignedDataInterval", "AlignedDataCtrlr", "Interval", "integer"],
  ["ConnectionTimeOut", "TxCtrlr", "EVConnectionTimeOut", "integer"],
  ["HeartbeatInterval", "OCPPCommCtrlr", "HeartbeatInterval", "integer"],
  ["LocalAuthorizeOffline", "AuthCtrlr", "LocalAuthorizeOffline", "boolean"],
  ["LocalPreAuthorize", "AuthCtrlr", "LocalPreAuthorize", "boolean"],
  ["MaxEnergyOnInvalidId", "TxCtrlr", "MaxEnergyOnInvalidId", "integer"],
  ["MeterValuesAlignedData", "AlignedDataCtrlr", "Measurands", "MemberList"],
  ["MeterValuesSampledData", "SampledDataCtrlr", "TxUpdatedMeasurands", "MemberList"],
  ["MeterValueSampleInterval", "SampledDataCtrlr", "TxUpdatedInterval", "integer"],
  ["ResetRetries", "OCPPCommCtrlr", "ResetRetries", "integer"],
  ["StopTransactionOnEVSideDisconnect", "TxCtrlr", "StopTxOnEVSideDisconnect", "boolean"],
  ["StopTransactionOnInvalidId", "TxCtrlr", "StopTxOnInvalidId", "boolean"],
  ["StopTxnAlignedData", "AlignedDataCtrlr", "TxEndedMeasurands", "MemberList"],
  ["StopTxnSampledData", "SampledDataCtrlr", "TxEndedMeasurands", "MemberList"],
  ["TransactionMessageAttempts", "OCPPCommCtrlr", "MessageAttempts", "integer", "TransactionEvent"],
  ["TransactionMessageRetryInterval", "OCPPCommCtrlr", "MessageAttemptInterval", "integer", "TransactionEvent"],
  ["UnlockConnectorOnEVSideDisconnect", "OCPPCommCtrlr", "UnlockOnEVSideDisconnect", "boolean"],
  ["WebSocketPingInterval", "OCPPCommCtrlr", "WebSocketPingInterval", "integer"],
  ["LocalAuthListEnabled", "LocalAuthListCtrlr", "Enabled", "boolean"],
  ["SendLocalListMaxLength", "LocalAuthListCtrlr", "ItemsPerMessage", "integer"],
  ["ReserveConnectorZeroSupported", "ReservationCtrlr", "NonEvseSpecific", "boolean"],
  ["ChargeProfileMaxStackLevel", "SmartChargingCtrlr", "ProfileStackLevel", "integer"],
  ["ChargingScheduleMaxPeriods", "SmartChargingCtrlr", "PeriodsPerSchedule", "integer"],
  ["ConnectorSwitch3to1PhaseSupported", "SmartChargingCtrlr", "Phases3to1", "boolean"],
  ["AdditionalRootCertificateCheck", "SecurityCtrlr", "AdditionalRootCertificateCheck", "boolean"],
  ["CertificateSignedMaxChainSize", "SecurityCtrlr", "MaxCertificateChainSize", "integer"],
  ["CpoName", "SecurityCtrlr", "OrganizationName", "string"],
  ["SecurityProfile", "SecurityCtrlr", "SecurityProfile", "integer"],
];

// Keys are CiString (1.6 §7.29): upper and lower case are the same.
const byKey = new Map(equals.map((row) => [row[0].toLowerCase(), row]));
const byVariable = new Map(equals.map((row) => [variableKey(row[1], row[2], row[4]), row]));
const components = new Set(equals.map(([, component]) => component.toLowerCase()));

// B05: names of components and variables are case-insensitive (2.x part 1 §4.1).
function variableKey(component: string, variable: string, instance: string | undefined): string {
  return `${component}\n${variable}\n${instance ?? ""}`.toLowerCase();
}

/** The variable that a configuration key is. */
export interface KeyVariable {
  readonly component: Ocpp21.ComponentType;
  readonly variable: Ocpp21.VariableType;
  /** Undefined for a key that the specification does not define or gives no type. */
  readonly dataType: Ocpp21.DataEnumType | undefined;
}

/** The variable of the device model that a configuration key is. */
export function variableOfKey(key: string): KeyVariable {
  const row = byKey.get(key.toLowerCase());
  if (row === undefined) {
    return { component: { name: CONFIGURATION_COMPONENT }, variable: { name: key }, dataType: undefined };
  }
  const [, component, variable, dataType, instance] = row;
  return {
    component: { name: component },
    variable: { name: variable, ...(instance === undefined ? {} : { instance }) },
    dataType,
  };
}

/** The configuration key that a variable is, or what of it family 1 does not know. */
export function keyOfVariable(
  component: Ocpp21.ComponentType,
  variable: Ocpp21.VariableType,
): { readonly key: string } | "UnknownComponent" | "UnknownVariable" {
  const { name, instance, evse } = component;
  if (instance !== undefined || evse !== undefined) return "UnknownComponent";
  if (name.toLowerCase() === CONFIGURATION_COMPONENT.toLowerCase()) {
    return variable.instance === undefined ? { key: variable.name } : "UnknownVariable";
  }
  const row = byVariable.get(variableKey(name, variable.name, variable.instance));
  if (row !== undefined) return { key: row[0] };
  return components.has(name.toLowerCase()) ? "UnknownVariable" : "UnknownComponent";
}

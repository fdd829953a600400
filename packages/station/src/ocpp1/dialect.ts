import type { Ocpp12, Ocpp15, Ocpp16 } from "@polyphase/ocpp";
import type { Family1Version } from "../configuration/configuration-keys.ts";

/** The payloads of 1.6 in the words of 1.2 and 1.5, where they differ; 1.6 itself passes through. */

const status15: Readonly<Record<Ocpp16.ChargePointStatus, Ocpp15.ChargePointStatus>> = {
  Available: "Available",
  Preparing: "Occupied",
  Charging: "Occupied",
  SuspendedEV: "Occupied",
  SuspendedEVSE: "Occupied",
  Finishing: "Occupied",
  Reserved: "Reserved",
  Unavailable: "Unavailable",
  Faulted: "Faulted",
};

/** The status of a connector as a version spells it. */
export function statusIn(version: Family1Version, status: Ocpp16.ChargePointStatus): string {
  if (version === "1.6") return status;
  const word = status15[status];
  return version === "1.2" && word === "Reserved" ? "Occupied" : word;
}

const errorCode15: Readonly<Record<Ocpp16.ChargePointErrorCode, Ocpp15.ChargePointErrorCode>> = {
  ConnectorLockFailure: "ConnectorLockFailure",
  EVCommunicationError: "Mode3Error",
  GroundFailure: "GroundFailure",
  HighTemperature: "HighTemperature",
  InternalError: "OtherError",
  LocalListConflict: "OtherError",
  NoError: "NoError",
  OtherError: "OtherError",
  OverCurrentFailure: "OverCurrentFailure",
  OverVoltage: "OtherError",
  PowerMeterFailure: "PowerMeterFailure",
  PowerSwitchFailure: "PowerSwitchFailure",
  ReaderFailure: "ReaderFailure",
  ResetFailure: "ResetFailure",
  UnderVoltage: "UnderVoltage",
  WeakSignal: "WeakSignal",
};

const errorCodes12: ReadonlySet<string> = new Set([
  "ConnectorLockFailure",
  "HighTemperature",
  "Mode3Error",
  "NoError",
  "PowerMeterFailure",
  "PowerSwitchFailure",
  "ReaderFailure",
  "ResetFailure",
]);

function errorCodeIn(version: "1.2" | "1.5", code: Ocpp16.ChargePointErrorCode): string {
  const word = errorCode15[code];
  // 1.2 has no word for other electrical faults; what they have in common is that power is switched off.
  return version === "1.2" && !errorCodes12.has(word) ? "PowerSwitchFailure" : word;
}

const contexts15: ReadonlySet<string> = new Set([
  "Interruption.Begin",
  "Interruption.End",
  "Sample.Clock",
  "Sample.Periodic",
  "Transaction.Begin",
  "Transaction.End",
]);

const locations15: ReadonlySet<string> = new Set(["Inlet", "Outlet", "Body"]);

const units15: Readonly<Record<string, Ocpp15.UnitOfMeasure>> = {
  Wh: "Wh",
  kWh: "kWh",
  W: "W",
  kW: "kW",
  A: "Amp",
  V: "Volt",
};

function sampledValue15(value: Ocpp16.SampledValue): Ocpp15.SampledValue {
  const unit = value.unit === undefined ? undefined : units15[value.unit];
  return {
    value: value.value,
    ...(value.context !== undefined && contexts15.has(value.context)
      ? { context: value.context as Ocpp15.ReadingContext }
      : {}),
    ...(value.measurand === undefined ? {} : { measurand: value.measurand as Ocpp15.Measurand }),
    ...(value.location !== undefined && locations15.has(value.location)
      ? { location: value.location as Ocpp15.Location }
      : {}),
    ...(unit === undefined ? {} : { unit }),
  };
}

/** 1.5 has no phases: one value per measurand remains, the mean of its phases. */
function withoutPhases(values: readonly Ocpp16.SampledValue[]): Ocpp16.SampledValue[] {
  const byMeasurand = new Map<string, Ocpp16.SampledValue[]>();
  for (const value of values) {
    const key = value.measurand ?? "";
    byMeasurand.set(key, [...(byMeasurand.get(key) ?? []), value]);
  }
  return [...byMeasurand.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined || group.length === 1) return group;
    const mean = group.reduce((sum, value) => sum + Number(value.value), 0) / group.length;
    return [{ ...first, value: String(Math.round(mean * 100) / 100) }];
  });
}

function meterValue15(value: Ocpp16.MeterValue): Ocpp15.MeterValue {
  return { timestamp: value.timestamp, value: withoutPhases(value.sampledValue).map(sampledValue15) };
}

function meterValue12(value: Ocpp16.MeterValue): Ocpp12.MeterValue[] {
  const register = value.sampledValue.find((sampled) => sampled.measurand === "Energy.Active.Import.Register");
  return register === undefined ? [] : [{ timestamp: value.timestamp, value: Math.floor(Number(register.value)) }];
}

function statusNotification(version: "1.2" | "1.5", request: Ocpp16.StatusNotificationRequest): unknown {
  const { status, errorCode, connectorId, ...details } = request;
  const words = { connectorId, status: statusIn(version, status), errorCode: errorCodeIn(version, errorCode) };
  return version === "1.2" ? words : { ...words, ...details };
}

function meterValues(version: "1.2" | "1.5", request: Ocpp16.MeterValuesRequest): unknown {
  const { connectorId, transactionId, meterValue } = request;
  if (version === "1.2") return { connectorId, values: meterValue.flatMap(meterValue12) };
  return {
    connectorId,
    ...(transactionId === undefined ? {} : { transactionId }),
    values: meterValue.map(meterValue15),
  };
}

function startTransaction(version: "1.2" | "1.5", request: Ocpp16.StartTransactionRequest): unknown {
  if (version === "1.5") return request;
  const { reservationId: _unknownTo12, ...words } = request;
  return words;
}

function stopTransaction(version: "1.2" | "1.5", request: Ocpp16.StopTransactionRequest): unknown {
  const { reason: _since16, transactionData, ...words } = request;
  if (version === "1.2" || transactionData === undefined) return words;
  return { ...words, transactionData: [{ values: transactionData.map(meterValue15) }] };
}

/** Translates a request of ours from 1.6 into the version on the wire. */
export function requestToWire(version: Family1Version, action: string, payload: unknown): unknown {
  if (version === "1.6") return payload;
  switch (action) {
    case "StatusNotification":
      return statusNotification(version, payload as Ocpp16.StatusNotificationRequest);
    case "MeterValues":
      return meterValues(version, payload as Ocpp16.MeterValuesRequest);
    case "StartTransaction":
      return startTransaction(version, payload as Ocpp16.StartTransactionRequest);
    case "StopTransaction":
      return stopTransaction(version, payload as Ocpp16.StopTransactionRequest);
    default:
      return payload;
  }
}

/** Translates a response of the CSMS into 1.6. */
export function responseFromWire(version: Family1Version, action: string, payload: unknown): unknown {
  if (version === "1.6" || action !== "BootNotification") return payload;
  const { status, currentTime, heartbeatInterval } = payload as Ocpp12.BootNotificationResponse;
  return { status, interval: heartbeatInterval ?? 0, ...(currentTime === undefined ? {} : { currentTime }) };
}

/** Translates a request of the CSMS into 1.6. */
export function requestFromWire(version: Family1Version, action: string, payload: unknown): unknown {
  if (version === "1.6" || action !== "SendLocalList") return payload;
  const { localAuthorisationList, updateType, listVersion } = payload as Ocpp15.SendLocalListRequest;
  return {
    updateType,
    listVersion,
    ...(localAuthorisationList === undefined ? {} : { localAuthorizationList: localAuthorisationList }),
  };
}

/** Translates a response of ours from 1.6 into the version on the wire. */
export function responseToWire(version: Family1Version, action: string, payload: unknown): unknown {
  if (version === "1.6") return payload;
  if (action === "UnlockConnector") {
    const { status } = payload as Ocpp16.UnlockConnectorResponse;
    return { status: status === "Unlocked" ? "Accepted" : "Rejected" };
  }
  if (action === "ChangeConfiguration") {
    const { status } = payload as Ocpp16.ChangeConfigurationResponse;
    return { status: status === "RebootRequired" ? "Accepted" : status };
  }
  return payload;
}

const finalStatuses: ReadonlySet<string> = new Set([
  "Downloaded",
  "DownloadFailed",
  "InstallationFailed",
  "Installed",
  "Uploaded",
  "UploadFailed",
]);

/** Whether the version has a word for a status of an upload or a download; 1.2 and 1.5 know results only. */
export function knowsTransferStatus(version: Family1Version, status: string): boolean {
  return version === "1.6" || finalStatuses.has(status);
}

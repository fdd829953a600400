import type { Measurand } from "../metering/meter-sample.ts";

/** A point at which a transaction can start or stop (2.x TxStartPoint and TxStopPoint). */
export type TxPoint = "ParkingBayOccupancy" | "EVConnected" | "Authorized" | "PowerPathClosed" | "EnergyTransfer";

/**
 * Everything about a station's behaviour that can be configured, named after the variables of 2.x. The configuration
 * keys of family 1 and the device model of family 2 are two views of it.
 */
export interface Settings {
  heartbeatIntervalS: number;
  /** Seconds to plug in after authorization, 0 for no limit. */
  evConnectionTimeOutS: number;
  txStartPoint: readonly TxPoint[];
  txStopPoint: readonly TxPoint[];
  stopTxOnInvalidId: boolean;
  stopTxOnEvSideDisconnect: boolean;
  unlockOnEvSideDisconnect: boolean;
  /** Energy that an invalid token may still take; 0 for none. */
  maxEnergyOnInvalidIdWh: number;
  txBeforeAccepted: boolean;
  authorizationEnabled: boolean;
  authorizeRemoteStart: boolean;
  localAuthorizeOffline: boolean;
  localPreAuthorize: boolean;
  offlineTxForUnknownId: boolean;
  authCacheEnabled: boolean;
  /** Seconds that a cached token stays valid, 0 for no limit. */
  authCacheLifeTimeS: number;
  localAuthListEnabled: boolean;
  masterPassGroupId: string;
  txStartedMeasurands: readonly Measurand[];
  txUpdatedIntervalS: number;
  txUpdatedMeasurands: readonly Measurand[];
  txEndedIntervalS: number;
  txEndedMeasurands: readonly Measurand[];
  alignedIntervalS: number;
  alignedMeasurands: readonly Measurand[];
  alignedTxEndedIntervalS: number;
  alignedTxEndedMeasurands: readonly Measurand[];
  /** True: no clock-aligned values while a transaction runs. */
  alignedOnlyDuringIdle: boolean;
  messageAttempts: number;
  messageAttemptIntervalS: number;
  messageTimeoutS: number;
  offlineThresholdS: number;
  webSocketPingIntervalS: number;
  retryBackOffWaitMinimumS: number;
  retryBackOffRandomRangeS: number;
  retryBackOffRepeatTimes: number;
  resetRetries: number;
  reservationEnabled: boolean;
  smartChargingEnabled: boolean;
  /** Report connectors by NotifyEvent(AvailabilityState), which 2.1 prefers, in place of StatusNotification. */
  statusByNotifyEvent: boolean;
}

/** A name of a setting whose value has this type. */
export type SettingOf<T> = {
  [K in keyof Settings]: Settings[K] extends T ? (T extends Settings[K] ? K : never) : never;
}[keyof Settings];

/** What a station is delivered with. */
export function defaultSettings(): Settings {
  return {
    heartbeatIntervalS: 300,
    evConnectionTimeOutS: 120,
    txStartPoint: ["PowerPathClosed"],
    txStopPoint: ["Authorized", "EVConnected"],
    stopTxOnInvalidId: true,
    stopTxOnEvSideDisconnect: true,
    unlockOnEvSideDisconnect: true,
    maxEnergyOnInvalidIdWh: 0,
    txBeforeAccepted: false,
    authorizationEnabled: true,
    authorizeRemoteStart: false,
    localAuthorizeOffline: true,
    localPreAuthorize: false,
    offlineTxForUnknownId: false,
    authCacheEnabled: true,
    authCacheLifeTimeS: 0,
    localAuthListEnabled: true,
    masterPassGroupId: "",
    txStartedMeasurands: ["Energy.Active.Import.Register"],
    txUpdatedIntervalS: 60,
    txUpdatedMeasurands: ["Energy.Active.Import.Register", "Power.Active.Import", "Current.Import", "Voltage", "SoC"],
    txEndedIntervalS: 0,
    txEndedMeasurands: ["Energy.Active.Import.Register"],
    alignedIntervalS: 900,
    alignedMeasurands: ["Energy.Active.Import.Register"],
    alignedTxEndedIntervalS: 0,
    alignedTxEndedMeasurands: [],
    alignedOnlyDuringIdle: false,
    messageAttempts: 3,
    messageAttemptIntervalS: 60,
    messageTimeoutS: 30,
    offlineThresholdS: 60,
    webSocketPingIntervalS: 60,
    retryBackOffWaitMinimumS: 1,
    retryBackOffRandomRangeS: 2,
    retryBackOffRepeatTimes: 5,
    resetRetries: 1,
    reservationEnabled: true,
    smartChargingEnabled: true,
    statusByNotifyEvent: false,
  };
}

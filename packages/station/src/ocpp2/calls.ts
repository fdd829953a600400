import { type CallsFrom, OcppError, type RequestOf, type ResponseOf } from "@polyphase/ocpp";
import { deviceModelCalls } from "./device-model-calls.ts";
import { diagnosticsCalls } from "./diagnostics-calls.ts";
import type { Family2Driver } from "./family2-driver.ts";
import { remoteCalls } from "./remote-calls.ts";
import { smartChargingCalls } from "./smart-charging-calls.ts";
import { standingOf } from "./token-words.ts";
import { triggerCalls } from "./trigger-calls.ts";

/** Answers to calls of the CSMS, by action, in the words of 2.1. What is missing is answered with NotSupported. */
export type Family2Calls = {
  readonly [A in CallsFrom<"2.1", "CSMS">]: (
    driver: Family2Driver,
    request: RequestOf<"2.1", A>,
  ) => ResponseOf<"2.1", A>;
};

/** The actions that the station offers. */
export const family2Calls: Partial<Family2Calls> = {
  ...deviceModelCalls,
  ...diagnosticsCalls,
  ...remoteCalls,
  ...smartChargingCalls,
  ...triggerCalls,

  ClearCache: ({ station }) => {
    if (!station.settings.authCacheEnabled) return { status: "Rejected" };
    station.authorization.cache.clear();
    return { status: "Accepted" };
  },

  GetLocalListVersion: ({ station }) => ({
    versionNumber: station.settings.localAuthListEnabled ? station.authorization.list.version : 0,
  }),

  SendLocalList: ({ station }, { versionNumber, localAuthorizationList = [], updateType }) => {
    if (!station.settings.localAuthListEnabled) return { status: "Failed", statusInfo: { reasonCode: "NotEnabled" } };
    const entries = localAuthorizationList.map(({ idToken, idTokenInfo }) => ({
      token: { idToken: idToken.idToken, type: idToken.type },
      ...(idTokenInfo === undefined ? {} : { standing: standingOf(idTokenInfo) }),
    }));
    return { status: station.authorization.list.update(updateType, versionNumber, entries) };
  },

  ReserveNow: ({ station }, request) => {
    // H01.FR.19: NonEvseSpecific is false.
    if (!station.settings.reservationEnabled || request.evseId === undefined) return { status: "Rejected" };
    const { id, evseId, idToken, groupIdToken } = request;
    const status = station.reservations.reserve({
      id,
      evseId,
      token: { idToken: idToken.idToken, type: idToken.type },
      expiresAt: Date.parse(request.expiryDateTime),
      ...(groupIdToken === undefined ? {} : { groupToken: { idToken: groupIdToken.idToken, type: groupIdToken.type } }),
    });
    return { status };
  },

  CancelReservation: ({ station }, { reservationId }) => ({
    status: station.reservations.cancel(reservationId) ? "Accepted" : "Rejected",
  }),

  CostUpdated: ({ station }, { transactionId }) => {
    if (station.sessionOf(transactionId) === undefined) {
      throw new OcppError("GenericError", "there is no such transaction");
    }
    return {};
  },

  DataTransfer: () => ({ status: "UnknownVendorId" }),

  // The simulated station has no store for certificates and one fixed network profile.
  CertificateSigned: () => ({ status: "Rejected" }),
  DeleteCertificate: () => ({ status: "NotFound" }),
  GetInstalledCertificateIds: () => ({ status: "NotFound" }),
  InstallCertificate: () => ({ status: "Rejected" }),
  SetNetworkProfile: () => ({ status: "Rejected" }),
};

import type { CallsFrom, RequestOf, ResponseOf } from "@polyphase/ocpp";
import { configurationKeys, findConfigurationKey } from "../configuration/configuration-keys.ts";
import type { Family1Driver } from "./family1-driver.ts";
import { firmwareCalls } from "./firmware-calls.ts";
import { standingOf, tokenOf } from "./id-tag.ts";
import { remoteCalls } from "./remote-calls.ts";
import { smartChargingCalls } from "./smart-charging-calls.ts";
import { triggerCalls } from "./trigger-calls.ts";

/** Answers to calls of the CSMS, by action, in the words of 1.6. */
export type Family1Calls = {
  readonly [A in CallsFrom<"1.6", "CSMS">]: (
    driver: Family1Driver,
    request: RequestOf<"1.6", A>,
  ) => ResponseOf<"1.6", A>;
};

/** Most keys of one GetConfiguration (GetConfigurationMaxKeys). */
const MOST_KEYS = 100;

/** All actions that a CSMS of 1.6 can call. */
export const family1Calls: Family1Calls = {
  ...remoteCalls,
  ...firmwareCalls,
  ...smartChargingCalls,
  ...triggerCalls,

  ChangeConfiguration: (driver, { key, value }) => {
    const found = findConfigurationKey(driver.version, key);
    if (found === undefined) return { status: "NotSupported" };
    return { status: found.write?.(driver.keyContext, value) ?? "Rejected" };
  },

  GetConfiguration: (driver, { key: wanted = [] }) => {
    const context = driver.keyContext;
    const unknownKey: string[] = [];
    const found =
      wanted.length === 0
        ? configurationKeys(driver.version)
        : wanted.slice(0, MOST_KEYS).flatMap((name) => {
            const key = findConfigurationKey(driver.version, name);
            if (key === undefined) unknownKey.push(name);
            return key === undefined ? [] : [key];
          });
    const configurationKey = found.map((key) => {
      const value = key.read(context);
      return { key: key.key, readonly: key.write === undefined, ...(value === undefined ? {} : { value }) };
    });
    return {
      ...(configurationKey.length === 0 ? {} : { configurationKey }),
      ...(unknownKey.length === 0 ? {} : { unknownKey }),
    };
  },

  ClearCache: ({ station }) => {
    if (!station.settings.authCacheEnabled) return { status: "Rejected" };
    station.authorization.cache.clear();
    return { status: "Accepted" };
  },

  GetLocalListVersion: ({ station }) => ({
    // -1 says that there is no list at all (OCPP 1.6 §5.10).
    listVersion: station.settings.localAuthListEnabled ? station.authorization.list.version : -1,
  }),

  SendLocalList: ({ station }, { listVersion, localAuthorizationList = [], updateType }) => {
    if (!station.settings.localAuthListEnabled) return { status: "NotSupported" };
    const entries = localAuthorizationList.map(({ idTag, idTagInfo }) => ({
      token: tokenOf(idTag),
      ...(idTagInfo === undefined ? {} : { standing: standingOf(idTagInfo) }),
    }));
    return { status: station.authorization.list.update(updateType, listVersion, entries) };
  },

  ReserveNow: ({ station }, request) => {
    // ReserveConnectorZeroSupported is false.
    if (!station.settings.reservationEnabled || request.connectorId === 0) return { status: "Rejected" };
    const expiresAt = Date.parse(request.expiryDate);
    if (Number.isNaN(expiresAt)) return { status: "Rejected" };
    const status = station.reservations.reserve({
      id: request.reservationId,
      evseId: request.connectorId,
      token: tokenOf(request.idTag),
      expiresAt,
      ...(request.parentIdTag === undefined ? {} : { groupToken: tokenOf(request.parentIdTag) }),
    });
    return { status };
  },

  CancelReservation: ({ station }, { reservationId }) => ({
    status: station.reservations.cancel(reservationId) ? "Accepted" : "Rejected",
  }),

  DataTransfer: () => ({ status: "UnknownVendorId" }),

  // The simulated station has no store for certificates.
  CertificateSigned: () => ({ status: "Rejected" }),
  DeleteCertificate: () => ({ status: "NotFound" }),
  GetInstalledCertificateIds: () => ({ status: "NotFound" }),
  InstallCertificate: () => ({ status: "Rejected" }),
};

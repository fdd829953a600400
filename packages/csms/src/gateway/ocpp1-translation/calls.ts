import type { Ocpp15, Ocpp16 } from "@polyphase/ocpp";
import { clip, defined, NotTranslatableError, same } from "./direction.ts";

/** Charging profiles came with 1.6; starting without the limit that was asked for would not be what was asked for. */
export const remoteStart = {
  request(payload: Ocpp16.RemoteStartTransactionRequest): Ocpp15.RemoteStartTransactionRequest {
    const { chargingProfile, ...others } = payload;
    if (chargingProfile !== undefined) {
      throw new NotTranslatableError("OCPP 1.2 and 1.5 cannot start a transaction with a charging profile");
    }
    return defined(others);
  },
  response: same<Ocpp15.RemoteStartTransactionResponse>,
} as const;

/** 1.6 tells a failure from a connector that cannot be unlocked; earlier versions only refuse. */
export const unlockConnector = {
  request: same<Ocpp16.UnlockConnectorRequest>,
  response: (payload: Ocpp15.UnlockConnectorResponse): Ocpp16.UnlockConnectorResponse => ({
    status: payload.status === "Accepted" ? "Unlocked" : "UnlockFailed",
  }),
} as const;

export const getDiagnostics = {
  request: same<Ocpp16.GetDiagnosticsRequest>,
  response: (payload: Ocpp15.GetDiagnosticsResponse): Ocpp16.GetDiagnosticsResponse =>
    defined({ fileName: clip(payload.fileName, 255) }),
} as const;

/** 1.5 sets no lengths; 1.6 allows 50 characters for a key and 500 for its value. */
export const getConfiguration = {
  request: same<Ocpp16.GetConfigurationRequest>,
  response: (payload: Ocpp15.GetConfigurationResponse): Ocpp16.GetConfigurationResponse =>
    defined({
      configurationKey: payload.configurationKey?.map(({ key, readonly, value }) =>
        defined({ key: clip(key, 50), readonly, value: clip(value, 500) }),
      ),
      unknownKey: payload.unknownKey?.map((key) => clip(key, 50)),
    }),
} as const;

/** 1.6 gave up the hash: HashError becomes Failed. */
export const sendLocalList = {
  request(payload: Ocpp16.SendLocalListRequest): Ocpp15.SendLocalListRequest {
    const { localAuthorizationList, ...others } = payload;
    return defined({ ...others, localAuthorisationList: localAuthorizationList });
  },
  response: (payload: Ocpp15.SendLocalListResponse): Ocpp16.SendLocalListResponse => ({
    status: payload.status === "HashError" ? "Failed" : payload.status,
  }),
} as const;

/** Vendor and message id got lengths in 1.6. */
export function dataTransferTo16(payload: Ocpp15.DataTransferRequest): Ocpp16.DataTransferRequest {
  return defined({
    vendorId: clip(payload.vendorId, 255),
    messageId: clip(payload.messageId, 50),
    data: payload.data,
  });
}

import type { Ocpp16, Ocpp21 } from "@polyphase/ocpp";

const STATUSES: Readonly<Record<Ocpp21.AuthorizationStatusEnumType, Ocpp16.AuthorizationStatus>> = {
  Accepted: "Accepted",
  Blocked: "Blocked",
  ConcurrentTx: "ConcurrentTx",
  Expired: "Expired",
  Invalid: "Invalid",
  NoCredit: "Blocked",
  NotAllowedTypeEVSE: "Invalid",
  NotAtThisLocation: "Invalid",
  NotAtThisTime: "Invalid",
  Unknown: "Invalid",
};

/** Longest idTag of 1.x (1.6 §7.28). */
const MAX_ID_TAG_LENGTH = 20;

/** A verdict in words of family 1 (1.6 §7.27). A group whose name is too long for an idTag is left out. */
export function idTagInfoOf(verdict: Ocpp21.IdTokenInfoType): Ocpp16.IdTagInfo {
  const parentIdTag = verdict.groupIdToken?.idToken;
  return {
    status: STATUSES[verdict.status],
    ...(verdict.cacheExpiryDateTime === undefined ? {} : { expiryDate: verdict.cacheExpiryDateTime }),
    ...(parentIdTag === undefined || parentIdTag.length > MAX_ID_TAG_LENGTH ? {} : { parentIdTag }),
  };
}

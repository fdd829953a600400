import type { Ocpp21 } from "@polyphase/ocpp";
import type { TokenStanding } from "../authorization/id-token.ts";

/** What an IdTokenInfo says of a token. */
export function standingOf(info: Ocpp21.IdTokenInfoType): TokenStanding {
  const expiresAt = info.cacheExpiryDateTime === undefined ? Number.NaN : Date.parse(info.cacheExpiryDateTime);
  const group = info.groupIdToken;
  return {
    status: info.status,
    ...(Number.isNaN(expiresAt) ? {} : { expiresAt }),
    ...(group === undefined ? {} : { groupIdToken: { idToken: group.idToken, type: group.type } }),
  };
}

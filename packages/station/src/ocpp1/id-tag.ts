import type { Ocpp16 } from "@polyphase/ocpp";
import type { IdToken, TokenStanding } from "../authorization/id-token.ts";

/** An idTag as a token. */
export function tokenOf(idTag: string): IdToken {
  return { idToken: idTag, type: "ISO14443" };
}

/** What an IdTagInfo says of a token. */
export function standingOf(info: Ocpp16.IdTagInfo): TokenStanding {
  const expiresAt = info.expiryDate === undefined ? Number.NaN : Date.parse(info.expiryDate);
  return {
    status: info.status,
    ...(Number.isNaN(expiresAt) ? {} : { expiresAt }),
    ...(info.parentIdTag === undefined ? {} : { groupIdToken: tokenOf(info.parentIdTag) }),
  };
}

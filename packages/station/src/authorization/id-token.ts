import type { Ocpp21 } from "@polyphase/ocpp";

/** A token that a driver presents. Family 1 has no types; there it is always "ISO14443". */
export interface IdToken {
  readonly idToken: string;
  /** A value of IdTokenEnumType, such as ISO14443, Central, eMAID or NoAuthorization. */
  readonly type: string;
}

/** What is known of a token: from the CSMS, the local list or the cache. */
export interface TokenStanding {
  readonly status: Ocpp21.AuthorizationStatusEnumType;
  /** Milliseconds since 1970; after this moment the standing no longer holds. */
  readonly expiresAt?: number;
  readonly groupIdToken?: IdToken;
}

/** The token of a start button or of free charging (C02). */
export const noAuthorization: IdToken = { idToken: "", type: "NoAuthorization" };

/** Identity of a token for look-ups: values are compared without regard to case. */
export function tokenKey(token: IdToken): string {
  return token.idToken.toLowerCase();
}

/** Whether two tokens are the same. */
export function isSameToken(left: IdToken, right: IdToken): boolean {
  return tokenKey(left) === tokenKey(right);
}

import type { Ocpp21 } from "@polyphase/ocpp";

/** AuthorizationStatusEnumType of 2.1. */
export type AuthorizationStatus = Ocpp21.AuthorizationStatusEnumType;

/** A station where a token may charge, and there only at some EVSEs if they are named. */
export interface AllowedStation {
  readonly stationId: string;
  readonly evseIds?: readonly number[];
}

/** What an operator decides of a token. */
export interface IdTokenSettings {
  /** IdTokenEnum of 2.1 (ISO14443, eMAID, KeyCode, …); absent: the token is good for every type. */
  readonly type?: string;
  /** Accepted, or why the token may not charge. */
  readonly status: AuthorizationStatus;
  /** Tokens of one group may stop each other's transactions (C09); parentIdTag of 1.x. */
  readonly groupIdToken?: string;
  readonly expiresAt?: Date;
  /** Transactions that may run at the same time; absent: as the policy says. */
  readonly maxConcurrentTransactions?: number;
  /** Stations where it may charge; with `allowedSites` absent too: everywhere. */
  readonly allowedStations?: readonly AllowedStation[];
  readonly allowedSites?: readonly string[];
  /** RFC 5646 tags for what the station shows (C01.FR.08 to C01.FR.11). */
  readonly language1?: string;
  readonly language2?: string;
  readonly personalMessage?: Ocpp21.MessageContentType;
  /** -9 to 9; of idTokenInfo. */
  readonly chargingPriority?: number;
  readonly note?: string;
}

/** A token as it is kept. */
export interface IdToken extends IdTokenSettings {
  /** As it was entered; letters compare without case. */
  readonly idToken: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What identifies a token: identifiers are case-insensitive in every version (CiString, identifierString). */
export function keyOf(idToken: string): string {
  return idToken.toLowerCase();
}

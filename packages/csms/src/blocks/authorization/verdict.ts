import type { Ocpp21 } from "@polyphase/ocpp";
import type { IdToken } from "./id-token.ts";

/** What holds for tokens that nobody has registered, or registered without saying. */
export interface AuthorizationPolicy {
  /** Tokens that nobody has registered. Default: reject. */
  readonly unknownTokens: "accept" | "reject";
  /** Starts by a button, without a token (C02). Default: accept. */
  readonly noAuthorization: "accept" | "reject";
  /** Transactions that a token may have at the same time where it does not say; Infinity: any number. Default. */
  readonly maxConcurrentTransactions: number;
}

/** The policy where the configuration says nothing. */
export const defaultPolicy: AuthorizationPolicy = {
  unknownTokens: "reject",
  noAuthorization: "accept",
  maxConcurrentTransactions: Number.POSITIVE_INFINITY,
};

/** What a verdict on a registered token rests on. */
export interface Circumstances {
  readonly now: Date;
  readonly stationId: string;
  readonly site: string | undefined;
  readonly evseId: number | undefined;
  /** Other transactions of the token that run; absent when the question is not about a start. */
  readonly otherTransactions: number | undefined;
  readonly policy: AuthorizationPolicy;
}

/** The verdict on a registered token. Its group is told whatever the status is (C01.FR.06). */
export function judge(token: IdToken, circumstances: Circumstances): Ocpp21.IdTokenInfoType {
  const place = placeOf(token, circumstances);
  const status = statusOf(token, circumstances, place);
  const { groupIdToken, expiresAt, language1, language2, personalMessage, chargingPriority } = token;
  return {
    status,
    // The name of a group is ours: nobody presents it.
    ...(groupIdToken === undefined ? {} : { groupIdToken: { idToken: groupIdToken, type: "Central" } }),
    ...(expiresAt === undefined ? {} : { cacheExpiryDateTime: expiresAt.toISOString() }),
    // C01.FR.19, C01.FR.20: a list only where not all EVSEs are allowed.
    ...(status === "Accepted" && place.evseIds !== undefined ? { evseId: [...place.evseIds] } : {}),
    ...(language1 === undefined ? {} : { language1 }),
    ...(language2 === undefined ? {} : { language2 }),
    ...(personalMessage === undefined ? {} : { personalMessage }),
    ...(chargingPriority === undefined ? {} : { chargingPriority }),
  };
}

/** Where at a station a token may charge: nowhere, everywhere, or at the EVSEs in the list. */
interface Place {
  readonly allowed: boolean;
  readonly evseIds?: readonly number[];
}

function placeOf(token: IdToken, { stationId, site }: Circumstances): Place {
  const { allowedStations, allowedSites } = token;
  if (allowedStations === undefined && allowedSites === undefined) return { allowed: true };
  if (site !== undefined && allowedSites?.includes(site)) return { allowed: true };
  const station = allowedStations?.find((allowed) => allowed.stationId === stationId);
  if (station === undefined) return { allowed: false };
  return station.evseIds === undefined ? { allowed: true } : { allowed: true, evseIds: station.evseIds };
}

function statusOf(
  token: IdToken,
  { now, evseId, otherTransactions, policy }: Circumstances,
  place: Place,
): Ocpp21.AuthorizationStatusEnumType {
  if (token.status !== "Accepted") return token.status;
  if (token.expiresAt !== undefined && token.expiresAt <= now) return "Expired";
  // C01.FR.22: allowed at none of the EVSEs.
  if (!place.allowed || place.evseIds?.length === 0) return "NotAtThisLocation";
  if (evseId !== undefined && evseId > 0 && place.evseIds !== undefined && !place.evseIds.includes(evseId)) {
    return "NotAtThisLocation";
  }
  const most = token.maxConcurrentTransactions ?? policy.maxConcurrentTransactions;
  if (otherTransactions !== undefined && otherTransactions >= most) return "ConcurrentTx";
  return "Accepted";
}

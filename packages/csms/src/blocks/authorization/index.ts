import type { Ocpp21 } from "@polyphase/ocpp";

/** The token that asks, and where. */
export interface AuthorizationRequest {
  readonly idToken: string;
  /** IdTokenEnum of 2.1; family 1 does not tell and passes undefined. */
  readonly type?: string;
  readonly stationId: string;
  readonly evseId?: number;
  /** Whether the question is about starting (counts against concurrent transactions) or merely informs. */
  readonly purpose: "start" | "inform";
  /** Identities of transactions that do not count against concurrency: the one that is asked about, and those it replaces. */
  readonly except?: ReadonlySet<string>;
}

/** Decides about tokens from memory, without a round trip to the database. */
export interface Authorizer {
  /** The 2.1 verdict, with groupIdToken and cacheExpiryDateTime where known. */
  authorize(request: AuthorizationRequest): Ocpp21.IdTokenInfoType;
}

/** Tells the authorizer which transactions are open, for its concurrency rule. */
export interface OpenTransactions {
  openTransactionsOf(idToken: string, except?: ReadonlySet<string>): number;
}

export { idTagInfoOf } from "./id-tag-info.ts";

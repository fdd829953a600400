import type { MeterValue } from "../../metering/index.ts";

/** Kind of a transaction event (TransactionEventEnumType of 2.1). */
export type EventType = "Started" | "Updated" | "Ended";

/** A token as a station presents it. Family 1 tells no type. */
export interface PresentedToken {
  readonly idToken: string;
  readonly type?: string;
}

/** What one event tells beyond its kind and time, in words of 2.1. Kept with the event. */
export interface EventFacts {
  readonly evseId?: number;
  readonly connectorId?: number;
  readonly idToken?: PresentedToken;
  readonly chargingState?: string;
  readonly stoppedReason?: string;
  readonly remoteStartId?: number;
  readonly reservationId?: number;
  readonly timeSpentChargingS?: number;
  readonly numberOfPhasesUsed?: number;
  readonly cableMaxCurrentA?: number;
  readonly operationMode?: string;
  readonly tariffId?: string;
  /** Register at the start, from family 1's meterStart. */
  readonly meterStartWh?: number;
  /** Register at the end, from family 1's meterStop. */
  readonly meterStopWh?: number;
  /** Verdict on the token, as it was answered. */
  readonly idTokenStatus?: string;
  readonly groupIdToken?: string;
  /** Why the event was counted to this transaction although it names another, or none. */
  readonly attribution?: string;
  /** The transaction id that the station named, where it is another. */
  readonly namedTransactionId?: string;
  /** What else the station told, as it told it: transactionLimit, preconditioningStatus, costDetails, customData, … */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** One event of a transaction, whatever version it came in. */
export interface TransactionEvent {
  readonly eventType: EventType;
  readonly triggerReason: string;
  /** By the station's clock, in milliseconds since 1970. */
  readonly atMs: number;
  readonly receivedAt: Date;
  /** Family 2 only. */
  readonly seqNo?: number;
  /** Identity of the event within its transaction: a repeat has the same. */
  readonly key: string;
  readonly offline: boolean;
  readonly facts: EventFacts;
  readonly meterValues: readonly MeterValue[];
}

/**
 * Where an event stands among those of its transaction: by sequence number, or in family 1 by time with the start
 * first and the stop last.
 */
export function orderOf(event: Pick<TransactionEvent, "eventType" | "atMs" | "seqNo">): number {
  if (event.seqNo !== undefined) return event.seqNo;
  if (event.eventType === "Started") return Number.MIN_SAFE_INTEGER;
  return event.eventType === "Ended" ? Number.MAX_SAFE_INTEGER : event.atMs;
}

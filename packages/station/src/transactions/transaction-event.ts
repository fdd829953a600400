import type { Ocpp21 } from "@polyphase/ocpp";
import type { IdToken } from "../authorization/id-token.ts";
import type { MeterSample } from "../metering/meter-sample.ts";

/** Why a transaction event happened. */
export type TriggerReason = Ocpp21.TriggerReasonEnumType;
/** Why a transaction ended. */
export type StoppedReason = Ocpp21.ReasonEnumType;
/** Where a transaction stands electrically. */
export type ChargingState = Ocpp21.ChargingStateEnumType;

/** What a station remembers of an ongoing transaction, also across restarts. */
export interface Transaction {
  /** Unique for ever. Family 1 uses it inside only; there the CSMS gives another. */
  readonly id: string;
  readonly evseId: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly meterStartWh: number;
  /** Number of the next event. */
  seqNo: number;
  chargingState: ChargingState;
  /** Who started it, once known. */
  token?: IdToken;
  groupToken?: IdToken;
  remoteStartId?: number;
}

/** One event of a transaction, in the words of OCPP 2.1 and for every version. */
export interface TransactionEvent {
  readonly eventType: "Started" | "Updated" | "Ended";
  readonly transactionId: string;
  readonly evseId: number;
  readonly seqNo: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly triggerReason: TriggerReason;
  readonly chargingState: ChargingState;
  /** The energy register at this moment, whole Wh. */
  readonly meterWh: number;
  readonly samples: readonly MeterSample[];
  /** Happened without a connection to the CSMS. */
  readonly offline: boolean;
  /** The vehicle has been connected since the event before: the connector is to be told (E01.FR.16). */
  readonly connectorKnown: boolean;
  /** Present where the token is to be reported: after authorization and at its end. */
  readonly token?: IdToken;
  readonly remoteStartId?: number;
  readonly reservationId?: number;
  readonly stoppedReason?: StoppedReason;
  /** Which reset ended the transaction, for the reasons of family 1. */
  readonly resetKind?: "Hard" | "Soft";
  readonly numberOfPhasesUsed?: number;
  readonly timeSpentChargingS: number;
}

import type { IdToken } from "../authorization/id-token.ts";
import type { Clock } from "../clock.ts";
import type { Settings } from "../configuration/settings.ts";
import type { PowerLimit } from "../evse/electrical.ts";
import type { Session } from "./session.ts";
import type { Transaction, TransactionEvent } from "./transaction-event.ts";

/** What a session needs from its station. */
export interface SessionHost {
  /** Simulated time for timers and meters. */
  readonly clock: Clock;
  readonly settings: Readonly<Settings>;
  readonly isOnline: boolean;
  /** Whether the whole station is operative. */
  readonly operative: boolean;
  /** The station's idea of the time, milliseconds since 1970, for timestamps. */
  stationTime(): number;
  createTransactionId(): string;
  /** What charging profiles allow at this EVSE now. */
  powerLimit(session: Session): PowerLimit;
  /** A transaction event happened; it must be durable when this returns. */
  transactionEvent(event: TransactionEvent, transaction: Transaction): void;
  /** Something that a connector's status depends on may have changed. */
  statusChanged(session: Session): void;
}

/** Who is allowed to take energy at an EVSE now. */
export interface SessionAuthorization {
  readonly token: IdToken;
  readonly group?: IdToken;
  readonly remoteStartId?: number;
  readonly reservationId?: number;
}

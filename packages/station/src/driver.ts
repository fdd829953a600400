import type { IdToken, TokenStanding } from "./authorization/id-token.ts";
import type { MeterSample } from "./metering/meter-sample.ts";
import type { BootAnswer, BootReason } from "./provisioning/registration.ts";
import type { Reservation } from "./reservation/reservations.ts";
import type { TransactionMessage } from "./transactions/offline-queue.ts";
import type { Session } from "./transactions/session.ts";
import type { TransactionEvent } from "./transactions/transaction-event.ts";

/** Speaks one family of OCPP for a station: turns what happens into messages, and messages into what is to happen. */
export interface Driver {
  /** Answers a call of the CSMS. @throws OcppError to answer with an error */
  answer(action: string, payload: unknown): unknown;
  boot(reason: BootReason): Promise<BootAnswer>;
  /** Resolves with the CSMS's time, milliseconds since 1970. */
  heartbeat(): Promise<number>;
  authorize(token: IdToken): Promise<TokenStanding>;
  /** The status of a connector in the version's words; a change of it is reported. */
  statusOf(session: Session): string;
  /** Reports the status of a connector. */
  sendStatus(session: Session): Promise<void>;
  /** Reports the station as a whole where the version can. */
  sendStationStatus(): Promise<void>;
  /** Reports that the station has started, where the version has a word for it. */
  sendStartup(): Promise<void>;
  /** Reports meter values outside transactions. */
  sendMeterValues(evseId: number, sample: MeterSample): Promise<void>;
  /** The messages that tell the CSMS of a transaction event; none when the version has no word for it. */
  messagesOf(event: TransactionEvent): readonly TransactionMessage[];
  /** Sends a transaction message; `sent` is told the request on the wire. */
  deliver(message: TransactionMessage, sent: (payload: unknown) => void): Promise<unknown>;
  /** A transaction message was answered. */
  acknowledged(message: TransactionMessage, response: unknown): void;
  /** A transaction message was given up. */
  discarded(message: TransactionMessage): void;
  /** A reservation ended unused. */
  reservationEnded(reservation: Reservation, how: "Expired" | "Removed"): void;
  /** Ends what runs by itself: uploads, downloads, reports. */
  halt(): void;
}

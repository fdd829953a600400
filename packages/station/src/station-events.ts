import type { WireMessage } from "@polyphase/ocpp";
import type { RegistrationStatus } from "./provisioning/registration.ts";
import type { TransactionMessage } from "./transactions/offline-queue.ts";
import type { TransactionEvent } from "./transactions/transaction-event.ts";

/** Events of a SimulatedStation with their arguments. */
export interface StationEvents {
  /** BootNotification was accepted. */
  registered: [];
  /** The registration status changed. */
  registrationChanged: [status: RegistrationStatus];
  online: [];
  offline: [];
  /** An attempt to reach the CSMS failed; the station goes on trying. */
  connectFailed: [error: Error];
  transactionStarted: [event: TransactionEvent];
  transactionUpdated: [event: TransactionEvent];
  transactionEnded: [event: TransactionEvent];
  /** A transaction message was given up after its last attempt. */
  messageDiscarded: [message: TransactionMessage, error: unknown];
  /** The station boots after a reset. */
  rebooted: [reason: string];
  /** A message crossed the wire. */
  message: [message: WireMessage];
}

import type { Clock } from "./clock.ts";
import type { Settings } from "./configuration/settings.ts";
import type { Supply } from "./evse/electrical.ts";
import type { BootReason, RegistrationStatus } from "./provisioning/registration.ts";
import type { Random } from "./random.ts";
import type { JournalStorage } from "./storage/journal-storage.ts";
import type { TransactionMessage } from "./transactions/offline-queue.ts";
import type { TransactionEvent } from "./transactions/transaction-event.ts";

/** What a station is like, apart from how it is reached. */
export interface ChargingStationOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly storage: JournalStorage;
  readonly supplies: readonly Supply[];
  readonly settings: Partial<Settings>;
  /** Set the clock by the CSMS's time. */
  readonly synchronizeClock: boolean;
  readonly rebootDurationMs: number;
  readonly ledgerSize: number;
  /** Real milliseconds to wait for a response; MessageTimeout when undefined. */
  readonly callTimeoutMs: number | undefined;
  createTransactionId(): string;
}

/** What a station tells those who run it. */
export interface StationListener {
  registrationChanged(status: RegistrationStatus): void;
  transactionEvent(event: TransactionEvent): void;
  messageDiscarded(message: TransactionMessage, error: unknown): void;
  rebooted(reason: BootReason): void;
  /** The way to the CSMS could not be opened again after a reboot. */
  connectFailed(error: Error): void;
}

import { type Ocpp16, type Ocpp21, OcppError } from "@polyphase/ocpp";

/** ConnectorStatusEnum of 2.1. */
export type ConnectorStatus = Ocpp21.ConnectorStatusEnumType;

/** What a message says of a connector. EVSE 0 with connector 0 is the station itself. */
export interface ReportedStatus {
  readonly evseId: number;
  readonly connectorId: number;
  readonly status: ConnectorStatus;
  /** The status in the words of the station's version, where they say more than {@link status}. */
  readonly detail?: string | undefined;
  /** Error code of family 1; absent for NoError. */
  readonly errorCode?: string | undefined;
  readonly info?: string | undefined;
  readonly vendorId?: string | undefined;
  readonly vendorErrorCode?: string | undefined;
  /** Since when, by the station's clock. */
  readonly timestamp?: Date | undefined;
}

/** The state of a connector as it is known. */
export interface ConnectorState extends Omit<ReportedStatus, "timestamp"> {
  /** Orders notifications: the station's time, or ours where the station's cannot be. */
  readonly since: Date;
  /** When we heard of it. */
  readonly receivedAt: Date;
  /** Number of changes ever. */
  readonly changes: number;
}

/** No station was built before; an earlier time is a clock that was never set. */
const EARLIEST_PLAUSIBLE_MS = Date.UTC(2010, 0, 1);

/** The 2.1 status that a 1.6 status stands for (2.1 part 2, ConnectorStatusEnum; 1.6 §7.7). */
export function connectorStatusOf(status: Ocpp16.ChargePointStatus): ConnectorStatus {
  switch (status) {
    case "Available":
    case "Reserved":
    case "Unavailable":
    case "Faulted":
      return status;
    case "Preparing":
    case "Charging":
    case "SuspendedEV":
    case "SuspendedEVSE":
    case "Finishing":
      return "Occupied";
  }
}

/**
 * The time that orders a notification. A time from before stations existed, none at all, or one that is yet to come
 * is the fault of a clock, and the time of receipt serves better.
 */
export function orderingTime(timestamp: Date | undefined, receivedAt: Date): Date {
  const time = timestamp?.getTime() ?? Number.NaN;
  return time >= EARLIEST_PLAUSIBLE_MS && time <= receivedAt.getTime() ? new Date(time) : receivedAt;
}

/** Whether two states tell an operator the same. */
export function tellsTheSame(
  state: Omit<ReportedStatus, "timestamp">,
  other: Omit<ReportedStatus, "timestamp">,
): boolean {
  return (
    state.status === other.status &&
    state.detail === other.detail &&
    state.errorCode === other.errorCode &&
    state.info === other.info &&
    state.vendorId === other.vendorId &&
    state.vendorErrorCode === other.vendorErrorCode
  );
}

/** Highest number of an EVSE or connector: far more than any station has, and within what is stored. */
export const HIGHEST_NUMBER = 100_000;

/** Whether an EVSE or connector can have this number. */
export const isNumber = (number: number): boolean => number >= 0 && number <= HIGHEST_NUMBER;

/** @throws OcppError PropertyConstraintViolation when no EVSE or connector can have this number */
export function checkNumber(name: string, number: number): void {
  if (!isNumber(number)) throw new OcppError("PropertyConstraintViolation", `${name} ${number} is out of range`);
}

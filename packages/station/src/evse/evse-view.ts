import type { IdToken } from "../authorization/id-token.ts";
import type { ElectricVehicle } from "../electric-vehicle/electric-vehicle.ts";
import type { Session } from "../transactions/session.ts";
import type { Transaction } from "../transactions/transaction-event.ts";
import type { ElectricalValues } from "./electrical.ts";

/** What can be seen of an EVSE. */
export interface EvseView {
  readonly id: number;
  /** Status of the connector in the words of the station's version. */
  readonly status: string;
  readonly plugged: boolean;
  readonly vehicle: ElectricVehicle | undefined;
  /** Energy register, whole Wh. */
  readonly meterWh: number;
  readonly values: ElectricalValues;
  /** The running transaction. */
  readonly transaction: Readonly<Transaction> | undefined;
  /** The token that may charge now. */
  readonly authorizedToken: IdToken | undefined;
}

/** What can be seen of a session's EVSE now. */
export function evseViewOf(session: Session, status: string): EvseView {
  const { evse, transaction, authorization } = session;
  return {
    id: evse.id,
    status,
    plugged: evse.plugged,
    vehicle: evse.vehicle,
    meterWh: evse.meterWh,
    values: evse.values,
    transaction,
    authorizedToken: authorization?.token,
  };
}

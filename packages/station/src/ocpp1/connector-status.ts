import type { Ocpp16 } from "@polyphase/ocpp";
import type { Session } from "../transactions/session.ts";

function duringTransaction(session: Session): Ocpp16.ChargePointStatus {
  switch (session.chargingState) {
    case "Charging":
      return "Charging";
    case "Idle":
    case "SuspendedEV":
      // An unplugged vehicle whose transaction goes on counts as suspended by it (OCPP 1.6 §9.1.23).
      return "SuspendedEV";
    case "EVConnected":
    case "SuspendedEVSE":
      return "SuspendedEVSE";
  }
}

/** The status of a connector in the words of OCPP 1.6 §4.9. */
export function connectorStatus(session: Session, stationOperative: boolean): Ocpp16.ChargePointStatus {
  const { evse } = session;
  if (evse.fault !== undefined) return "Faulted";
  if (session.transaction !== undefined) return duringTransaction(session);
  if (!evse.operative || !stationOperative) return "Unavailable";
  if (session.finishing) return "Finishing";
  if (evse.plugged || session.authorization !== undefined) return "Preparing";
  return session.reservationId === undefined ? "Available" : "Reserved";
}

import type { Ocpp21 } from "@polyphase/ocpp";
import type { Session } from "../transactions/session.ts";

/** The status of a connector in the words of OCPP 2.x (G01). */
export function connectorStatus(session: Session, stationOperative: boolean): Ocpp21.ConnectorStatusEnumType {
  const { evse } = session;
  if (evse.fault !== undefined) return "Faulted";
  if (session.transaction === undefined && (!evse.operative || !stationOperative)) return "Unavailable";
  if (evse.plugged) return "Occupied";
  return session.reservationId === undefined ? "Available" : "Reserved";
}

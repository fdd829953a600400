import type { Ocpp12, Ocpp15, Ocpp16 } from "@polyphase/ocpp";
import { clip, defined } from "./direction.ts";

/**
 * 1.6 splits Occupied into Preparing, Charging, SuspendedEV, SuspendedEVSE and Finishing. Preparing is the one that
 * claims least: the connector is in use, and nothing is said of a transaction or of energy. In 2.1 words each of the
 * five is Occupied again.
 */
const statuses = {
  Available: "Available",
  Occupied: "Preparing",
  Faulted: "Faulted",
  Unavailable: "Unavailable",
  Reserved: "Reserved",
} as const satisfies Record<Ocpp15.ChargePointStatus, Ocpp16.ChargePointStatus>;

function errorCodeTo16(code: Ocpp15.ChargePointErrorCode): Ocpp16.ChargePointErrorCode {
  return code === "Mode3Error" ? "EVCommunicationError" : code;
}

/** The status as 1.6 says it. `info`, `vendorId` and `vendorErrorCode` are cut to the lengths of 1.6. */
export function statusRequestTo16(
  payload: Ocpp12.StatusNotificationRequest | Ocpp15.StatusNotificationRequest,
): Ocpp16.StatusNotificationRequest {
  const { info, timestamp, vendorId, vendorErrorCode } = payload as Ocpp15.StatusNotificationRequest;
  return defined({
    connectorId: payload.connectorId,
    status: statuses[payload.status],
    errorCode: errorCodeTo16(payload.errorCode),
    info: clip(info, 50),
    timestamp,
    vendorId: clip(vendorId, 255),
    vendorErrorCode: clip(vendorErrorCode, 50),
  });
}

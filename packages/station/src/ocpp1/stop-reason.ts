import type { Ocpp16 } from "@polyphase/ocpp";
import type { TransactionEvent } from "../transactions/transaction-event.ts";

/** The reason of StopTransaction; undefined for Local, which is what its absence means (OCPP 1.6 §6.49). */
export function stopReason(event: TransactionEvent): Ocpp16.Reason | undefined {
  if (event.triggerReason === "UnlockCommand") return "UnlockCommand";
  switch (event.stoppedReason) {
    case "Local":
    case undefined:
      return undefined;
    case "ImmediateReset":
      return event.resetKind === "Hard" ? "HardReset" : "SoftReset";
    case "DeAuthorized":
    case "EVDisconnected":
    case "EmergencyStop":
    case "PowerLoss":
    case "Reboot":
    case "Remote":
      return event.stoppedReason;
    default:
      return "Other";
  }
}

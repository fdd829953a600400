import { OcppError } from "@polyphase/ocpp";
import type { KnownStation } from "./known-stations.ts";
import { CommandNotSupportedError } from "./station-messages.ts";
import type { ConnectedStation } from "./station-sessions.ts";

/** Calls that make a station send something that it must not send by itself while it is not accepted (B02.FR.02). */
const reportsOf: Readonly<Record<string, string>> = {
  GetBaseReport: "NotifyReport",
  GetReport: "NotifyReport",
};

/** What a triggered message is called where the trigger's name differs from the action's. */
export const triggeredActions: Readonly<Record<string, string>> = {
  SignChargePointCertificate: "SignCertificate",
  SignChargingStationCertificate: "SignCertificate",
  SignV2GCertificate: "SignCertificate",
  SignV2G20Certificate: "SignCertificate",
  SignCombinedCertificate: "SignCertificate",
  TransactionEvent: "TransactionEvent",
};

/**
 * Refuses what a station that is not accepted may not send: all but BootNotification and what the CSMS asked for
 * (B01.FR.10, B02.FR.09, B03.FR.07; 1.6 §4.2 forbids the same without naming the answer, so family 1 gets the same
 * one). Heartbeats of family 1 pass: chargers in the field send them while Pending and hang up when they fail.
 *
 * @throws OcppError SecurityError
 */
export function admitMessage(station: KnownStation | undefined, session: ConnectedStation, action: string): void {
  if (station?.registrationStatus === "Accepted" || action === "BootNotification") return;
  if (session.family === 1 && action === "Heartbeat") return;
  if (station?.registrationStatus === "Pending" && session.triggered.has(action)) return;
  throw new OcppError("SecurityError", `the station is not accepted: ${action} may not be sent`);
}

/**
 * Refuses calls that the CSMS may not make: any to a Rejected station (B03.FR.03; 1.6 §4.2), remote starts and stops
 * to a Pending one (B02.FR.05; 1.6 §4.2).
 *
 * @throws CommandNotSupportedError
 */
export function admitCall(station: KnownStation | undefined, stationId: string, action: string): void {
  if (station === undefined || station.registrationStatus === "Accepted") return;
  if (station.registrationStatus === "Rejected") {
    throw new CommandNotSupportedError(stationId, action, "the station is rejected and must not be called");
  }
  if (/^(Remote|Request)(Start|Stop)Transaction$/.test(action)) {
    throw new CommandNotSupportedError(stationId, action, "the station waits for its approval");
  }
}

/** Remembers what a call to a station that is not accepted lets it send. */
export function rememberTriggered(session: ConnectedStation, action: string, payload: unknown): void {
  const report = reportsOf[action];
  if (report !== undefined) session.triggered.add(report);
  if (action !== "TriggerMessage" && action !== "ExtendedTriggerMessage") return;
  const requested = (payload as { readonly requestedMessage?: unknown } | undefined)?.requestedMessage;
  if (typeof requested === "string") session.triggered.add(triggeredActions[requested] ?? requested);
}

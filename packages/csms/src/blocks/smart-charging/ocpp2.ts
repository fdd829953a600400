import type { StationMessageRoutes } from "../../gateway/station-messages.ts";

/**
 * Registers what stations of family 2 tell of charging schedules. Nothing is computed here yet, so they are told that
 * no schedule will come, and go on with the profiles they have.
 */
export function registerFamily2(routes: StationMessageRoutes): void {
  routes.on2("NotifyEVChargingNeeds", ({ chargingNeeds }) => {
    // K15.FR.04 and K17.FR.04 say Rejected; K18.FR.04 and K19 of ISO 15118-20, which came with 2.1, NoChargingProfile.
    const iso20 = chargingNeeds.controlMode !== undefined || chargingNeeds.v2xChargingParameters !== undefined;
    return { status: iso20 ? "NoChargingProfile" : "Rejected" };
  });
  // K15.FR.11: within the limits of the CSMS, which set none.
  routes.on2("NotifyEVChargingSchedule", () => ({ status: "Accepted" }));
  // K11 to K13: the CSMS takes note.
  routes.on2("NotifyChargingLimit", () => ({}));
  routes.on2("ClearedChargingLimit", () => ({}));
  // K22.FR.06
  routes.on2("NotifyPriorityCharging", () => ({}));
  // K09: an answer to a call of the operator's, kept in the message log.
  routes.on2("ReportChargingProfiles", () => ({}));
  // K28.FR.12: this CSMS has no dynamic profile.
  routes.on2("PullDynamicScheduleUpdate", () => ({ status: "Rejected", statusInfo: { reasonCode: "InvalidProfile" } }));
}

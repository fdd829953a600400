import type { StationMessageRoutes } from "../../gateway/station-messages.ts";

/**
 * Answers what stations of family 2 report in blocks that are not managed here: display messages, DER control,
 * battery swapping and payments. The reports are validated, kept in the message log, and answered as the
 * specification lets a CSMS that has nothing to add.
 */
export interface UnmanagedReports {
  registerRoutes(routes: StationMessageRoutes): void;
}

/** Makes the answers. */
export function createUnmanagedReports(): UnmanagedReports {
  return {
    registerRoutes(routes) {
      // O03: an answer to a call of the operator's.
      routes.on2("NotifyDisplayMessages", () => ({}));
      // R04 and R05
      routes.on2("NotifyDERAlarm", () => ({}));
      routes.on2("NotifyDERStartStop", () => ({}));
      routes.on2("ReportDERControl", () => ({}));
      // S03
      routes.on2("BatterySwap", () => ({}));
      // C21.FR.03 asks for a receipt's address only where PaymentCtrlr.ReceiptByCSMS is set, which nothing here sets.
      routes.on2("NotifySettlement", () => ({}));
      routes.on2("VatNumberValidation", ({ vatNumber, evseId }) => ({
        // C18.FR.09: a number that cannot be validated is not; C18.FR.10: with the EVSE of the request.
        status: "Rejected",
        vatNumber,
        ...(evseId === undefined ? {} : { evseId }),
      }));
    },
  };
}

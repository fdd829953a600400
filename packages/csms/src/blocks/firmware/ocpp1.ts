import type { CommandRegistry } from "../../gateway/commands.ts";
import {
  CommandNotSupportedError,
  type StationCalls,
  type StationMessageRoutes,
} from "../../gateway/station-messages.ts";

/** Registers what stations of family 1 tell of firmware updates (1.6 §4.5; whitepaper §4.4.11). The message log keeps it. */
export function registerFamily1(routes: StationMessageRoutes): void {
  routes.on1("FirmwareStatusNotification", () => ({}));
  routes.on1("SignedFirmwareStatusNotification", () => ({}));
}

/** Translates updateFirmware for family 1: signed by the security extension (whitepaper §4.4.13), else by 1.6 §5.19. */
export function translateFamily1(commands: CommandRegistry, calls: StationCalls): void {
  commands.translate("UpdateFirmware", async (stationId, request, options) => {
    const { requestId, firmware } = request;
    const { location, retrieveDateTime, installDateTime, signingCertificate, signature } = firmware;
    const repetition = {
      ...(request.retries === undefined ? {} : { retries: request.retries }),
      ...(request.retryInterval === undefined ? {} : { retryInterval: request.retryInterval }),
    };
    if (signingCertificate !== undefined && signature !== undefined) {
      const signed = {
        location,
        retrieveDateTime,
        ...(installDateTime === undefined ? {} : { installDateTime }),
        signingCertificate,
        signature,
      };
      return calls.call1(stationId, "SignedUpdateFirmware", { requestId, firmware: signed, ...repetition }, options);
    }
    if (installDateTime !== undefined || signingCertificate !== undefined || signature !== undefined) {
      const why = "OCPP 1.x cannot say when unsigned firmware is installed, and needs both certificate and signature";
      throw new CommandNotSupportedError(stationId, "updateFirmware", why);
    }
    await calls.call1(
      stationId,
      "UpdateFirmware",
      { location, retrieveDate: retrieveDateTime, ...repetition },
      options,
    );
    // 1.6 §6.56: the response is empty; the station has taken the request.
    return { status: "Accepted" };
  });
}

import type { Ocpp16 } from "@polyphase/ocpp";
import type { Clock } from "../../clock.ts";
import type { CommandRegistry } from "../../gateway/commands.ts";
import {
  CommandNotSupportedError,
  type StationCalls,
  type StationMessageRoutes,
} from "../../gateway/station-messages.ts";
import type { ProvisioningService } from "./service.ts";
import type { BootFacts } from "./station.ts";

/** Registers BootNotification (1.6 §4.2) and Heartbeat (§4.6) of family 1. */
export function registerFamily1(routes: StationMessageRoutes, service: ProvisioningService, clock: Clock): void {
  routes.on1("BootNotification", async (request, { stationId, version }) => {
    const answer = await service.boot(stationId, version, bootFacts(request), "Unknown");
    return { status: answer.status, currentTime: answer.currentTime.toISOString(), interval: answer.intervalS };
  });
  routes.on1("Heartbeat", () => ({ currentTime: clock.now().toISOString() }));
}

function bootFacts(request: Ocpp16.BootNotificationRequest): BootFacts {
  return {
    vendorName: request.chargePointVendor,
    model: request.chargePointModel,
    // 1.6 §6.3: chargeBoxSerialNumber is deprecated and means what 2.x has no word for; it serves where the other is absent.
    serialNumber: request.chargePointSerialNumber ?? request.chargeBoxSerialNumber,
    firmwareVersion: request.firmwareVersion,
    iccid: request.iccid,
    imsi: request.imsi,
    meterType: request.meterType,
    meterSerialNumber: request.meterSerialNumber,
  };
}

/** Translates reset for family 1 (1.6 §5.14): Soft lets transactions end in order, Hard does not wait. */
export function translateReset(commands: CommandRegistry, calls: StationCalls): void {
  commands.translate("Reset", async (stationId, { type, evseId }, options) => {
    if (evseId !== undefined && evseId !== 0) {
      throw new CommandNotSupportedError(stationId, "reset", "OCPP 1.x resets the whole station only");
    }
    if (type === "ImmediateAndResume") {
      throw new CommandNotSupportedError(stationId, "reset", "OCPP 1.x cannot resume transactions after a reset");
    }
    return calls.call1(stationId, "Reset", { type: type === "Immediate" ? "Hard" : "Soft" }, options);
  });
}

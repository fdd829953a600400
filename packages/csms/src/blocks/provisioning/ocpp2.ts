import type { Ocpp21 } from "@polyphase/ocpp";
import type { Clock } from "../../clock.ts";
import type { StationMessageRoutes } from "../../gateway/station-messages.ts";
import type { ProvisioningService } from "./service.ts";
import type { BootFacts } from "./station.ts";

/** Registers BootNotification (B01) and Heartbeat (G02) of family 2. */
export function registerFamily2(routes: StationMessageRoutes, service: ProvisioningService, clock: Clock): void {
  routes.on2("BootNotification", async (request, { stationId, version }) => {
    const answer = await service.boot(stationId, version, bootFacts(request.chargingStation), request.reason);
    return { status: answer.status, currentTime: answer.currentTime.toISOString(), interval: answer.intervalS };
  });
  // G02.FR.03
  routes.on2("Heartbeat", () => ({ currentTime: clock.now().toISOString() }));
}

function bootFacts(station: Ocpp21.ChargingStationType): BootFacts {
  return {
    vendorName: station.vendorName,
    model: station.model,
    serialNumber: station.serialNumber,
    firmwareVersion: station.firmwareVersion,
    iccid: station.modem?.iccid,
    imsi: station.modem?.imsi,
  };
}

import type { Ocpp21 } from "@polyphase/ocpp";
import type { Clock } from "../../clock.ts";
import type { StationMessageRoutes } from "../../gateway/station-messages.ts";
import { stationDate } from "../../gateway/station-time.ts";
import type { Inventory } from "./inventory.ts";
import type { ProvisioningService } from "./service.ts";
import type { BootFacts } from "./station.ts";

/** Registers BootNotification (B01), Heartbeat (G02) and NotifyReport (B07, B08) of family 2. */
export function registerFamily2(
  routes: StationMessageRoutes,
  service: ProvisioningService,
  inventory: Inventory,
  noteStationTime: (stationId: string, stationTime: Date, receivedAt: Date) => void,
  clock: Clock,
): void {
  routes.on2("BootNotification", async (request, { stationId, version }) => {
    const answer = await service.boot(stationId, version, bootFacts(request.chargingStation), request.reason);
    return { status: answer.status, currentTime: answer.currentTime.toISOString(), interval: answer.intervalS };
  });
  routes.on2("NotifyReport", async (request, { stationId, receivedAt }) => {
    noteStationTime(stationId, stationDate(request.generatedAt, receivedAt), receivedAt);
    await inventory.receivePart(stationId, request, receivedAt);
    return {};
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

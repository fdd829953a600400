import type { StationMessageRoutes } from "../../gateway/station-messages.ts";
import { stationDate } from "../../gateway/station-time.ts";
import { checkNumber } from "./connector-status.ts";
import type { AvailabilityService } from "./service.ts";

/** Registers StatusNotification of family 2 (G01). */
export function registerFamily2(
  routes: StationMessageRoutes,
  service: AvailabilityService,
  noteStationTime: (stationId: string, stationTime: Date, receivedAt: Date) => void,
): void {
  routes.on2("StatusNotification", async (request, { stationId, receivedAt }) => {
    const { evseId, connectorId, connectorStatus } = request;
    checkNumber("evseId", evseId);
    checkNumber("connectorId", connectorId);
    const timestamp = stationDate(request.timestamp, receivedAt);
    noteStationTime(stationId, timestamp, receivedAt);
    await service.report(stationId, { evseId, connectorId, status: connectorStatus, timestamp }, receivedAt);
    return {};
  });
}

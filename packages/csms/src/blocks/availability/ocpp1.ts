import type { CommandRegistry } from "../../gateway/commands.ts";
import {
  CommandNotSupportedError,
  type StationCalls,
  type StationMessageRoutes,
} from "../../gateway/station-messages.ts";
import { stationDate } from "../../gateway/station-time.ts";
import { checkNumber, connectorStatusOf, type ReportedStatus } from "./connector-status.ts";
import type { AvailabilityService } from "./service.ts";

/** Registers StatusNotification of family 1 (1.6 §4.9). */
export function registerFamily1(
  routes: StationMessageRoutes,
  service: AvailabilityService,
  noteStationTime: (stationId: string, stationTime: Date, receivedAt: Date) => void,
  shown: (stationId: string, reported: ReportedStatus, receivedAt: Date) => void,
): void {
  routes.on1("StatusNotification", async (request, { stationId, version, receivedAt }) => {
    const { connectorId, status } = request;
    checkNumber("connectorId", connectorId);
    const timestamp = request.timestamp === undefined ? undefined : stationDate(request.timestamp, receivedAt);
    if (timestamp !== undefined) noteStationTime(stationId, timestamp, receivedAt);
    const reported: ReportedStatus = {
      evseId: connectorId,
      // Connector n is EVSE n with connector 1; connector 0 is the station.
      connectorId: connectorId === 0 ? 0 : 1,
      status: connectorStatusOf(status),
      // What 1.2 and 1.5 said is in `status` already; only 1.6 tells more.
      detail: version === "1.6" ? status : undefined,
      errorCode: request.errorCode === "NoError" ? undefined : request.errorCode,
      info: request.info,
      vendorId: request.vendorId,
      vendorErrorCode: request.vendorErrorCode,
      timestamp,
    };
    await service.report(stationId, reported, receivedAt);
    shown(stationId, reported, receivedAt);
    return {};
  });
}

/** Translates changeAvailability for family 1 (1.6 §5.2). */
export function translateFamily1(commands: CommandRegistry, calls: StationCalls): void {
  commands.translate("ChangeAvailability", async (stationId, request, options) => {
    const { evse, operationalStatus } = request;
    if ((evse?.connectorId ?? 1) !== 1) {
      throw new CommandNotSupportedError(stationId, "changeAvailability", "each EVSE has one connector, number 1");
    }
    // An absent evse means the station (G04.FR.01), which is connector 0 of 1.6.
    const payload = { connectorId: evse?.id ?? 0, type: operationalStatus };
    return calls.call1(stationId, "ChangeAvailability", payload, options);
  });
}

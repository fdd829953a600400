import type { StationMessageRoutes } from "../../gateway/station-messages.ts";
import { stationDate } from "../../gateway/station-time.ts";
import type { SecurityEvents } from "./service.ts";

/** What stations of family 2 report (A04). */
export function registerFamily2(routes: StationMessageRoutes, events: SecurityEvents): void {
  routes.on2("SecurityEventNotification", async ({ type, timestamp, techInfo }, { stationId, receivedAt }) => {
    await events.report({ stationId, type, occurredAt: stationDate(timestamp, receivedAt), techInfo, receivedAt });
    return {};
  });
}

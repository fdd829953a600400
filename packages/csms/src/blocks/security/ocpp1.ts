import type { StationMessageRoutes } from "../../gateway/station-messages.ts";
import { stationDate } from "../../gateway/station-time.ts";
import type { SecurityEvents } from "./service.ts";

/** What stations of family 1 report (security whitepaper A04). */
export function registerFamily1(routes: StationMessageRoutes, events: SecurityEvents): void {
  routes.on1("SecurityEventNotification", async ({ type, timestamp, techInfo }, { stationId, receivedAt }) => {
    await events.report({ stationId, type, occurredAt: stationDate(timestamp, receivedAt), techInfo, receivedAt });
    return {};
  });
}

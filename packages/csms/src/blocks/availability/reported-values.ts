import type { TimedValue } from "../provisioning/index.ts";
import { type ConnectorStatus, isNumber, type ReportedStatus } from "./connector-status.ts";

const statuses: ReadonlySet<string> = new Set<ConnectorStatus>([
  "Available",
  "Occupied",
  "Reserved",
  "Unavailable",
  "Faulted",
]);

const isStatus = (value: string): value is ConnectorStatus => statuses.has(value);

/**
 * The status that a value of AvailabilityState tells (G01; 2.1 prefers it to StatusNotification), or undefined for
 * any other variable. An EVSE's own state has connector 0, the station's has EVSE 0 too.
 */
export function statusOfValue(value: TimedValue): ReportedStatus | undefined {
  if (value.variable.toLowerCase() !== "availabilitystate" || value.attribute !== "Actual") return undefined;
  if (value.value === undefined || !isStatus(value.value)) return undefined;
  const place = placeOf(value);
  return place === undefined || !isNumber(place.evseId) || !isNumber(place.connectorId)
    ? undefined
    : { ...place, status: value.value, timestamp: value.timestamp };
}

function placeOf({ component, evseId, connectorId }: TimedValue): { evseId: number; connectorId: number } | undefined {
  switch (component.toLowerCase()) {
    case "chargingstation":
      return { evseId: 0, connectorId: 0 };
    case "evse":
      return evseId === undefined || evseId < 1 ? undefined : { evseId, connectorId: 0 };
    case "connector":
      if (evseId === undefined || connectorId === undefined || evseId < 1 || connectorId < 1) return undefined;
      return { evseId, connectorId };
    default:
      return undefined;
  }
}

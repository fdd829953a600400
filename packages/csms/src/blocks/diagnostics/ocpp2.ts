import type { Ocpp21 } from "@polyphase/ocpp";
import type { WriteUnit } from "../../database/write-unit.ts";
import type { StationMessageRoutes } from "../../gateway/station-messages.ts";
import { stationDate } from "../../gateway/station-time.ts";
import type { Provisioning, TimedValue } from "../provisioning/index.ts";

/** Registers what stations of family 2 tell of events, monitors and logs (block N). */
export function registerFamily2(
  routes: StationMessageRoutes,
  provisioning: Pick<Provisioning, "storeValues" | "noteStationTime">,
): void {
  routes.on2("NotifyEvent", async (request, { stationId, receivedAt }) => {
    provisioning.noteStationTime(stationId, stationDate(request.generatedAt, receivedAt), receivedAt);
    const values = request.eventData.map((event) => reportedValue(event, receivedAt));
    await provisioning.storeValues(stationId, values, receivedAt, (unit) => {
      for (const event of request.eventData) if (isFault(event)) publishFault(stationId, event, receivedAt, unit);
    });
    return {};
  });
  // N02, N09: answers to calls of the operator's, kept in the message log.
  routes.on2("NotifyMonitoringReport", () => ({}));
  routes.on2("NotifyCustomerInformation", () => ({}));
  // N01.FR.08 and following: progress, kept in the message log.
  routes.on2("LogStatusNotification", () => ({}));
  // N11.FR.05 and N11.FR.07: without a use for streams the values had better come as events.
  routes.on2("OpenPeriodicEventStream", () => ({ status: "Rejected" }));
  // N13.FR.02
  routes.on2("ClosePeriodicEventStream", () => ({}));
  // N15.FR.02: a SEND has no answer. One that comes for a stream that was refused is in the message log.
  routes.on2("NotifyPeriodicEventStream", () => undefined);
}

function reportedValue(event: Ocpp21.EventDataType, receivedAt: Date): TimedValue {
  const { component, variable } = event;
  return {
    component: component.name,
    componentInstance: component.instance,
    evseId: component.evse?.id,
    connectorId: component.evse?.connectorId,
    variable: variable.name,
    variableInstance: variable.instance,
    attribute: "Actual",
    value: event.actualValue,
    timestamp: stationDate(event.timestamp, receivedAt),
  };
}

/** Severity 0 to 4, danger to critical, or the variable that says that something is wrong (2.x: Problem). */
const MOST_SEVERITY_OF_FAULTS = 4;

function isFault(event: Ocpp21.EventDataType): boolean {
  if (event.cleared === true) return false;
  if (event.variable.name.toLowerCase() === "problem") return event.actualValue.toLowerCase() === "true";
  return event.trigger === "Alerting" && (event.severity ?? MOST_SEVERITY_OF_FAULTS) <= MOST_SEVERITY_OF_FAULTS;
}

function publishFault(stationId: string, event: Ocpp21.EventDataType, receivedAt: Date, unit: WriteUnit): void {
  const { component, variable, techCode, techInfo } = event;
  unit.publish({
    type: "station.fault-reported",
    stationId,
    timestamp: stationDate(event.timestamp, receivedAt),
    data: {
      evseId: component.evse?.id ?? 0,
      errorCode: techCode ?? `${component.name}.${variable.name}`,
      info: techInfo ?? event.actualValue,
    },
  });
}

import type { Ocpp21 } from "@polyphase/ocpp";
import type { Session } from "../transactions/session.ts";
import type { Family2Calls } from "./calls.ts";
import type { Family2Driver } from "./family2-driver.ts";

function sendMeterValues(driver: Family2Driver, sessions: readonly Session[]): void {
  for (const session of sessions) {
    // F06.FR.06: the clock-aligned measurands.
    const sample = session.sampling.take("Trigger", driver.station.settings.alignedMeasurands, "trigger");
    if (sample !== undefined) driver.sendMeterValues(session.evse.id, sample).catch(() => {});
  }
}

/** TriggerMessage (F06): the message follows the answer, also while the registration is Pending. */
function trigger(
  driver: Family2Driver,
  message: Ocpp21.MessageTriggerEnumType,
  evse: Ocpp21.EVSEType | undefined,
): Ocpp21.TriggerMessageStatusEnumType {
  const { station } = driver;
  const addressed = station.sessions.filter((session) => evse === undefined || session.evse.id === evse.id);
  switch (message) {
    case "BootNotification":
      // F06.FR.17
      if (station.registration.status === "Accepted") return "Rejected";
      station.afterAnswer(() => station.registration.boot("Triggered"));
      return "Accepted";
    case "Heartbeat":
      station.afterAnswer(() => station.registration.heartbeat());
      return "Accepted";
    case "LogStatusNotification":
      station.afterAnswer(() => driver.reportTransfer(message, driver.log.status, driver.log.requestId));
      return "Accepted";
    case "FirmwareStatusNotification":
      station.afterAnswer(() => driver.reportTransfer(message, driver.firmware.status, driver.firmware.requestId));
      return "Accepted";
    case "MeterValues":
      if (addressed.length === 0) return "Rejected";
      station.afterAnswer(() => sendMeterValues(driver, addressed));
      return "Accepted";
    case "StatusNotification": {
      const [session] = addressed;
      // F06.FR.12: only a single connector can be asked for.
      if (session === undefined || evse?.connectorId !== 1) return "Rejected";
      station.afterAnswer(() => driver.sendStatus(session));
      return "Accepted";
    }
    case "TransactionEvent": {
      const charging = addressed.filter((session) => session.transaction !== undefined);
      if (charging.length === 0) return "Rejected";
      station.afterAnswer(() => {
        for (const session of charging) session.report("Trigger", "Trigger");
      });
      return "Accepted";
    }
    default:
      return "NotImplemented";
  }
}

/** The call that asks for messages. */
export const triggerCalls: Pick<Family2Calls, "TriggerMessage"> = {
  TriggerMessage: (driver, { requestedMessage, evse }) => ({ status: trigger(driver, requestedMessage, evse) }),
};

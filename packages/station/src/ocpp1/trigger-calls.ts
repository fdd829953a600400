import type { Session } from "../transactions/session.ts";
import type { Family1Calls } from "./calls.ts";
import type { Family1Driver } from "./family1-driver.ts";

type TriggerStatus = "Accepted" | "Rejected" | "NotImplemented";

function reportMeter(driver: Family1Driver, session: Session): void {
  if (session.transaction !== undefined) {
    session.report("Trigger", "Trigger");
    return;
  }
  const sample = session.sampling.take("Trigger", driver.station.settings.txUpdatedMeasurands, "trigger");
  if (sample !== undefined) driver.sendMeterValues(session.evse.id, sample).catch(() => {});
}

async function sendStatuses(driver: Family1Driver, connectorId: number | undefined): Promise<void> {
  if (connectorId === undefined || connectorId === 0) await driver.sendStationStatus();
  for (const session of driver.station.sessions) {
    if (connectorId === undefined || connectorId === session.evse.id) await driver.sendStatus(session);
  }
}

/** Does what was asked for after the answer; the message is sent even while the registration is Pending. */
function trigger(driver: Family1Driver, message: string, connectorId: number | undefined): TriggerStatus {
  const { station } = driver;
  if (connectorId !== undefined && connectorId !== 0 && station.session(connectorId) === undefined) return "Rejected";
  const wanted = station.sessions.filter(
    (session) => connectorId === undefined || connectorId === 0 || session.evse.id === connectorId,
  );
  switch (message) {
    case "BootNotification":
      station.afterAnswer(() => station.registration.boot("Triggered"));
      return "Accepted";
    case "Heartbeat":
      station.afterAnswer(() => station.registration.heartbeat());
      return "Accepted";
    case "MeterValues":
      station.afterAnswer(() => {
        for (const session of wanted) reportMeter(driver, session);
      });
      return "Accepted";
    case "StatusNotification":
      station.afterAnswer(() => sendStatuses(driver, connectorId));
      return "Accepted";
    default:
      return triggerTransfer(driver, message);
  }
}

function triggerTransfer(driver: Family1Driver, message: string): TriggerStatus {
  switch (message) {
    case "DiagnosticsStatusNotification":
      driver.station.afterAnswer(() => driver.reportTransfer(message, driver.diagnostics.status, undefined));
      return "Accepted";
    case "FirmwareStatusNotification":
      driver.station.afterAnswer(() => driver.reportTransfer(message, driver.firmware.status, undefined));
      return "Accepted";
    case "LogStatusNotification":
      driver.station.afterAnswer(() => driver.reportTransfer(message, driver.log.status, driver.log.requestId));
      return "Accepted";
    default:
      return "NotImplemented";
  }
}

/** TriggerMessage and its extension by the security whitepaper. */
export const triggerCalls: Pick<Family1Calls, "ExtendedTriggerMessage" | "TriggerMessage"> = {
  TriggerMessage: (driver, { requestedMessage, connectorId }) => ({
    status: trigger(driver, requestedMessage, connectorId),
  }),

  ExtendedTriggerMessage: (driver, { requestedMessage, connectorId }) => {
    if (requestedMessage !== "FirmwareStatusNotification") {
      return { status: trigger(driver, requestedMessage, connectorId) };
    }
    const { signedFirmware } = driver;
    driver.station.afterAnswer(() =>
      driver.reportTransfer("SignedFirmwareStatusNotification", signedFirmware.status, signedFirmware.requestId),
    );
    return { status: "Accepted" };
  },
};

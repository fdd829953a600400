import { findVariable } from "../configuration/device-model.ts";
import { allVariables } from "../configuration/variables.ts";
import { failingTransfer, waitUntilMs } from "../firmware/failing-transfer.ts";
import { uploadLog } from "../firmware/log-upload.ts";
import type { Family2Calls } from "./calls.ts";

/** Calls about logs, firmware, monitoring and customers. There are no files here, so transfers end in failure. */
export const diagnosticsCalls: Pick<
  Family2Calls,
  | "ClearVariableMonitoring"
  | "CustomerInformation"
  | "GetLog"
  | "GetMonitoringReport"
  | "SetMonitoringBase"
  | "SetMonitoringLevel"
  | "SetVariableMonitoring"
  | "UpdateFirmware"
> = {
  GetLog: uploadLog,

  UpdateFirmware: (driver, request) => {
    const { requestId, firmware } = request;
    const status = driver.firmware.isRunning ? "AcceptedCanceled" : "Accepted";
    const waitMs = waitUntilMs(firmware.retrieveDateTime, driver.station.stationTime());
    const course = failingTransfer("Downloading", "DownloadFailed", request);
    driver.station.afterAnswer(() => {
      if (waitMs > 0) driver.reportTransfer("FirmwareStatusNotification", "DownloadScheduled", requestId);
      driver.firmware.start(course, { waitMs, requestId });
    });
    return { status };
  },

  // Monitoring is not available (MonitoringCtrlr.Available is false).
  SetMonitoringBase: () => ({ status: "NotSupported" }),
  SetMonitoringLevel: () => ({ status: "Rejected" }),
  GetMonitoringReport: () => ({ status: "NotSupported" }),
  ClearVariableMonitoring: (_driver, { id: ids }) => ({
    clearMonitoringResult: ids.map((id) => ({ id, status: "NotFound" })),
  }),
  SetVariableMonitoring: (driver, { setMonitoringData }) => {
    const variables = allVariables(driver.modelContext);
    return {
      setMonitoringResult: setMonitoringData.map(({ component, variable, type, severity }) => {
        const found = findVariable(variables, component, variable);
        const status = typeof found === "string" ? found : "UnsupportedMonitorType";
        return { component, variable, type, severity, status };
      }),
    };
  },

  CustomerInformation: (driver, { requestId, report, clear, idToken }) => {
    const { station } = driver;
    const known = idToken === undefined ? undefined : station.authorization.local(idToken);
    if (clear && idToken !== undefined) station.authorization.cache.forget(idToken);
    const data = known === undefined ? "" : `idToken ${idToken?.idToken}: ${known.status}`;
    if (report || clear) {
      // N09, N10: the notification also confirms that the data was cleared.
      station.afterAnswer(async () => {
        await driver.call("NotifyCustomerInformation", {
          requestId,
          seqNo: 0,
          generatedAt: driver.now(),
          data: report ? data : "",
        });
      });
    }
    return { status: report || clear ? "Accepted" : "Rejected" };
  },
};

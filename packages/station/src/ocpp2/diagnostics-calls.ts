import { findVariable } from "../configuration/device-model.ts";
import { allVariables } from "../configuration/variables.ts";
import type { Family2Calls } from "./calls.ts";

/** How long a simulated station tries to reach a file server. */
const TRY_MS = 10_000;

function retriesMs(retries = 0, retryIntervalS = 60): number {
  return Math.max(0, retries) * Math.max(0, retryIntervalS) * 1000;
}

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
  GetLog: (driver, { requestId, retries, retryInterval }) => {
    const status = driver.log.isRunning ? "AcceptedCanceled" : "Accepted";
    const lastsMs = TRY_MS + retriesMs(retries, retryInterval);
    driver.station.afterAnswer(() =>
      driver.log.start(
        [
          { status: "Uploading", lastsMs },
          { status: "UploadFailure", lastsMs: 0 },
        ],
        { requestId },
      ),
    );
    return { status, filename: `log-${driver.identity.serialNumber}-${requestId}.log` };
  },

  UpdateFirmware: (driver, { requestId, retries, retryInterval, firmware }) => {
    const status = driver.firmware.isRunning ? "AcceptedCanceled" : "Accepted";
    const at = Date.parse(firmware.retrieveDateTime);
    const waitMs = Number.isNaN(at) ? 0 : Math.max(0, at - driver.station.stationTime());
    const download = [
      { status: "Downloading", lastsMs: TRY_MS + retriesMs(retries, retryInterval) },
      { status: "DownloadFailed", lastsMs: 0 },
    ];
    driver.station.afterAnswer(() => {
      if (waitMs > 0) driver.reportTransfer("FirmwareStatusNotification", "DownloadScheduled", requestId);
      driver.firmware.start(download, { waitMs, requestId });
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

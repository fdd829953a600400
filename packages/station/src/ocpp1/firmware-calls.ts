import { failingTransfer, waitUntilMs } from "../firmware/failing-transfer.ts";
import { uploadLog } from "../firmware/log-upload.ts";
import type { Family1Calls } from "./calls.ts";

/** Calls that move files. There are no files here, so every course ends in the version's word for failure. */
export const firmwareCalls: Pick<
  Family1Calls,
  "GetDiagnostics" | "GetLog" | "SignedUpdateFirmware" | "UpdateFirmware"
> = {
  GetDiagnostics: (driver, request) => {
    driver.station.afterAnswer(() => driver.diagnostics.start(failingTransfer("Uploading", "UploadFailed", request)));
    return { fileName: `diagnostics-${driver.identity.serialNumber}.log` };
  },

  UpdateFirmware: (driver, request) => {
    const waitMs = waitUntilMs(request.retrieveDate, driver.station.stationTime());
    const course = failingTransfer("Downloading", "DownloadFailed", request);
    driver.station.afterAnswer(() => driver.firmware.start(course, { waitMs }));
    return {};
  },

  GetLog: uploadLog,

  SignedUpdateFirmware: (driver, request) => {
    const { requestId, firmware } = request;
    const status = driver.signedFirmware.isRunning ? "AcceptedCanceled" : "Accepted";
    const waitMs = waitUntilMs(firmware.retrieveDateTime, driver.station.stationTime());
    const course = failingTransfer("Downloading", "DownloadFailed", request);
    driver.station.afterAnswer(() => driver.signedFirmware.start(course, { waitMs, requestId }));
    return { status };
  },
};

import type { Family1Calls } from "./calls.ts";

/** How long a simulated station tries to reach a file server. */
const TRY_MS = 10_000;

function waitUntil(moment: string, now: number): number {
  const at = Date.parse(moment);
  return Number.isNaN(at) ? 0 : Math.max(0, at - now);
}

/** The time that the given number of further attempts takes. */
function retriesMs(retries = 0, retryIntervalS = 60): number {
  return Math.max(0, retries) * Math.max(0, retryIntervalS) * 1000;
}

/** Calls that move files. There are no files here, so every course ends in the version's word for failure. */
export const firmwareCalls: Pick<
  Family1Calls,
  "GetDiagnostics" | "GetLog" | "SignedUpdateFirmware" | "UpdateFirmware"
> = {
  GetDiagnostics: (driver, { retries, retryInterval }) => {
    const lastsMs = TRY_MS + retriesMs(retries, retryInterval);
    driver.station.afterAnswer(() =>
      driver.diagnostics.start([
        { status: "Uploading", lastsMs },
        { status: "UploadFailed", lastsMs: 0 },
      ]),
    );
    return { fileName: `diagnostics-${driver.identity.serialNumber}.log` };
  },

  UpdateFirmware: (driver, { retrieveDate, retries, retryInterval }) => {
    const waitMs = waitUntil(retrieveDate, driver.station.stationTime());
    const lastsMs = TRY_MS + retriesMs(retries, retryInterval);
    driver.station.afterAnswer(() =>
      driver.firmware.start(
        [
          { status: "Downloading", lastsMs },
          { status: "DownloadFailed", lastsMs: 0 },
        ],
        { waitMs },
      ),
    );
    return {};
  },

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

  SignedUpdateFirmware: (driver, { requestId, retries, retryInterval, firmware }) => {
    const status = driver.signedFirmware.isRunning ? "AcceptedCanceled" : "Accepted";
    const waitMs = waitUntil(firmware.retrieveDateTime, driver.station.stationTime());
    const lastsMs = TRY_MS + retriesMs(retries, retryInterval);
    driver.station.afterAnswer(() =>
      driver.signedFirmware.start(
        [
          { status: "Downloading", lastsMs },
          { status: "DownloadFailed", lastsMs: 0 },
        ],
        { waitMs, requestId },
      ),
    );
    return { status };
  },
};

import type { Ocpp21 } from "@polyphase/ocpp";
import type { CommandRegistry } from "../../gateway/commands.ts";
import {
  CommandNotSupportedError,
  StationAnsweredError,
  type StationCallOptions,
  type StationCalls,
  type StationMessageRoutes,
} from "../../gateway/station-messages.ts";

/** Registers what stations of family 1 tell of uploads (1.6 §4.4; whitepaper N01). The message log keeps it. */
export function registerFamily1(routes: StationMessageRoutes): void {
  routes.on1("DiagnosticsStatusNotification", () => ({}));
  routes.on1("LogStatusNotification", () => ({}));
}

/** Translates getLog for family 1: by the security extension, and for diagnostics without it by 1.6 §5.9. */
export function translateFamily1(commands: CommandRegistry, calls: StationCalls): void {
  commands.translate("GetLog", async (stationId, request, options) => {
    const { logType, log, requestId, retries, retryInterval } = request;
    if (logType === "DataCollectorLog") {
      throw new CommandNotSupportedError(stationId, "getLog", "OCPP 1.x has no DataCollectorLog");
    }
    const { remoteLocation, oldestTimestamp, latestTimestamp } = log;
    const repetition = {
      ...(retries === undefined ? {} : { retries }),
      ...(retryInterval === undefined ? {} : { retryInterval }),
    };
    const span = {
      ...(oldestTimestamp === undefined ? {} : { oldestTimestamp }),
      ...(latestTimestamp === undefined ? {} : { latestTimestamp }),
    };
    const payload = { logType, requestId, log: { remoteLocation, ...span }, ...repetition };
    try {
      return await calls.call1(stationId, "GetLog", payload, options);
    } catch (error) {
      if (logType !== "DiagnosticsLog" || !lacksExtension(error)) throw error;
      return getDiagnostics(calls, stationId, request, options);
    }
  });
}

function lacksExtension(error: unknown): boolean {
  if (error instanceof CommandNotSupportedError) return true;
  return error instanceof StationAnsweredError && (error.code === "NotImplemented" || error.code === "NotSupported");
}

async function getDiagnostics(
  calls: StationCalls,
  stationId: string,
  request: Ocpp21.GetLogRequest,
  options: StationCallOptions,
): Promise<Ocpp21.GetLogResponse> {
  const { log, retries, retryInterval } = request;
  const payload = {
    location: log.remoteLocation,
    ...(log.oldestTimestamp === undefined ? {} : { startTime: log.oldestTimestamp }),
    ...(log.latestTimestamp === undefined ? {} : { stopTime: log.latestTimestamp }),
    ...(retries === undefined ? {} : { retries }),
    ...(retryInterval === undefined ? {} : { retryInterval }),
  };
  const { fileName } = await calls.call1(stationId, "GetDiagnostics", payload, options);
  // 1.6 §5.9: without a file name there is nothing to upload.
  return fileName === undefined || fileName === ""
    ? { status: "Rejected", statusInfo: { reasonCode: "NotFound" } }
    : { status: "Accepted", filename: fileName };
}

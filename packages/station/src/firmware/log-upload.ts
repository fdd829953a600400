import type { StationIdentity } from "../identity.ts";
import { failingTransfer, type TransferRequest } from "./failing-transfer.ts";
import type { TransferReports } from "./transfer-reports.ts";

/** A driver, as far as its logs go. */
export interface LogSource {
  readonly identity: StationIdentity;
  readonly log: TransferReports;
  readonly station: { afterAnswer(work: () => void): void };
}

/** Answers GetLog, which 1.6 took over from 2.0.1, and starts the upload. */
export function uploadLog(source: LogSource, request: TransferRequest & { readonly requestId: number }) {
  const { log, identity, station } = source;
  const { requestId } = request;
  const status: "Accepted" | "AcceptedCanceled" = log.isRunning ? "AcceptedCanceled" : "Accepted";
  station.afterAnswer(() => log.start(failingTransfer("Uploading", "UploadFailure", request), { requestId }));
  return { status, filename: `log-${identity.serialNumber}-${requestId}.log` };
}

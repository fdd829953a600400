import { bootRequestTo16, bootResponseFrom16 } from "./boot-notification.ts";
import { getDiagnostics, remoteStart, unlockConnector } from "./calls.ts";
import { type FromStation, same, sameBoth, type ToStation } from "./direction.ts";
import { meterValuesFrom12 } from "./meter-values.ts";
import { statusRequestTo16 } from "./status-notification.ts";

/**
 * What 1.2 stations send. 1.2 writes IdToken as an open text; a token longer than 1.6 allows is passed on as it is,
 * because a cut one would be another token.
 */
export const fromStation12: FromStation<"1.2"> = {
  Authorize: sameBoth,
  BootNotification: { request: bootRequestTo16, response: bootResponseFrom16 },
  DiagnosticsStatusNotification: sameBoth,
  FirmwareStatusNotification: sameBoth,
  Heartbeat: sameBoth,
  MeterValues: { request: meterValuesFrom12, response: same },
  StartTransaction: sameBoth,
  StatusNotification: { request: statusRequestTo16, response: same },
  StopTransaction: sameBoth,
};

/** What 1.2 stations can be called with. */
export const toStation12: ToStation<"1.2"> = {
  ChangeAvailability: sameBoth,
  ChangeConfiguration: sameBoth,
  ClearCache: sameBoth,
  GetDiagnostics: getDiagnostics,
  RemoteStartTransaction: remoteStart,
  RemoteStopTransaction: sameBoth,
  Reset: sameBoth,
  UnlockConnector: unlockConnector,
  UpdateFirmware: sameBoth,
};

import { bootRequestTo16, bootResponseFrom16 } from "./boot-notification.ts";
import {
  dataTransferTo16,
  getConfiguration,
  getDiagnostics,
  remoteStart,
  sendLocalList,
  unlockConnector,
} from "./calls.ts";
import { type FromStation, same, sameBoth, type ToStation } from "./direction.ts";
import { meterValuesFrom15, stopRequestFrom15 } from "./meter-values.ts";
import { statusRequestTo16 } from "./status-notification.ts";

/** What 1.5 stations send. */
export const fromStation15: FromStation<"1.5"> = {
  Authorize: sameBoth,
  BootNotification: { request: bootRequestTo16, response: bootResponseFrom16 },
  DataTransfer: { request: dataTransferTo16, response: same },
  DiagnosticsStatusNotification: sameBoth,
  FirmwareStatusNotification: sameBoth,
  Heartbeat: sameBoth,
  MeterValues: { request: meterValuesFrom15, response: same },
  StartTransaction: sameBoth,
  StatusNotification: { request: statusRequestTo16, response: same },
  StopTransaction: { request: stopRequestFrom15, response: same },
};

/** What 1.5 stations can be called with. */
export const toStation15: ToStation<"1.5"> = {
  CancelReservation: sameBoth,
  ChangeAvailability: sameBoth,
  ChangeConfiguration: sameBoth,
  ClearCache: sameBoth,
  DataTransfer: sameBoth,
  GetConfiguration: getConfiguration,
  GetDiagnostics: getDiagnostics,
  GetLocalListVersion: sameBoth,
  RemoteStartTransaction: remoteStart,
  RemoteStopTransaction: sameBoth,
  ReserveNow: sameBoth,
  Reset: sameBoth,
  SendLocalList: sendLocalList,
  UnlockConnector: unlockConnector,
  UpdateFirmware: sameBoth,
};

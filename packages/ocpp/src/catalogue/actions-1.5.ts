import type { ActionRow } from "./actions.ts";

/** The 24 actions of OCPP 1.5. */
export const actions15 = {
  Authorize: { from: "ChargingStation", functionalBlock: "Core" },
  BootNotification: { from: "ChargingStation", functionalBlock: "Core" },
  CancelReservation: { from: "CSMS", functionalBlock: "Reservation" },
  ChangeAvailability: { from: "CSMS", functionalBlock: "Core" },
  ChangeConfiguration: { from: "CSMS", functionalBlock: "Core" },
  ClearCache: { from: "CSMS", functionalBlock: "Core" },
  DataTransfer: { from: "Both", functionalBlock: "Core" },
  DiagnosticsStatusNotification: { from: "ChargingStation", functionalBlock: "Firmware Management" },
  FirmwareStatusNotification: { from: "ChargingStation", functionalBlock: "Firmware Management" },
  GetConfiguration: { from: "CSMS", functionalBlock: "Core" },
  GetDiagnostics: { from: "CSMS", functionalBlock: "Firmware Management" },
  GetLocalListVersion: { from: "CSMS", functionalBlock: "Local Auth List Management" },
  Heartbeat: { from: "ChargingStation", functionalBlock: "Core" },
  MeterValues: { from: "ChargingStation", functionalBlock: "Core" },
  RemoteStartTransaction: { from: "CSMS", functionalBlock: "Core" },
  RemoteStopTransaction: { from: "CSMS", functionalBlock: "Core" },
  ReserveNow: { from: "CSMS", functionalBlock: "Reservation" },
  Reset: { from: "CSMS", functionalBlock: "Core" },
  SendLocalList: { from: "CSMS", functionalBlock: "Local Auth List Management" },
  StartTransaction: { from: "ChargingStation", functionalBlock: "Core" },
  StatusNotification: { from: "ChargingStation", functionalBlock: "Core" },
  StopTransaction: { from: "ChargingStation", functionalBlock: "Core" },
  UnlockConnector: { from: "CSMS", functionalBlock: "Core" },
  UpdateFirmware: { from: "CSMS", functionalBlock: "Firmware Management" },
} as const satisfies Readonly<Record<string, ActionRow>>;

import type { ActionRow } from "./actions.ts";

/** The 18 actions of OCPP 1.2. */
export const actions12 = {
  Authorize: { from: "ChargingStation", functionalBlock: "Core" },
  BootNotification: { from: "ChargingStation", functionalBlock: "Core" },
  ChangeAvailability: { from: "CSMS", functionalBlock: "Core" },
  ChangeConfiguration: { from: "CSMS", functionalBlock: "Core" },
  ClearCache: { from: "CSMS", functionalBlock: "Core" },
  DiagnosticsStatusNotification: { from: "ChargingStation", functionalBlock: "Firmware Management" },
  FirmwareStatusNotification: { from: "ChargingStation", functionalBlock: "Firmware Management" },
  GetDiagnostics: { from: "CSMS", functionalBlock: "Firmware Management" },
  Heartbeat: { from: "ChargingStation", functionalBlock: "Core" },
  MeterValues: { from: "ChargingStation", functionalBlock: "Core" },
  RemoteStartTransaction: { from: "CSMS", functionalBlock: "Core" },
  RemoteStopTransaction: { from: "CSMS", functionalBlock: "Core" },
  Reset: { from: "CSMS", functionalBlock: "Core" },
  StartTransaction: { from: "ChargingStation", functionalBlock: "Core" },
  StatusNotification: { from: "ChargingStation", functionalBlock: "Core" },
  StopTransaction: { from: "ChargingStation", functionalBlock: "Core" },
  UnlockConnector: { from: "CSMS", functionalBlock: "Core" },
  UpdateFirmware: { from: "CSMS", functionalBlock: "Firmware Management" },
} as const satisfies Readonly<Record<string, ActionRow>>;

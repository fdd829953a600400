import { expect, test } from "vitest";
import { catalogue, definitionsOf } from "./catalogue.ts";
import { type OcppVersion, ocppVersions } from "./version.ts";

/** Actions by the role that sends the request, written down from the specifications and not from the catalogue. */
interface Actions {
  readonly station: string;
  readonly csms: string;
  readonly both: string;
  /** Never answered; sent by the station. */
  readonly send: string;
}

const specified: Readonly<Record<OcppVersion | "1.6 security", Actions>> = {
  "1.2": {
    station: `
      Authorize BootNotification DiagnosticsStatusNotification FirmwareStatusNotification Heartbeat
      MeterValues StartTransaction StatusNotification StopTransaction`,
    csms: `
      ChangeAvailability ChangeConfiguration ClearCache GetDiagnostics RemoteStartTransaction
      RemoteStopTransaction Reset UnlockConnector UpdateFirmware`,
    both: "",
    send: "",
  },
  "1.5": {
    station: `
      Authorize BootNotification DiagnosticsStatusNotification FirmwareStatusNotification Heartbeat
      MeterValues StartTransaction StatusNotification StopTransaction`,
    csms: `
      CancelReservation ChangeAvailability ChangeConfiguration ClearCache GetConfiguration GetDiagnostics
      GetLocalListVersion RemoteStartTransaction RemoteStopTransaction ReserveNow Reset SendLocalList
      UnlockConnector UpdateFirmware`,
    both: "DataTransfer",
    send: "",
  },
  "1.6": {
    station: `
      Authorize BootNotification DiagnosticsStatusNotification FirmwareStatusNotification Heartbeat
      MeterValues StartTransaction StatusNotification StopTransaction`,
    csms: `
      CancelReservation ChangeAvailability ChangeConfiguration ClearCache ClearChargingProfile
      GetCompositeSchedule GetConfiguration GetDiagnostics GetLocalListVersion RemoteStartTransaction
      RemoteStopTransaction ReserveNow Reset SendLocalList SetChargingProfile TriggerMessage
      UnlockConnector UpdateFirmware`,
    both: "DataTransfer",
    send: "",
  },
  "1.6 security": {
    station: "LogStatusNotification SecurityEventNotification SignCertificate SignedFirmwareStatusNotification",
    csms: `
      CertificateSigned DeleteCertificate ExtendedTriggerMessage GetInstalledCertificateIds GetLog
      InstallCertificate SignedUpdateFirmware`,
    both: "",
    send: "",
  },
  "2.0.1": {
    station: `
      Authorize BootNotification ClearedChargingLimit FirmwareStatusNotification Get15118EVCertificate
      GetCertificateStatus Heartbeat LogStatusNotification MeterValues NotifyChargingLimit
      NotifyCustomerInformation NotifyDisplayMessages NotifyEVChargingNeeds NotifyEVChargingSchedule
      NotifyEvent NotifyMonitoringReport NotifyReport PublishFirmwareStatusNotification
      ReportChargingProfiles ReservationStatusUpdate SecurityEventNotification SignCertificate
      StatusNotification TransactionEvent`,
    csms: `
      CancelReservation CertificateSigned ChangeAvailability ClearCache ClearChargingProfile
      ClearDisplayMessage ClearVariableMonitoring CostUpdated CustomerInformation DeleteCertificate
      GetBaseReport GetChargingProfiles GetCompositeSchedule GetDisplayMessages
      GetInstalledCertificateIds GetLocalListVersion GetLog GetMonitoringReport GetReport
      GetTransactionStatus GetVariables InstallCertificate PublishFirmware RequestStartTransaction
      RequestStopTransaction ReserveNow Reset SendLocalList SetChargingProfile SetDisplayMessage
      SetMonitoringBase SetMonitoringLevel SetNetworkProfile SetVariableMonitoring SetVariables
      TriggerMessage UnlockConnector UnpublishFirmware UpdateFirmware`,
    both: "DataTransfer",
    send: "",
  },
  "2.1": {
    station: `
      Authorize BatterySwap BootNotification ClearedChargingLimit ClosePeriodicEventStream
      FirmwareStatusNotification Get15118EVCertificate GetCertificateChainStatus GetCertificateStatus
      Heartbeat LogStatusNotification MeterValues NotifyChargingLimit NotifyCustomerInformation
      NotifyDERAlarm NotifyDERStartStop NotifyDisplayMessages NotifyEVChargingNeeds
      NotifyEVChargingSchedule NotifyEvent NotifyMonitoringReport NotifyPriorityCharging NotifyReport
      NotifySettlement OpenPeriodicEventStream PublishFirmwareStatusNotification
      PullDynamicScheduleUpdate ReportChargingProfiles ReportDERControl ReservationStatusUpdate
      SecurityEventNotification SignCertificate StatusNotification TransactionEvent VatNumberValidation`,
    csms: `
      AFRRSignal AdjustPeriodicEventStream CancelReservation CertificateSigned ChangeAvailability
      ChangeTransactionTariff ClearCache ClearChargingProfile ClearDERControl ClearDisplayMessage
      ClearTariffs ClearVariableMonitoring CostUpdated CustomerInformation DeleteCertificate
      GetBaseReport GetChargingProfiles GetCompositeSchedule GetDERControl GetDisplayMessages
      GetInstalledCertificateIds GetLocalListVersion GetLog GetMonitoringReport GetPeriodicEventStream
      GetReport GetTariffs GetTransactionStatus GetVariables InstallCertificate
      NotifyAllowedEnergyTransfer NotifyWebPaymentStarted PublishFirmware RequestBatterySwap
      RequestStartTransaction RequestStopTransaction ReserveNow Reset SendLocalList SetChargingProfile
      SetDERControl SetDefaultTariff SetDisplayMessage SetMonitoringBase SetMonitoringLevel
      SetNetworkProfile SetVariableMonitoring SetVariables TriggerMessage UnlockConnector
      UnpublishFirmware UpdateDynamicSchedule UpdateFirmware UsePriorityCharging`,
    both: "DataTransfer",
    send: "NotifyPeriodicEventStream",
  },
};

function words(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

function actionsWhere(version: OcppVersion, securityExtension: boolean): Record<keyof Actions, readonly string[]> {
  const entries = [...catalogue(version).values()].filter((entry) => entry.securityExtension === securityExtension);
  const names = (wanted: (entry: (typeof entries)[number]) => boolean): readonly string[] =>
    entries
      .filter(wanted)
      .map(({ action }) => action)
      .sort();
  return {
    station: names(({ kind, from }) => kind === "CALL" && from === "ChargingStation"),
    csms: names(({ kind, from }) => kind === "CALL" && from === "CSMS"),
    both: names(({ kind, from }) => kind === "CALL" && from === "Both"),
    send: names(({ kind }) => kind === "SEND"),
  };
}

function expected(key: keyof typeof specified): Record<keyof Actions, readonly string[]> {
  const { station, csms, both, send } = specified[key];
  return { station: words(station), csms: words(csms), both: words(both), send: words(send) };
}

test.each(ocppVersions)(
  "the catalogue of OCPP %s has every action of the specification, and who sends it",
  (version) => {
    expect(actionsWhere(version, false)).toEqual(expected(version));
    const extension = version === "1.6" ? expected("1.6 security") : { station: [], csms: [], both: [], send: [] };
    expect(actionsWhere(version, true)).toEqual(extension);
  },
);

test("the versions have 18, 24, 28 and 11, 64 and 91 actions: 236 in all", () => {
  const sizes = ocppVersions.map((version) => catalogue(version).size);
  expect(sizes).toEqual([18, 24, 39, 64, 91]);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(236);
});

test("NotifyPeriodicEventStream of 2.1 is the only message that a station sends without awaiting an answer", () => {
  const sends = ocppVersions.flatMap((version) =>
    [...catalogue(version).values()].filter(({ kind }) => kind === "SEND"),
  );
  expect(sends.map(({ version, action, from }) => [version, action, from])).toEqual([
    ["2.1", "NotifyPeriodicEventStream", "ChargingStation"],
  ]);
  expect(sends[0]?.responseSchema).toBeUndefined();
  expect(() => sends[0]?.validateResponse({})).toThrow(/has no response/);
});

test.each(ocppVersions)(
  "every action of OCPP %s has a functional block, and schemas whose references exist",
  (version) => {
    const definitions = definitionsOf(version);
    for (const { functionalBlock, requestSchema, responseSchema, kind } of catalogue(version).values()) {
      expect(functionalBlock).not.toBe("");
      expect(requestSchema.type).toBe("object");
      expect(responseSchema?.type).toBe(kind === "SEND" ? undefined : "object");
    }
    const references = JSON.stringify(definitions).matchAll(/"\$ref":"([^"]*)"/g);
    for (const [, reference = ""] of references) {
      expect(reference).toMatch(/^#\/definitions\/\w+$/);
      expect(definitions).toHaveProperty([reference.slice("#/definitions/".length)]);
    }
  },
);

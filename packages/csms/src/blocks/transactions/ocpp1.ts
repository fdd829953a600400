import type { Ocpp16, Ocpp21 } from "@polyphase/ocpp";
import type { StationMessageRoutes } from "../../gateway/station-messages.ts";
import { stationTime } from "../../gateway/station-time.ts";
import type { StationDeviations } from "../../gateway/tolerance/conduct.ts";
import { idTagInfoOf } from "../authorization/index.ts";
import { meterValuesOf1 } from "../metering/index.ts";
import { withKilowattHours1 } from "./kilowatt-hours.ts";
import { triggerOfValues } from "./meter-trigger.ts";
import type { TransactionService } from "./service.ts";

type StoppedReason = Ocpp21.ReasonEnumType;
type Trigger = Ocpp21.TriggerReasonEnumType;

/** Reasons of 1.6 §7.36 in words of 2.1: why the transaction stopped, and what triggered it. */
const REASONS: Readonly<Record<Ocpp16.Reason, readonly [StoppedReason, Trigger]>> = {
  DeAuthorized: ["DeAuthorized", "Deauthorized"],
  EmergencyStop: ["EmergencyStop", "AbnormalCondition"],
  EVDisconnected: ["EVDisconnected", "EVCommunicationLost"],
  HardReset: ["ImmediateReset", "ResetCommand"],
  Local: ["Local", "StopAuthorized"],
  Other: ["Other", "AbnormalCondition"],
  PowerLoss: ["PowerLoss", "AbnormalCondition"],
  Reboot: ["Reboot", "AbnormalCondition"],
  Remote: ["Remote", "RemoteStop"],
  SoftReset: ["ImmediateReset", "ResetCommand"],
  // 2.1 knows it as a trigger only.
  UnlockCommand: ["Other", "UnlockCommand"],
};

/** Registers StartTransaction, StopTransaction and MeterValues of family 1 (1.6 §4.7, §4.8, §4.10). */
export function registerFamily1(
  routes: StationMessageRoutes,
  service: TransactionService,
  deviations: StationDeviations,
): void {
  routes.on1("StartTransaction", async (request, { stationId, receivedAt }) => {
    const { transactionId, verdict } = await service.start(stationId, {
      connectorId: connectorOf(request.connectorId),
      idTag: request.idTag,
      atMs: stationTime(request.timestamp) ?? receivedAt.getTime(),
      meterStartWh: request.meterStart,
      reservationId: request.reservationId,
      receivedAt,
    });
    return { transactionId, idTagInfo: idTagInfoOf(verdict) };
  });

  routes.on1("StopTransaction", async (request, { stationId, receivedAt }) => {
    const atMs = stationTime(request.timestamp) ?? receivedAt.getTime();
    // 1.6 §6.49: a stop without a reason is Local.
    const [stoppedReason, triggerReason] = REASONS[request.reason ?? "Local"];
    const verdict = await service.stop(stationId, {
      transactionId: request.transactionId,
      idTag: request.idTag,
      atMs,
      meterStopWh: request.meterStop,
      stoppedReason,
      triggerReason,
      reason: request.reason,
      meterValues: meterValuesOf1(withKilowattHours1(deviations, stationId, request.transactionData), atMs),
      receivedAt,
    });
    return verdict === undefined ? {} : { idTagInfo: idTagInfoOf(verdict) };
  });

  routes.on1("MeterValues", async (request, { stationId, receivedAt }) => {
    const meterValues = meterValuesOf1(
      withKilowattHours1(deviations, stationId, request.meterValue),
      receivedAt.getTime(),
    );
    await service.measure1(stationId, {
      evseId: connectorOf(request.connectorId),
      transactionId: request.transactionId,
      triggerReason: triggerOfValues(meterValues),
      meterValues,
      receivedAt,
    });
    return {};
  });
}

/** The schema sets no limit; a number that is no connector's stands for the station. */
function connectorOf(connectorId: number): number {
  return Number.isSafeInteger(connectorId) && connectorId > 0 ? connectorId : 0;
}

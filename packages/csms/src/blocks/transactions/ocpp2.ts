import type { Ocpp21 } from "@polyphase/ocpp";
import type { StationMessageRoutes } from "../../gateway/station-messages.ts";
import { stationTime } from "../../gateway/station-time.ts";
import type { StationDeviations } from "../../gateway/tolerance/conduct.ts";
import { meterValuesOf2 } from "../metering/index.ts";
import { withKilowattHours2 } from "./kilowatt-hours.ts";
import { triggerOfValues } from "./meter-trigger.ts";
import type { TransactionService } from "./service.ts";
import type { EventFacts, TransactionEvent } from "./transaction/transaction-event.ts";

/** Registers TransactionEvent and MeterValues of family 2 (blocks E and J). */
export function registerFamily2(
  routes: StationMessageRoutes,
  service: TransactionService,
  deviations: StationDeviations,
): void {
  routes.on2("TransactionEvent", (request, { stationId, receivedAt }) => {
    const meterValue = withKilowattHours2(deviations, stationId, request.meterValue);
    const event = eventOf2(request, receivedAt, meterValue);
    // E03 remark: whatever the event says, it is answered; refusing it would only bring it back.
    return service
      .receive(stationId, request.transactionInfo.transactionId, event)
      .then((idTokenInfo) => (idTokenInfo === undefined ? {} : { idTokenInfo }));
  });

  routes.on2("MeterValues", async (request, { stationId, receivedAt }) => {
    const meterValues = meterValuesOf2(
      withKilowattHours2(deviations, stationId, request.meterValue),
      receivedAt.getTime(),
    );
    const report = {
      evseId: request.evseId,
      triggerReason: triggerOfValues(meterValues),
      meterValues,
      receivedAt,
    };
    await service.measure2(stationId, report);
    return {};
  });
}

/** A TransactionEvent in normal form. */
export function eventOf2(
  request: Ocpp21.TransactionEventRequest,
  receivedAt: Date,
  meterValue: readonly Ocpp21.MeterValueType[] | undefined = request.meterValue,
): TransactionEvent {
  const atMs = stationTime(request.timestamp) ?? receivedAt.getTime();
  return {
    eventType: request.eventType,
    triggerReason: request.triggerReason,
    atMs,
    receivedAt,
    ...(isWhole(request.seqNo) ? { seqNo: request.seqNo } : {}),
    key: String(request.seqNo),
    offline: request.offline ?? false,
    facts: factsOf2(request),
    meterValues: meterValuesOf2(meterValue, atMs),
  };
}

function factsOf2(request: Ocpp21.TransactionEventRequest): EventFacts {
  const { evse, idToken, transactionInfo: transaction, reservationId, numberOfPhasesUsed, cableMaxCurrent } = request;
  const facts: { -readonly [Fact in keyof EventFacts]: EventFacts[Fact] } = {};
  if (evse !== undefined) {
    if (isWhole(evse.id)) facts.evseId = evse.id;
    if (isWhole(evse.connectorId)) facts.connectorId = evse.connectorId;
  }
  if (idToken !== undefined) facts.idToken = { idToken: idToken.idToken, type: idToken.type };
  if (transaction.chargingState !== undefined) facts.chargingState = transaction.chargingState;
  if (transaction.stoppedReason !== undefined) facts.stoppedReason = transaction.stoppedReason;
  if (isWhole(transaction.remoteStartId)) facts.remoteStartId = transaction.remoteStartId;
  if (transaction.timeSpentCharging !== undefined) facts.timeSpentChargingS = transaction.timeSpentCharging;
  if (transaction.operationMode !== undefined) facts.operationMode = transaction.operationMode;
  if (transaction.tariffId !== undefined) facts.tariffId = transaction.tariffId;
  if (reservationId !== undefined) facts.reservationId = reservationId;
  if (numberOfPhasesUsed !== undefined) facts.numberOfPhasesUsed = numberOfPhasesUsed;
  if (cableMaxCurrent !== undefined) facts.cableMaxCurrentA = cableMaxCurrent;
  const details = detailsOf2(request);
  if (details !== undefined) facts.details = details;
  return facts;
}

/** What has no place of its own yet is kept as the station told it. */
function detailsOf2(request: Ocpp21.TransactionEventRequest): Record<string, unknown> | undefined {
  const { costDetails, preconditioningStatus, evseSleep, customData, idToken, transactionInfo } = request;
  const { transactionLimit } = transactionInfo;
  const additionalInfo = idToken?.additionalInfo;
  const details: Record<string, unknown> = {};
  if (costDetails !== undefined) details.costDetails = costDetails;
  if (preconditioningStatus !== undefined) details.preconditioningStatus = preconditioningStatus;
  if (evseSleep !== undefined) details.evseSleep = evseSleep;
  if (transactionLimit !== undefined) details.transactionLimit = transactionLimit;
  if (additionalInfo !== undefined) details.additionalInfo = additionalInfo;
  if (customData !== undefined) details.customData = customData;
  if (transactionInfo.customData !== undefined) details["transactionInfo.customData"] = transactionInfo.customData;
  for (const _ in details) return details;
  return undefined;
}

/** Schemas set no limit to integers; what no column can hold exactly is not told on. */
function isWhole(value: number | undefined): value is number {
  return Number.isSafeInteger(value);
}

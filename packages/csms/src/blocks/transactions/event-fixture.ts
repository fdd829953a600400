import type { Ocpp16, Ocpp21 } from "@polyphase/ocpp";

const T0 = Date.parse("2026-03-01T10:00:00Z");

/** A moment on the day of the tests, in minutes after its first. */
export const at = (minute: number) => new Date(T0 + minute * 60_000).toISOString();

/** A meter value of 2.1 with one register. */
export const reading = (
  minute: number,
  wh: number,
  context?: Ocpp21.ReadingContextEnumType,
): Ocpp21.MeterValueType => ({
  timestamp: at(minute),
  sampledValue: [{ value: wh, ...(context === undefined ? {} : { context }) }],
});

/** What an event tells besides its kind and number. */
export type Event = Partial<Omit<Ocpp21.TransactionEventRequest, "transactionInfo">> & {
  readonly info?: Partial<Ocpp21.TransactionType>;
};

/** A TransactionEvent of 2.1, as many minutes after the first moment as its number says. */
export function event(
  transactionId: string,
  seqNo: number,
  eventType: Ocpp21.TransactionEventEnumType,
  more: Event = {},
) {
  const { info, ...rest } = more;
  const triggers = { Started: "CablePluggedIn", Updated: "MeterValuePeriodic", Ended: "EVCommunicationLost" } as const;
  return {
    eventType,
    timestamp: at(seqNo),
    triggerReason: triggers[eventType],
    seqNo,
    transactionInfo: { transactionId, ...info },
    ...rest,
  };
}

/** A token that is accepted. */
export const token = { idToken: "AABBCCDD", type: "ISO14443" };

/** A StartTransaction of 1.6 at the first moment. */
export const start: Ocpp16.StartTransactionRequest = {
  connectorId: 1,
  idTag: "TAG1",
  timestamp: at(0),
  meterStart: 1_000,
};

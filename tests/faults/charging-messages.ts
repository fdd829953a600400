/** Subprotocols of one version of each family. */
export const bothFamilies = ["ocpp1.6", "ocpp2.1"] as const;
export type Subprotocol = (typeof bothFamilies)[number];

/** The CALLs of one charging session of 4 000 Wh, as a station of either family sends them. */
export interface ChargingMessages {
  /** The boot of the station. */
  readonly boot: readonly [action: string, payload: unknown];
  /** The CALL that begins the session. */
  readonly start: readonly [action: string, payload: unknown];
  /** The CALL that tells a meter value in the midst of it; `answer` is what `start` was answered with. */
  middle(answer: unknown): readonly [action: string, payload: unknown];
  /** The CALL that ends it. */
  stop(answer: unknown): readonly [action: string, payload: unknown];
}

const at = (minute: number) => `2026-05-04T10:${String(minute).padStart(2, "0")}:00Z`;

function session16(): ChargingMessages {
  const idOf = (answer: unknown) => (answer as { readonly transactionId: number }).transactionId;
  return {
    boot: ["BootNotification", { chargePointVendor: "Raw", chargePointModel: "R" }],
    start: ["StartTransaction", { connectorId: 1, idTag: "NETWORK", meterStart: 1_000, timestamp: at(0) }],
    middle: (answer) => [
      "MeterValues",
      {
        connectorId: 1,
        transactionId: idOf(answer),
        meterValue: [{ timestamp: at(10), sampledValue: [{ value: "3000" }] }],
      },
    ],
    stop: (answer) => ["StopTransaction", { transactionId: idOf(answer), meterStop: 5_000, timestamp: at(20) }],
  };
}

function session21(transactionId: string): ChargingMessages {
  const event = (eventType: string, seqNo: number, minute: number, value: number) =>
    [
      "TransactionEvent",
      {
        ...{
          eventType,
          seqNo,
          timestamp: at(minute),
          triggerReason: seqNo === 0 ? "Authorized" : "MeterValuePeriodic",
        },
        ...{ transactionInfo: { transactionId }, evse: { id: 1, connectorId: 1 } },
        meterValue: [{ timestamp: at(minute), sampledValue: [{ value }] }],
      },
    ] as const;
  return {
    boot: ["BootNotification", { reason: "PowerUp", chargingStation: { vendorName: "Raw", model: "R" } }],
    start: event("Started", 0, 0, 1_000),
    middle: () => event("Updated", 1, 10, 3_000),
    stop: () => event("Ended", 2, 20, 5_000),
  };
}

/** The messages of a session in a version; the transaction id is the station's own in family 2 only. */
export function chargingMessages(subprotocol: Subprotocol, transactionId: string): ChargingMessages {
  return subprotocol === "ocpp1.6" ? session16() : session21(transactionId);
}

/** Wh of the session. */
export const sessionWh = 4_000;

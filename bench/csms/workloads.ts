/** The password that a station of the benchmark has: of the length that the CSMS would choose. */
export function passwordOf(identity: string): string {
  return `benchmark-secret-${identity}`.padEnd(32, "x");
}

/** A kind of message that a load sends again and again. */
export interface Workload {
  readonly name: "transaction-events" | "meter-values" | "heartbeat";
  readonly subprotocol: "ocpp1.6" | "ocpp2.0.1";
  /** Payload of the BootNotification. */
  readonly boot: object;
  /** The call that starts the station's transaction; undefined where none is needed. */
  start?(station: WorkloadStation): readonly [action: string, payload: object];
  /** The call that is repeated. */
  next(station: WorkloadStation): readonly [action: string, payload: object];
}

/** What a workload keeps of a station. */
export interface WorkloadStation {
  /** Unique over all runs. */
  readonly transactionId: string;
  /** The id that the CSMS gave, of family 1. */
  csmsTransactionId: number;
  /** Counts the messages of the transaction. */
  seqNo: number;
}

function transactionEvent(station: WorkloadStation, eventType: "Started" | "Updated"): readonly [string, object] {
  const timestamp = new Date().toISOString();
  const seqNo = station.seqNo++;
  const sampledValue = [
    { value: 1_000 + seqNo * 7, measurand: "Energy.Active.Import.Register", unitOfMeasure: { unit: "Wh" } },
    { value: 11_040.5, measurand: "Power.Active.Import", unitOfMeasure: { unit: "W" } },
    { value: 16.02, measurand: "Current.Import", phase: "L1", unitOfMeasure: { unit: "A" } },
  ];
  const payload = {
    eventType,
    timestamp,
    triggerReason: eventType === "Started" ? "CablePluggedIn" : "MeterValuePeriodic",
    seqNo,
    transactionInfo: { transactionId: station.transactionId, chargingState: "Charging" },
    evse: { id: 1, connectorId: 1 },
    meterValue: [{ timestamp, sampledValue }],
  };
  return ["TransactionEvent", payload];
}

const boot16 = { chargePointVendor: "Bench", chargePointModel: "B" };

/** What the rates are measured with. One meter value has three sampled values everywhere. */
export const workloads: readonly Workload[] = [
  {
    name: "transaction-events",
    subprotocol: "ocpp2.0.1",
    boot: { reason: "PowerUp", chargingStation: { vendorName: "Bench", model: "B" } },
    start: (station) => transactionEvent(station, "Started"),
    next: (station) => transactionEvent(station, "Updated"),
  },
  {
    name: "meter-values",
    subprotocol: "ocpp1.6",
    boot: boot16,
    start: () => [
      "StartTransaction",
      { connectorId: 1, idTag: "BENCH", meterStart: 1_000, timestamp: new Date().toISOString() },
    ],
    next(station) {
      const seqNo = ++station.seqNo;
      const sampledValue = [
        { value: String(1_000 + seqNo * 7), measurand: "Energy.Active.Import.Register", unit: "Wh" },
        { value: "11040.5", measurand: "Power.Active.Import", unit: "W" },
        { value: "16.02", measurand: "Current.Import", phase: "L1", unit: "A" },
      ];
      const meterValue = [{ timestamp: new Date().toISOString(), sampledValue }];
      return ["MeterValues", { connectorId: 1, transactionId: station.csmsTransactionId, meterValue }];
    },
  },
  { name: "heartbeat", subprotocol: "ocpp1.6", boot: boot16, next: () => ["Heartbeat", {}] },
];

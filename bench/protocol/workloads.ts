/** One kind of message that the load sends again and again. */
export interface Workload {
  readonly name: string;
  readonly subprotocol: "ocpp1.6" | "ocpp2.0.1";
  readonly action: string;
  readonly payload: unknown;
}

const timestamp = "2026-03-01T10:15:30.250Z";

function sampledValues16(): object[] {
  const phases = ["L1", "L2", "L3"];
  return [
    { value: "1234567", context: "Sample.Periodic", measurand: "Energy.Active.Import.Register", unit: "Wh" },
    { value: "11040.5", context: "Sample.Periodic", measurand: "Power.Active.Import", unit: "W" },
    ...phases.map((phase) => ({
      value: "16.02",
      context: "Sample.Periodic",
      measurand: "Current.Import",
      phase,
      location: "Outlet",
      unit: "A",
    })),
    ...phases.map((phase) => ({
      value: "229.8",
      context: "Sample.Periodic",
      measurand: "Voltage",
      phase: `${phase}-N`,
      location: "Outlet",
      unit: "V",
    })),
    { value: "61", context: "Sample.Periodic", measurand: "SoC", location: "EV", unit: "Percent" },
  ];
}

function sampledValues201(): object[] {
  const unitOfMeasure = (unit: string) => ({ unit, multiplier: 0 });
  const phases = ["L1", "L2", "L3"];
  return [
    {
      value: 1234567,
      context: "Sample.Periodic",
      measurand: "Energy.Active.Import.Register",
      location: "Outlet",
      unitOfMeasure: unitOfMeasure("Wh"),
    },
    {
      value: 11040.5,
      context: "Sample.Periodic",
      measurand: "Power.Active.Import",
      unitOfMeasure: unitOfMeasure("W"),
    },
    ...phases.map((phase) => ({
      value: 16.02,
      context: "Sample.Periodic",
      measurand: "Current.Import",
      phase,
      location: "Outlet",
      unitOfMeasure: unitOfMeasure("A"),
    })),
    ...phases.map((phase) => ({
      value: 229.8,
      context: "Sample.Periodic",
      measurand: "Voltage",
      phase: `${phase}-N`,
      location: "Outlet",
      unitOfMeasure: unitOfMeasure("V"),
    })),
  ];
}

/** The messages of the table, smallest first. */
export const workloads: readonly Workload[] = [
  { name: "Heartbeat", subprotocol: "ocpp1.6", action: "Heartbeat", payload: {} },
  {
    name: "1.6 MeterValues",
    subprotocol: "ocpp1.6",
    action: "MeterValues",
    payload: { connectorId: 1, transactionId: 815, meterValue: [{ timestamp, sampledValue: sampledValues16() }] },
  },
  {
    name: "2.0.1 TransactionEvent",
    subprotocol: "ocpp2.0.1",
    action: "TransactionEvent",
    payload: {
      eventType: "Updated",
      timestamp,
      triggerReason: "MeterValuePeriodic",
      seqNo: 12,
      offline: false,
      numberOfPhasesUsed: 3,
      transactionInfo: { transactionId: "4b2d9c1e-6f0a-4d8e-9b3c-7a5e1f2d3c4b", chargingState: "Charging" },
      evse: { id: 1, connectorId: 1 },
      meterValue: [{ timestamp, sampledValue: sampledValues201() }],
    },
  },
];

/** What every server under test answers. */
export function responseTo(action: string): object {
  return action === "Heartbeat" ? { currentTime: new Date().toISOString() } : {};
}

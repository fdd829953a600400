import type { Rejection } from "./rejections.ts";

/**
 * Deviations that no schema shows: what a station does with transactions, meters, its clock and its connections. Those
 * with `isSwitchable` depend on a rule; of the others nothing could be refused without losing what counts, or
 * making the station repeat it for ever.
 */
const conduct = {
  "stop-by-evidence": {
    description:
      "A StopTransaction with an id that is none is counted to the only open transaction that it fits, and else kept alone",
    isSwitchable: true,
    isDefault: true,
  },
  "meter-values-by-evse": {
    description:
      "MeterValues of 1.x without the id of what runs are counted to the transaction that their connector serves",
    isSwitchable: true,
    isDefault: true,
  },
  "meter-values-outside-transaction": {
    description: "MeterValues of 2.x outside of TransactionEvent are counted to the transaction that their EVSE serves",
    isSwitchable: true,
    isDefault: true,
  },
  "report-from-one": {
    description: "A NotifyReport that begins at seqNo 1 is complete without part 0",
    isSwitchable: true,
    isDefault: true,
  },
  "kwh-labelled-wh": {
    description:
      "Meter values of active energy in Wh, or without a unit, are taken as kWh; meterStart and meterStop are not",
    isSwitchable: true,
    isDefault: false,
  },
  "start-twice": {
    description: "A transaction starts where one runs already: the one before is Abandoned, and no energy counts twice",
    isSwitchable: false,
    isDefault: true,
  },
  "stop-without-start": {
    description: "A StopTransaction of a transaction that never started is kept once and answered",
    isSwitchable: false,
    isDefault: true,
  },
  "transaction-id-reused": {
    description: "The id of a transaction that is over names another one from its next start on",
    isSwitchable: false,
    isDefault: true,
  },
  "seq-no-twice": {
    description: "Two events of a transaction with one seqNo are both kept",
    isSwitchable: false,
    isDefault: true,
  },
  "meter-stop-below-start": {
    description: "meterStop is below meterStart: the values between decide, and energy is never negative",
    isSwitchable: false,
    isDefault: true,
  },
  "begin-of-zero": {
    description: "A begin of 0 that the meter refutes afterwards is not counted",
    isSwitchable: false,
    isDefault: true,
  },
  "values-after-end": {
    description: "Values measured after the end of their transaction are kept with it and change no total",
    isSwitchable: false,
    isDefault: true,
  },
  "empty-sampled-value": {
    description: "A meter value of 1.x without any sampled value is ignored",
    isSwitchable: false,
    isDefault: true,
  },
  "refused-token-started": {
    description: "A transaction that began with a token that is not accepted is kept, and the answer says so each time",
    isSwitchable: false,
    isDefault: true,
  },
  "late-events": {
    description: "Messages of a transaction that come more than an hour late are counted as if they came in time",
    isSwitchable: false,
    isDefault: true,
  },
  "clock-not-set": {
    description: "Times before 2010 tell no order: messages count in the order of their arrival",
    isSwitchable: false,
    isDefault: true,
  },
  "clock-ahead": {
    description: "Times more than a minute ahead of ours, as of local time labelled Z, are kept as told",
    isSwitchable: false,
    isDefault: true,
  },
  "second-connection": {
    description: "A station connects while it is connected: the newest connection counts and the other is closed",
    isSwitchable: false,
    isDefault: true,
  },
  "silent-connection": {
    description: "A connection that answers no ping is cut off",
    isSwitchable: false,
    isDefault: true,
  },
  "unanswered-call": {
    description: "A call that is not answered in time is given up",
    isSwitchable: false,
    isDefault: true,
  },
  "trigger-not-executed": {
    description: "A message that was triggered and accepted did not come within a minute",
    isSwitchable: false,
    isDefault: true,
  },
  "configuration-ignored": {
    description: "The station tells another value than the one it accepted; the one it tells is shown",
    isSwitchable: false,
    isDefault: true,
  },
} as const;

/** Name of a deviation that no schema shows. */
export type Conduct = keyof typeof conduct;

/** Name of a deviation that no schema shows and that a station may be forbidden. */
export type SwitchableConduct = {
  [Name in Conduct]: (typeof conduct)[Name]["isSwitchable"] extends true ? Name : never;
}[Conduct];

/** Every deviation that no schema shows. */
export const conductDeviations: readonly {
  readonly name: Conduct;
  readonly description: string;
  readonly isSwitchable: boolean;
  /** Whether it passes where nobody has decided otherwise. */
  readonly isDefault: boolean;
}[] = Object.entries(conduct).map(([name, rest]) => ({ name: name as Conduct, ...rest }));

/** What the blocks of the CSMS ask and tell of deviations. Both are quick and never throw. */
export interface StationDeviations {
  /** Whether a deviation is tolerated of a station. */
  tolerates(stationId: string, deviation: SwitchableConduct): boolean;
  /** A station showed a deviation. `evidence` is something of its message that fits into JSON. */
  showed(stationId: string, deviation: Conduct | Rejection, evidence?: unknown): void;
}

/** Tolerates what is tolerated by default and remembers nothing; for blocks that are used without a gateway. */
export const unwatchedDeviations: StationDeviations = {
  tolerates: (_stationId, deviation) => conduct[deviation].isDefault,
  showed: () => undefined,
};

/** A transaction message as its station's books have it. */
export interface SentMessage {
  readonly eventType: string;
  /** Number within the transaction; family 2 only. */
  readonly seqNo?: number | undefined;
  /** By the station's clock, as ISO text. */
  readonly timestamp: string;
  readonly outcome: "pending" | "acknowledged" | "discarded";
}

/** An event of a transaction as the CSMS shows it. */
export interface StoredMessage {
  readonly eventType: string;
  readonly seqNo?: number | undefined;
  readonly timestamp: string;
}

/** What became of messages. */
export interface MessageBalance {
  readonly sent: number;
  readonly acknowledged: number;
  readonly stored: number;
  /** Acknowledged, and not stored. */
  readonly lost: number;
  /** Stored more often than sent, or never sent. */
  readonly doubled: number;
}

/** The books of one charge: what happened at the station, and what the CSMS makes of it. */
export interface ChargeBalance extends MessageBalance {
  readonly stationId: string;
  readonly transactionId: string;
  /** By the meter of the station. */
  readonly trueWh: number;
  /** By the transaction at the CSMS; undefined when there is none. */
  readonly accountedWh: number | undefined;
}

/** Sums of all charges. */
export interface Totals extends MessageBalance {
  readonly charges: number;
  readonly trueWh: number;
  readonly accountedWh: number;
  /** Charges whose energy differs, or that the CSMS does not have. */
  readonly differing: readonly ChargeBalance[];
}

function keyOf({ eventType, seqNo, timestamp }: StoredMessage): string {
  return seqNo === undefined ? `${eventType} ${Date.parse(timestamp)}` : `#${seqNo}`;
}

function countByKey(messages: readonly StoredMessage[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const message of messages) counts.set(keyOf(message), (counts.get(keyOf(message)) ?? 0) + 1);
  return counts;
}

/** Compares what a station sent of one transaction with what is stored of it. */
export function balanceMessages(sent: readonly SentMessage[], stored: readonly StoredMessage[]): MessageBalance {
  const acknowledged = sent.filter(({ outcome }) => outcome === "acknowledged");
  const inStore = countByKey(stored);
  const inBooks = countByKey(sent);
  let lost = 0;
  let doubled = 0;
  for (const [key, count] of countByKey(acknowledged)) lost += Math.max(0, count - (inStore.get(key) ?? 0));
  // What was never acknowledged may have been stored all the same.
  for (const [key, count] of inStore) doubled += Math.max(0, count - (inBooks.get(key) ?? 0));
  return { sent: sent.length, acknowledged: acknowledged.length, stored: stored.length, lost, doubled };
}

/** Adds up charges. */
export function totalsOf(charges: readonly ChargeBalance[]): Totals {
  const sum = (pick: (charge: ChargeBalance) => number) => charges.reduce((total, charge) => total + pick(charge), 0);
  return {
    charges: charges.length,
    sent: sum(({ sent }) => sent),
    acknowledged: sum(({ acknowledged }) => acknowledged),
    stored: sum(({ stored }) => stored),
    lost: sum(({ lost }) => lost),
    doubled: sum(({ doubled }) => doubled),
    trueWh: sum(({ trueWh }) => trueWh),
    accountedWh: sum(({ accountedWh = 0 }) => accountedWh),
    differing: charges.filter(({ trueWh, accountedWh }) => trueWh !== accountedWh),
  };
}

/** Whether nothing was lost or doubled and all energy is accounted for. */
export function isBalanced({ lost, doubled, differing }: Totals): boolean {
  return lost === 0 && doubled === 0 && differing.length === 0;
}

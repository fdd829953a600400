import type { WriteUnit } from "../../../database/write-unit.ts";
import type { TransactionFacts } from "../../../events/domain-event.ts";
import type { Transaction } from "../transaction/transaction.ts";
import type { TransactionEvent } from "../transaction/transaction-event.ts";

/** What every domain event of a transaction tells. */
export function factsOf(transaction: Transaction): TransactionFacts {
  const { identity, evseId, connectorId, state, imported } = transaction;
  const chargingState = transaction.latest("chargingState");
  const idToken = state.token?.value.idToken;
  return {
    id: identity.id,
    transactionId: identity.transactionId,
    ...(evseId === undefined ? {} : { evseId }),
    ...(connectorId === undefined ? {} : { connectorId }),
    ...(idToken === undefined ? {} : { idToken }),
    ...(chargingState === undefined ? {} : { chargingState }),
    ...(imported.milliWh === undefined ? {} : { energyWh: imported.milliWh / 1000 }),
  };
}

/** What may have changed about a transaction. */
export interface TransactionNews {
  readonly started: boolean;
  readonly ended: boolean;
  readonly resumed: boolean;
  /** Anything else that somebody may want to know. */
  readonly updated: boolean;
}

/** A transaction before a message, to tell what the message changed. */
export interface Before {
  readonly status: Transaction["status"];
  readonly milliWh: number | undefined;
}

/** What has to be remembered of a transaction before a message. */
export function before(transaction: Transaction): Before {
  return { status: transaction.status, milliWh: transaction.imported.milliWh };
}

/**
 * Publishes what an event changed: a start, an end, a resumption, or else what is interesting of an update. Periodic
 * meter values are not: they are stored, and every event tells the energy as it is then.
 */
export function publish(
  unit: WriteUnit,
  transaction: Transaction,
  event: TransactionEvent,
  was: Before,
  news: TransactionNews,
): void {
  const { stationId } = transaction.identity;
  const timestamp = new Date(event.atMs);
  const facts = factsOf(transaction);
  const { triggerReason } = event;
  if (news.started) unit.publish({ type: "transaction.started", stationId, timestamp, data: facts });
  if (news.ended) {
    // E07.FR.04: without a reason the driver stopped at the station.
    const stoppedReason = event.facts.stoppedReason ?? "Local";
    unit.publish({ type: "transaction.ended", stationId, timestamp, data: { ...facts, stoppedReason } });
  }
  const isOpenAgain = news.resumed && transaction.status === "Open";
  if (isOpenAgain) {
    unit.publish({ type: "transaction.resumed", stationId, timestamp, data: { ...facts, triggerReason } });
  }
  const isAbandoned = was.status === "Open" && transaction.status === "Abandoned";
  // It came too late to have been open at all.
  if (isAbandoned) publishAbandoned(unit, transaction, timestamp);
  if (!isAbandoned && !news.ended) publishCorrected(unit, transaction, timestamp, was);
  if (!news.started && !news.ended && !isOpenAgain && news.updated) {
    unit.publish({ type: "transaction.updated", stationId, timestamp, data: { ...facts, triggerReason } });
  }
}

/** Publishes that a transaction is over by a rule. */
export function publishAbandoned(unit: WriteUnit, transaction: Transaction, timestamp: Date): void {
  const { abandonedBy } = transaction;
  if (abandonedBy === undefined) return;
  const data = { ...factsOf(transaction), abandonedBy };
  unit.publish({ type: "transaction.abandoned", stationId: transaction.identity.stationId, timestamp, data });
}

/** Publishes that a late message changed the energy of a transaction that was over, and still is; else nothing. */
export function publishCorrected(unit: WriteUnit, transaction: Transaction, timestamp: Date, was: Before): void {
  const isOver = was.status !== "Open" && transaction.status !== "Open";
  if (!isOver || was.milliWh === transaction.imported.milliWh) return;
  const { stationId } = transaction.identity;
  unit.publish({ type: "transaction.corrected", stationId, timestamp, data: factsOf(transaction) });
}

import type { WriteUnit } from "../../database/write-unit.ts";
import type { TransactionFacts } from "../../events/domain-event.ts";
import type { Transaction } from "./transaction.ts";
import type { TransactionEvent } from "./transaction-event.ts";

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

/**
 * Publishes what an event changed: a start, an end, or else what is interesting of an update. Periodic meter values
 * are not: they are stored, and every event tells the energy as it is then.
 */
export function publish(
  unit: WriteUnit,
  transaction: Transaction,
  event: TransactionEvent,
  news: { readonly started: boolean; readonly ended: boolean; readonly updated: boolean },
): void {
  const { stationId } = transaction.identity;
  const timestamp = new Date(event.atMs);
  const facts = factsOf(transaction);
  if (news.started) unit.publish({ type: "transaction.started", stationId, timestamp, data: facts });
  if (news.ended) {
    // E07.FR.04: without a reason the driver stopped at the station.
    const stoppedReason = event.facts.stoppedReason ?? "Local";
    unit.publish({ type: "transaction.ended", stationId, timestamp, data: { ...facts, stoppedReason } });
  }
  if (!news.started && !news.ended && news.updated) {
    const data = { ...facts, triggerReason: event.triggerReason };
    unit.publish({ type: "transaction.updated", stationId, timestamp, data });
  }
}

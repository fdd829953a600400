import type { StationDeviations } from "../../../gateway/tolerance/conduct.ts";
import type { Transaction } from "../transaction/transaction.ts";
import type { TransactionEvent } from "../transaction/transaction-event.ts";
import { isClockSet } from "./rules.ts";

const AHEAD_MS = 60_000;
const LATE_MS = 3_600_000;

/** What is known besides an event that was taken into a transaction. */
export interface TakenEvent {
  readonly event: TransactionEvent;
  /** Status of the verdict on its token; undefined without a token. */
  readonly verdict: string | undefined;
  /** Notes of the energy before the event. */
  readonly notesBefore: readonly string[];
}

/** Tells which deviations an event shows that breaks no schema. A few comparisons for one that shows none. */
export function showConduct(deviations: StationDeviations, transaction: Transaction, taken: TakenEvent): void {
  const { event, verdict, notesBefore } = taken;
  const { stationId, transactionId } = transaction.identity;
  const { facts, eventType } = event;
  showClock(deviations, stationId, event);
  if (facts.attribution === "stop-by-evidence" || facts.attribution === "meter-values-by-evse") {
    deviations.showed(stationId, facts.attribution, {
      transactionId: facts.namedTransactionId,
      countedTo: transactionId,
    });
  }
  if (eventType === "Started" && verdict !== undefined && verdict !== "Accepted") {
    deviations.showed(stationId, "refused-token-started", { transactionId, status: verdict });
  }
  if (eventType === "Ended" && facts.meterStopWh !== undefined) {
    const meterStart = transaction.state.earliest.meterStartWh?.value;
    const { meterStopWh: meterStop } = facts;
    if (meterStart !== undefined && meterStop < meterStart) {
      deviations.showed(stationId, "meter-stop-below-start", { transactionId, meterStart, meterStop });
    }
  }
  if (event.meterValues.length > 0) showValues(deviations, transaction, event);
  const { notes } = transaction.imported;
  if (
    notes !== notesBefore &&
    notes.includes("begin-of-zero-refuted") &&
    !notesBefore.includes("begin-of-zero-refuted")
  ) {
    deviations.showed(stationId, "begin-of-zero", { transactionId });
  }
}

function showClock(deviations: StationDeviations, stationId: string, { atMs, receivedAt }: TransactionEvent): void {
  const aheadMs = atMs - receivedAt.getTime();
  if (aheadMs <= AHEAD_MS && aheadMs >= -LATE_MS) return;
  const deviation = aheadMs > 0 ? "clock-ahead" : isClockSet(atMs) ? "late-events" : "clock-not-set";
  deviations.showed(stationId, deviation, { timestamp: timeText(atMs) });
}

function showValues(deviations: StationDeviations, transaction: Transaction, event: TransactionEvent): void {
  const { stationId, transactionId } = transaction.identity;
  const endedAtMs = transaction.state.ended?.value.atMs;
  for (const { atMs, samples } of event.meterValues) {
    if (samples.length === 0) {
      deviations.showed(stationId, "empty-sampled-value", { transactionId, timestamp: timeText(atMs) });
    }
    if (event.eventType === "Updated" && endedAtMs !== undefined && atMs > endedAtMs) {
      deviations.showed(stationId, "values-after-end", { transactionId, timestamp: timeText(atMs) });
    }
  }
}

/** Times of stations may lie beyond what a date can hold. */
function timeText(atMs: number): string {
  const date = new Date(atMs);
  return Number.isNaN(date.getTime()) ? String(atMs) : date.toISOString();
}

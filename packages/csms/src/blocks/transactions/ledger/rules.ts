import type { Transaction } from "../transaction/transaction.ts";

/** Before OCPP 1.2 was published no station told the time: its clock was not set. */
const CLOCK_IS_SET_AFTER_MS = Date.parse("2010-01-01T00:00:00Z");

/** Whether a time can come from a clock that was set. */
export function isClockSet(atMs: number): boolean {
  return atMs >= CLOCK_IS_SET_AFTER_MS;
}

const DAY_MS = 86_400_000;

/**
 * When a transaction began, in milliseconds since 1970, as far as that can be compared with others. A start that was
 * told live (2.x says what was told after an offline time) began when we heard of it, and so did one whose clock was
 * not set or is days ahead; else the station's clock counts.
 */
function comparableBegin(transaction: Transaction): number {
  const { beganAtMs, state } = transaction;
  if (isLive(transaction) || !isClockSet(beganAtMs) || beganAtMs > state.heardAtMs + DAY_MS) return state.heardAtMs;
  return beganAtMs;
}

function isLive({ identity, state }: Transaction): boolean {
  const start = state.started?.value;
  // Where the start was lost, whatever else family 2 told live was told when it happened.
  return start === undefined ? identity.originKey === undefined && !state.offline : isToldLive(start);
}

function isToldLive({ seqNo, offline }: { readonly seqNo?: number; readonly offline: boolean }): boolean {
  return seqNo !== undefined && !offline;
}

/**
 * An EVSE serves one transaction at a time (E01.FR.14; connector of 1.6 §4.8). When two are open on it the end of
 * the earlier one was lost, or comes late: it is abandoned from the moment the later one began. An abandoned
 * transaction is no longer open, keeps what is known of it, and becomes Ended when its end arrives after all.
 *
 * @returns whether the first of the two is over; the other way round the second is
 */
export function isSuperseded(transaction: Transaction, other: Transaction): boolean {
  const haveArrived = transaction.arrival !== undefined && other.arrival !== undefined;
  if (haveArrived && isLive(transaction) && isLive(other)) return (transaction.arrival ?? 0) < (other.arrival ?? 0);
  const difference = comparableBegin(transaction) - comparableBegin(other) || transaction.beganAtMs - other.beganAtMs;
  return difference === 0 ? transaction.identity.id < other.identity.id : difference < 0;
}

/** What a StopTransaction with an id that tells nothing says of itself. */
export interface StopEvidence {
  readonly atMs: number;
  readonly idTag: string | undefined;
  readonly meterStopWh: number;
}

/**
 * A station that never got the answer to its StartTransaction stops with an id of its own making (0, -1, random, or
 * one it used before). The stop belongs to the only open transaction of the station that it fits: begun before,
 * by the same token if it names one, on a meter that did not run backwards. If none or several fit it belongs to none.
 */
export function transactionThatStopFits(open: Iterable<Transaction>, evidence: StopEvidence): Transaction | undefined {
  let found: Transaction | undefined;
  for (const transaction of open) {
    if (!stopFits(transaction, evidence)) continue;
    if (found !== undefined) return undefined;
    found = transaction;
  }
  return found;
}

function stopFits(transaction: Transaction, { atMs, idTag, meterStopWh }: StopEvidence): boolean {
  const { beganAtMs, state } = transaction;
  if (isClockSet(atMs) && isClockSet(beganAtMs) && atMs < beganAtMs) return false;
  const token = state.token?.value.idToken;
  if (idTag !== undefined && idTag !== "" && token?.toLowerCase() !== idTag.toLowerCase()) return false;
  const meterStartWh = state.earliest.meterStartWh?.value;
  // A meterStop of 0 is what such stations send when they do not know.
  return meterStartWh === undefined || meterStopWh === 0 || meterStopWh >= meterStartWh;
}

/** Whether a moment lies within a transaction; one that runs has no end yet, and clocks that are not set prove nothing. */
export function covers(transaction: Transaction, atMs: number): boolean {
  const { beganAtMs, state } = transaction;
  const endedAtMs = state.ended?.value.atMs ?? state.supersededAtMs ?? state.closed?.atMs;
  if (isClockSet(atMs) && isClockSet(beganAtMs) && atMs < beganAtMs) return false;
  return endedAtMs === undefined || atMs <= endedAtMs;
}

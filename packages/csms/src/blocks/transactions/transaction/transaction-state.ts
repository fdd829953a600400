import { isEarlier, isLater, keepEarliest, type Told, type ToldFacts } from "./told.ts";
import type { EventFacts, PresentedToken, TransactionEvent } from "./transaction-event.ts";

/**
 * Open: runs as far as we know. Ended: its station said so. Abandoned: its station never said so, but it is over by
 * one of {@link AbandonRule}; it becomes Ended when its end comes after all.
 */
export type TransactionStatus = "Open" | "Ended" | "Abandoned";

/**
 * Why a transaction is taken to be over although its end has not come. Superseded: its EVSE serves a later one.
 * ConnectorFree: its station showed the connector free and told no more of it. StationDenies: its station was asked
 * after a boot and knows of no such transaction. Operator: somebody closed it.
 */
export type AbandonRule = "Superseded" | "ConnectorFree" | "StationDenies" | "Operator";

/** That a transaction was closed although its end has not come. */
export interface Closure {
  /** Since when it is over, in milliseconds since 1970. */
  readonly atMs: number;
  readonly rule: Exclude<AbandonRule, "Superseded">;
}

/** Facts that are told once: of several the first is right. */
const EARLIEST = ["remoteStartId", "meterStartWh"] as const satisfies readonly (keyof EventFacts)[];

/** A token that was presented, with the verdict that was given. */
export interface JudgedToken extends PresentedToken {
  readonly status?: string;
  readonly groupIdToken?: string;
}

/** What is known of how a transaction began or ended. */
interface EdgeFacts {
  readonly atMs: number;
  readonly offline: boolean;
  readonly seqNo?: number;
  readonly triggerReason: string;
  readonly stoppedReason?: string;
  readonly meterStopWh?: number;
  readonly key: string;
}

/**
 * What the events of a transaction tell together. It depends on the set of events only, not on the order of their
 * arrival: each fact remembers which event told it.
 */
export interface TransactionState {
  firstAtMs: number;
  /** When we first heard of it, in milliseconds since 1970. */
  heardAtMs: number;
  started?: Told<EdgeFacts>;
  ended?: Told<EdgeFacts>;
  /** When the EVSE began to serve another transaction, in milliseconds since 1970. */
  supersededAtMs?: number;
  /** Closed by a rule or by an operator. */
  closed?: Closure;
  token?: Told<JudgedToken>;
  stopToken?: Told<JudgedToken>;
  earliest: ToldFacts<EventFacts, (typeof EARLIEST)[number]>;
  offline: boolean;
  /** Present when an event was counted to the transaction by evidence. */
  attributions?: string[];
}

/** The state of a transaction of which nothing was told so far. */
export function untoldState(): TransactionState {
  return {
    firstAtMs: Number.POSITIVE_INFINITY,
    heardAtMs: Number.POSITIVE_INFINITY,
    earliest: {},
    offline: false,
  };
}

/** Whether an event may change the state; most that come while a transaction runs change its progress only. */
export function mayTellState(state: TransactionState, event: TransactionEvent): boolean {
  const { facts } = event;
  return (
    event.eventType !== "Updated" ||
    event.atMs < state.firstAtMs ||
    event.receivedAt.getTime() < state.heardAtMs ||
    (event.offline && !state.offline) ||
    facts.idToken !== undefined ||
    facts.remoteStartId !== undefined ||
    facts.meterStartWh !== undefined ||
    facts.attribution !== undefined
  );
}

/** Takes what an event that stands at a place of the order tells into the state. */
export function tellState(state: TransactionState, event: TransactionEvent, order: number): void {
  const { facts } = event;
  state.firstAtMs = Math.min(state.firstAtMs, event.atMs);
  state.heardAtMs = Math.min(state.heardAtMs, event.receivedAt.getTime());
  state.offline ||= event.offline;
  for (const fact of EARLIEST) keepEarliest(state.earliest, fact, order, facts[fact]);
  tellToken(state, event, order);
  tellEdge(state, event, order);
  if (facts.attribution !== undefined && !state.attributions?.includes(facts.attribution)) {
    state.attributions = [...(state.attributions ?? []), facts.attribution].sort();
  }
}

/** A token in the last event, or one that stops, is not the one that the transaction is on (E07.FR.02). */
function tellToken(state: TransactionState, event: TransactionEvent, order: number): void {
  const { idToken, idTokenStatus, groupIdToken } = event.facts;
  // C02: an empty token names nobody, and an empty one of NoAuthorization is worth showing.
  if (idToken === undefined || (idToken.idToken === "" && idToken.type === undefined)) return;
  const judged: JudgedToken = {
    ...idToken,
    ...(idTokenStatus === undefined ? {} : { status: idTokenStatus }),
    ...(groupIdToken === undefined ? {} : { groupIdToken }),
  };
  if (event.eventType === "Ended" || event.triggerReason === "StopAuthorized") {
    if (isLater(state.stopToken, order, judged)) state.stopToken = { order, value: judged };
  } else if (isBetterToken(state.token, order, judged)) state.token = { order, value: judged };
}

function tellEdge(state: TransactionState, event: TransactionEvent, order: number): void {
  if (event.eventType === "Updated") return;
  const { stoppedReason, meterStopWh } = event.facts;
  const edge: EdgeFacts = {
    atMs: event.atMs,
    offline: event.offline,
    triggerReason: event.triggerReason,
    key: event.key,
    ...(event.seqNo === undefined ? {} : { seqNo: event.seqNo }),
    ...(stoppedReason === undefined ? {} : { stoppedReason }),
    ...(meterStopWh === undefined ? {} : { meterStopWh }),
  };
  const field = event.eventType === "Started" ? "started" : "ended";
  const known = state[field];
  // Of two starts the earlier is right, of two ends as well: what comes after an end does not belong to it.
  if (known === undefined || isEdgeBefore(order, edge, known)) state[field] = { order, value: edge };
}

function isEdgeBefore(order: number, edge: EdgeFacts, known: Told<EdgeFacts>): boolean {
  if (order !== known.order) return order < known.order;
  if (edge.atMs !== known.value.atMs) return edge.atMs < known.value.atMs;
  return edge.key < known.value.key;
}

/** Of several tokens the first that was accepted is the transaction's; a nameless one gives way to one with a name. */
function isBetterToken(known: Told<JudgedToken> | undefined, order: number, token: JudgedToken): boolean {
  if (known === undefined) return true;
  const worth = (judged: JudgedToken) => (judged.status === "Accepted" ? 2 : 0) + (judged.idToken === "" ? 0 : 1);
  const difference = worth(token) - worth(known.value);
  return difference === 0 ? isEarlier(known, order, token) : difference > 0;
}

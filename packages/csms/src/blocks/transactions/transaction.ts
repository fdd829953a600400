import {
  type EnergyBounds,
  type EnergySample,
  EnergyTally,
  type EnergyTotal,
  energyOf,
  energySamplesOf,
  type MeterValue,
  type StoredTally,
  toMilliWh,
} from "../metering/index.ts";
import { SeqNoRanges } from "./seq-no-ranges.ts";
import { type EventFacts, orderOf, type PresentedToken, type TransactionEvent } from "./transaction-event.ts";

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

/** A value with the place in the transaction's order of the event that told it. */
interface Told<Value> {
  readonly order: number;
  readonly value: Value;
}

/** Facts of which the latest event that tells them is right. */
const LATEST = [
  "evseId",
  "connectorId",
  "chargingState",
  "timeSpentChargingS",
  "numberOfPhasesUsed",
  "cableMaxCurrentA",
  "operationMode",
  "tariffId",
  "reservationId",
] as const satisfies readonly (keyof EventFacts)[];

/** Facts that are told once: of several the first is right. */
const EARLIEST = ["remoteStartId", "meterStartWh"] as const satisfies readonly (keyof EventFacts)[];

type LatestFact = (typeof LATEST)[number];
type EarliestFact = (typeof EARLIEST)[number];

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
  earliest: { [Fact in EarliestFact]?: Told<NonNullable<EventFacts[Fact]>> };
  offline: boolean;
  /** Present when an event was counted to the transaction by evidence. */
  attributions?: string[];
}

/** The facts of which the latest counts. */
export type LatestFacts = { [Fact in LatestFact]?: Told<NonNullable<EventFacts[Fact]>> };

/** What changes while a transaction runs: stored apart, because it is written with every meter value. */
export interface TransactionProgress {
  readonly lastAtMs: number;
  readonly latest: LatestFacts;
  readonly imported: EnergyTotal;
  readonly exported?: EnergyTotal;
  /** What the energy rests on. */
  readonly tally: StoredTally;
  /** Last values of measurands that are shown with running transactions. */
  readonly shown: { readonly [Measurand: string]: readonly [atMs: number, value: number] };
  /** Span of its stored meter values, in milliseconds since 1970. */
  readonly meteredFromMs?: number;
  readonly meteredToMs?: number;
}

/** Who a transaction is. */
export interface TransactionIdentity {
  /** Identity in this system, a UUID. */
  readonly id: string;
  readonly stationId: string;
  /** As the station names it. */
  readonly transactionId: string;
  /** 1, or higher when the station used the id again for another transaction. */
  readonly generation: number;
  /** Identity of the message that made it, where the station gives no id of its own. */
  readonly originKey?: string;
}

/** Measurands of which the last value is shown with a running transaction. */
const SHOWN = new Set(["Power.Active.Import", "Power.Active.Export", "SoC"]);

/** Energy samples that may be added before a total that needs all of them is taken again: a tenth of them. */
const RECOUNT_SHARE = 0.1;

/** A transaction in memory. */
export class Transaction {
  readonly identity: TransactionIdentity;
  readonly state: TransactionState;
  /** Sequence numbers received; family 2 only. */
  readonly seqNos: SeqNoRanges;
  /** Pending commit. The transaction takes one message at a time; the promise never rejects. */
  busy: Promise<void> | undefined;
  /** Its place among those that this process heard of; not stored. No clock that is set back disorders it. */
  arrival: number | undefined;
  imported: EnergyTotal;
  exported: EnergyTotal | undefined;
  #lastAtMs: number;
  readonly #latest: LatestFacts;
  readonly #tally: EnergyTally;
  readonly #shown: { [Measurand: string]: readonly [atMs: number, value: number] };
  #meteredFromMs: number | undefined;
  #meteredToMs: number | undefined;
  /** What bounds the energy; made anew after the state has changed. */
  #bounds: EnergyBounds | undefined;
  /** All energy samples, once the tally does not suffice. */
  #allSamples: EnergySample[] | undefined;
  #countedSamples = 0;

  constructor(
    identity: TransactionIdentity,
    stored?: {
      readonly state: TransactionState;
      readonly progress: TransactionProgress;
      readonly seqNos: Iterable<number>;
    },
  ) {
    this.identity = identity;
    this.state = stored?.state ?? {
      firstAtMs: Number.POSITIVE_INFINITY,
      heardAtMs: Number.POSITIVE_INFINITY,
      earliest: {},
      offline: false,
    };
    this.seqNos = new SeqNoRanges(stored?.seqNos);
    const progress = stored?.progress;
    this.#lastAtMs = progress?.lastAtMs ?? Number.NEGATIVE_INFINITY;
    this.#latest = { ...progress?.latest };
    this.#tally = new EnergyTally(progress?.tally);
    this.#shown = { ...progress?.shown };
    this.#meteredFromMs = progress?.meteredFromMs;
    this.#meteredToMs = progress?.meteredToMs;
    this.imported = progress?.imported ?? { method: "none", confidence: "none", notes: [] };
    this.exported = progress?.exported;
  }

  get status(): TransactionStatus {
    if (this.state.ended !== undefined) return "Ended";
    return this.abandonedBy === undefined ? "Open" : "Abandoned";
  }

  /** Why it is taken to be over, where its station has not said so. */
  get abandonedBy(): AbandonRule | undefined {
    const { ended, supersededAtMs, closed } = this.state;
    if (ended !== undefined) return undefined;
    return supersededAtMs === undefined ? closed?.rule : "Superseded";
  }

  get evseId(): number | undefined {
    return this.#latest.evseId?.value;
  }

  get connectorId(): number | undefined {
    return this.#latest.connectorId?.value;
  }

  /** A fact as the latest event that tells it has it. */
  latest<Fact extends LatestFact>(fact: Fact): NonNullable<EventFacts[Fact]> | undefined {
    return this.#latest[fact]?.value;
  }

  /** Time of the last event by the station's clock, in milliseconds since 1970. */
  get lastAtMs(): number {
    return this.#lastAtMs;
  }

  /** When the transaction began: as its start tells, else by its first event; in milliseconds since 1970. */
  get beganAtMs(): number {
    return this.state.started?.value.atMs ?? this.state.firstAtMs;
  }

  /** Span of the meter values that are stored for it, in milliseconds since 1970. */
  get metered(): { readonly fromMs: number; readonly toMs: number } | undefined {
    if (this.#meteredFromMs === undefined || this.#meteredToMs === undefined) return undefined;
    return { fromMs: this.#meteredFromMs, toMs: this.#meteredToMs };
  }

  /** Its EVSE serves another one since a moment by the station's clock; what was told of it before still counts. */
  supersede(atMs: number): void {
    this.#bounds = undefined;
    this.state.supersededAtMs = Math.max(atMs, this.#lastAtMs, this.#meteredToMs ?? atMs);
  }

  /** It is over although its end has not come. */
  close(closure: Closure): void {
    this.#bounds = undefined;
    this.state.closed = closure;
  }

  /**
   * Takes a closure back when an event shows that the transaction goes on: one that its station told live, or that is
   * dated after the closure. What an operator closed stays closed. Returns whether it did.
   */
  reopenBy(event: TransactionEvent): boolean {
    const { closed, ended } = this.state;
    if (closed === undefined || closed.rule === "Operator" || ended !== undefined) return false;
    const goesOn = event.seqNo === undefined ? event.atMs > closed.atMs : !event.offline;
    if (event.eventType === "Ended" || !goesOn) return false;
    this.#bounds = undefined;
    delete this.state.closed;
    return true;
  }

  /** The last value of a measurand that is shown with running transactions. */
  shown(measurand: string): number | undefined {
    return this.#shown[measurand]?.[1];
  }

  get progress(): TransactionProgress {
    return {
      lastAtMs: this.#lastAtMs,
      latest: this.#latest,
      imported: this.imported,
      ...(this.exported === undefined ? {} : { exported: this.exported }),
      tally: this.#tally.toJSON(),
      shown: this.#shown,
      ...(this.#meteredFromMs === undefined ? {} : { meteredFromMs: this.#meteredFromMs }),
      ...(this.#meteredToMs === undefined ? {} : { meteredToMs: this.#meteredToMs }),
    };
  }

  /**
   * Takes what an event tells, except its meter values. Returns false when nothing but the transaction's progress has
   * changed.
   */
  tell(event: TransactionEvent): boolean {
    const { state } = this;
    const { facts, atMs, seqNo } = event;
    const order = orderOf(event);
    const { evseId, connectorId } = this;
    for (const fact of LATEST) keepLatest(this.#latest, fact, order, facts[fact]);
    this.#lastAtMs = Math.max(this.#lastAtMs, atMs);
    if (seqNo !== undefined) this.seqNos.add(seqNo);
    const heardAtMs = event.receivedAt.getTime();
    const isMore =
      event.eventType !== "Updated" ||
      atMs < state.firstAtMs ||
      heardAtMs < state.heardAtMs ||
      (event.offline && !state.offline) ||
      facts.idToken !== undefined ||
      facts.remoteStartId !== undefined ||
      facts.meterStartWh !== undefined ||
      facts.attribution !== undefined ||
      this.evseId !== evseId ||
      this.connectorId !== connectorId;
    if (!isMore) return false;
    this.#bounds = undefined;
    state.firstAtMs = Math.min(state.firstAtMs, atMs);
    state.heardAtMs = Math.min(state.heardAtMs, heardAtMs);
    state.offline ||= event.offline;
    for (const fact of EARLIEST) keepEarliest(state.earliest, fact, order, facts[fact]);
    this.#tellToken(event, order);
    this.#tellEdge(event, order);
    if (facts.attribution !== undefined && !state.attributions?.includes(facts.attribution)) {
      state.attributions = [...(state.attributions ?? []), facts.attribution].sort();
    }
    return true;
  }

  /**
   * Takes meter values and tells the energy anew. Returns false when that needs all values: call
   * {@link measureAll} with those that are stored.
   */
  measure(values: readonly MeterValue[]): boolean {
    for (const { atMs, samples } of values) {
      this.#meteredFromMs = Math.min(this.#meteredFromMs ?? atMs, atMs);
      this.#meteredToMs = Math.max(this.#meteredToMs ?? atMs, atMs);
      for (const { measurand, phase, value } of samples) {
        if (value === undefined || phase !== undefined || !SHOWN.has(measurand)) continue;
        if (atMs >= (this.#shown[measurand]?.[0] ?? Number.NEGATIVE_INFINITY)) {
          this.#shown[measurand] = [atMs, value];
        }
      }
    }
    const samples = energySamplesOf(values);
    this.#tally.add(samples);
    if (this.#allSamples !== undefined) {
      this.#allSamples.push(...samples);
      this.#countAll();
      return true;
    }
    return this.#count();
  }

  /** Takes all meter values of the transaction, in any order, repeats included. */
  measureAll(values: readonly MeterValue[]): void {
    this.#allSamples = energySamplesOf(values);
    this.#countedSamples = 0;
    this.#countAll();
  }

  #count(): boolean {
    this.#bounds ??= this.#energyBounds();
    const bounds = this.#bounds;
    const imported = this.#tally.total(bounds, "import");
    if (imported === undefined) return false;
    if (this.#tally.has("export")) {
      const exported = this.#tally.total(bounds, "export");
      if (exported === undefined) return false;
      this.exported = exported;
    }
    this.imported = imported;
    return true;
  }

  #countAll(): void {
    const samples = this.#allSamples ?? [];
    // A disorderly meter must not make every message cost more than the one before.
    const due = this.status !== "Open" || samples.length >= this.#countedSamples * (1 + RECOUNT_SHARE);
    if (!due) return;
    this.#countedSamples = samples.length;
    const facts = { ...this.#energyBounds(), samples };
    this.imported = energyOf(facts, "import");
    if (samples.some((sample) => sample.flow === "export")) this.exported = energyOf(facts, "export");
  }

  #energyBounds(): EnergyBounds {
    const { state } = this;
    const startedAtMs = state.started?.value.atMs;
    const endedAtMs = state.ended?.value.atMs ?? state.supersededAtMs;
    const meterStartMilliWh = milliWhOf(state.earliest.meterStartWh?.value);
    const meterStopMilliWh = milliWhOf(state.ended?.value.meterStopWh);
    return {
      ended: this.status !== "Open",
      ...(startedAtMs === undefined ? {} : { startedAtMs }),
      ...(endedAtMs === undefined ? {} : { endedAtMs }),
      ...(meterStartMilliWh === undefined ? {} : { meterStartMilliWh }),
      ...(meterStopMilliWh === undefined ? {} : { meterStopMilliWh }),
    };
  }

  /** A token in the last event, or one that stops, is not the one that the transaction is on (E07.FR.02). */
  #tellToken(event: TransactionEvent, order: number): void {
    const { idToken, idTokenStatus, groupIdToken } = event.facts;
    // C02: an empty token names nobody, and an empty one of NoAuthorization is worth showing.
    if (idToken === undefined || (idToken.idToken === "" && idToken.type === undefined)) return;
    const judged: JudgedToken = {
      ...idToken,
      ...(idTokenStatus === undefined ? {} : { status: idTokenStatus }),
      ...(groupIdToken === undefined ? {} : { groupIdToken }),
    };
    const { state } = this;
    if (event.eventType === "Ended" || event.triggerReason === "StopAuthorized") {
      if (isLater(state.stopToken, order, judged)) state.stopToken = { order, value: judged };
    } else if (isBetterToken(state.token, order, judged)) state.token = { order, value: judged };
  }

  #tellEdge(event: TransactionEvent, order: number): void {
    if (event.eventType === "Updated") return;
    const { state } = this;
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
}

function milliWhOf(energyWh: number | undefined): number | undefined {
  return energyWh === undefined ? undefined : toMilliWh(energyWh);
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

/** Events in one place of the order (a station that counts wrongly) are told apart by what they say. */
function isLater<Value>(known: Told<Value> | undefined, order: number, value: Value): boolean {
  if (known === undefined || order > known.order) return true;
  return order === known.order && JSON.stringify(value) > JSON.stringify(known.value);
}

function isEarlier<Value>(known: Told<Value> | undefined, order: number, value: Value): boolean {
  if (known === undefined || order < known.order) return true;
  return order === known.order && JSON.stringify(value) > JSON.stringify(known.value);
}

function keepLatest<Fact extends string, Value>(
  kept: { [Key in Fact]?: Told<Value> },
  fact: Fact,
  order: number,
  value: Value | undefined,
): void {
  if (value !== undefined && isLater(kept[fact], order, value)) kept[fact] = { order, value };
}

function keepEarliest<Fact extends string, Value>(
  kept: { [Key in Fact]?: Told<Value> },
  fact: Fact,
  order: number,
  value: Value | undefined,
): void {
  if (value !== undefined && isEarlier(kept[fact], order, value)) kept[fact] = { order, value };
}

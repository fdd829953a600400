import { type EnergyBounds, type EnergyTotal, type MeterValue, toMilliWh } from "../../metering/index.ts";
import { SeqNoRanges } from "./seq-no-ranges.ts";
import { keepLatest, type ToldFacts } from "./told.ts";
import { type EventFacts, orderOf, type TransactionEvent } from "./transaction-event.ts";
import { type MeterProgress, TransactionMeter } from "./transaction-meter.ts";
import {
  type AbandonRule,
  type Closure,
  mayTellState,
  type TransactionState,
  type TransactionStatus,
  tellState,
  untoldState,
} from "./transaction-state.ts";

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

type LatestFact = (typeof LATEST)[number];

/** What changes while a transaction runs: stored apart, because it is written with every meter value. */
export interface TransactionProgress extends MeterProgress {
  readonly lastAtMs: number;
  /** The facts of which the latest counts. */
  readonly latest: ToldFacts<EventFacts, LatestFact>;
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
  #lastAtMs: number;
  readonly #latest: ToldFacts<EventFacts, LatestFact>;
  readonly #meter: TransactionMeter;
  /** What bounds the energy; made anew after the state has changed. */
  #bounds: EnergyBounds | undefined;

  constructor(
    identity: TransactionIdentity,
    stored?: {
      readonly state: TransactionState;
      readonly progress: TransactionProgress;
      readonly seqNos: Iterable<number>;
    },
  ) {
    this.identity = identity;
    this.state = stored?.state ?? untoldState();
    this.seqNos = new SeqNoRanges(stored?.seqNos);
    this.#lastAtMs = stored?.progress.lastAtMs ?? Number.NEGATIVE_INFINITY;
    this.#latest = { ...stored?.progress.latest };
    this.#meter = new TransactionMeter(stored?.progress);
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
    return this.#meter.span;
  }

  /** Energy that the vehicle took. */
  get imported(): EnergyTotal {
    return this.#meter.imported;
  }

  /** Energy that the vehicle gave; undefined when no value tells of any. */
  get exported(): EnergyTotal | undefined {
    return this.#meter.exported;
  }

  /** The last value of a measurand that is shown with running transactions. */
  shown(measurand: string): number | undefined {
    return this.#meter.shown(measurand);
  }

  get progress(): TransactionProgress {
    return { lastAtMs: this.#lastAtMs, latest: this.#latest, ...this.#meter.progress };
  }

  /** Its EVSE serves another one since a moment by the station's clock; what was told of it before still counts. */
  supersede(atMs: number): void {
    this.#bounds = undefined;
    this.state.supersededAtMs = Math.max(atMs, this.#lastAtMs, this.metered?.toMs ?? atMs);
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

  /**
   * Takes what an event tells, except its meter values. Returns false when nothing but the transaction's progress has
   * changed.
   */
  tell(event: TransactionEvent): boolean {
    const order = orderOf(event);
    const { evseId, connectorId } = this;
    for (const fact of LATEST) keepLatest(this.#latest, fact, order, event.facts[fact]);
    this.#lastAtMs = Math.max(this.#lastAtMs, event.atMs);
    if (event.seqNo !== undefined) this.seqNos.add(event.seqNo);
    const isMore = mayTellState(this.state, event) || this.evseId !== evseId || this.connectorId !== connectorId;
    if (!isMore) return false;
    this.#bounds = undefined;
    tellState(this.state, event, order);
    return true;
  }

  /**
   * Takes meter values and tells the energy anew. Returns false when that needs all values: call
   * {@link measureAll} with those that are stored.
   */
  measure(values: readonly MeterValue[]): boolean {
    return this.#meter.take(values, this.#energyBounds());
  }

  /** Takes all meter values of the transaction, in any order, repeats included. */
  measureAll(values: readonly MeterValue[]): void {
    this.#meter.takeAll(values, this.#energyBounds());
  }

  #energyBounds(): EnergyBounds {
    this.#bounds ??= boundsOf(this.state, this.status);
    return this.#bounds;
  }
}

function boundsOf(state: TransactionState, status: TransactionStatus): EnergyBounds {
  const startedAtMs = state.started?.value.atMs;
  const endedAtMs = state.ended?.value.atMs ?? state.supersededAtMs;
  const meterStartMilliWh = milliWhOf(state.earliest.meterStartWh?.value);
  const meterStopMilliWh = milliWhOf(state.ended?.value.meterStopWh);
  return {
    ended: status !== "Open",
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
    ...(endedAtMs === undefined ? {} : { endedAtMs }),
    ...(meterStartMilliWh === undefined ? {} : { meterStartMilliWh }),
    ...(meterStopMilliWh === undefined ? {} : { meterStopMilliWh }),
  };
}

function milliWhOf(energyWh: number | undefined): number | undefined {
  return energyWh === undefined ? undefined : toMilliWh(energyWh);
}

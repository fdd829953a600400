import { setMaxListeners } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Ocpp21 } from "@polyphase/ocpp";
import type { Logger } from "pino";
import type { Clock } from "../../../clock.ts";
import { DatabaseUnavailableError, type GroupCommit, type WriteUnit } from "../../../database/write-unit.ts";
import type { StationDeviations } from "../../../gateway/tolerance/conduct.ts";
import type { Authorizer } from "../../authorization/index.ts";
import type { Metering, MeterValue } from "../../metering/index.ts";
import { TransactionMemory } from "../memory/transaction-memory.ts";
import type { TransactionStore } from "../store.ts";
import { Transaction, type TransactionIdentity } from "../transaction/transaction.ts";
import type { PresentedToken, TransactionEvent } from "../transaction/transaction-event.ts";
import type { Closure } from "../transaction/transaction-state.ts";
import {
  eventRow,
  insertEvent,
  progressRow,
  saveProgress,
  saveTransaction,
  transactionRow,
} from "../transaction-rows.ts";
import { isClockSet, isSuperseded } from "./rules.ts";
import { showConduct } from "./shown-conduct.ts";
import { before, publish, publishAbandoned, publishCorrected } from "./transaction-news.ts";

/** The verdict on a token, as 2.1 answers it. */
export type Verdict = Ocpp21.IdTokenInfoType;

/** What the ledger works with. */
export interface LedgerParts {
  readonly groupCommit: GroupCommit;
  readonly store: TransactionStore;
  readonly metering: Pick<Metering, "store" | "read">;
  readonly authorizer: Authorizer;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of what stations do that breaks no schema. */
  readonly deviations: StationDeviations;
  /** Makes the identity of a transaction: a UUID. */
  readonly newId: () => string;
  /** How many transactions that are over stay in memory. */
  readonly keptAfterEnd?: number | undefined;
  /** Waits before something that failed is tried again. Default: a timer that keeps no process alive. */
  readonly pause?: (timeMs: number, signal: AbortSignal) => Promise<void>;
}

/** Before what failed in the background is tried again. */
const RETRY_MS = 1_000;

/** Triggers of events that repeat while a transaction runs: they are stored, and published only when they tell more. */
const PERIODIC: ReadonlySet<string> = new Set(["MeterValuePeriodic", "MeterValueClock"]);

/** Tokens in these events are presented to begin or go on, and count against the token's concurrent transactions. */
function isToStart(event: TransactionEvent): boolean {
  return event.eventType !== "Ended" && event.triggerReason !== "StopAuthorized";
}

/**
 * The books: takes events and values into transactions. Each transaction takes one message at a time, decided in
 * memory and acknowledged when it is stored; when storing fails the transaction is forgotten and read anew, so that
 * memory is never ahead of the database.
 */
export class TransactionLedger {
  readonly memory: TransactionMemory;
  readonly #parts: LedgerParts;
  readonly #pause: (timeMs: number, signal: AbortSignal) => Promise<void>;
  readonly #followUps = new Set<Promise<void>>();
  /** By station: the last attempt to read each transaction that a failed write put out of memory. */
  readonly #missing = new Map<string, Map<string, Promise<void>>>();
  readonly #closing = new AbortController();
  #arrivals = 0;

  constructor(parts: LedgerParts) {
    this.#parts = parts;
    // Each transaction that waits for the database listens.
    setMaxListeners(0, this.#closing.signal);
    this.memory = new TransactionMemory(parts.store, parts.keptAfterEnd);
    this.#pause = parts.pause ?? ((timeMs, signal) => delay(timeMs, undefined, { signal, ref: false }));
  }

  /** Reads what runs. Of several on one EVSE all but the last are abandoned. */
  async load(): Promise<void> {
    const { hot } = this.memory;
    hot.clear();
    const open = await this.#parts.store.open();
    for (const transaction of open.sort((a, b) => a.state.heardAtMs - b.state.heardAtMs)) {
      transaction.arrival = this.#arrivals++;
      this.memory.put(transaction);
    }
    for (const transaction of hot.open()) {
      const { evseId } = transaction;
      if (evseId !== undefined) this.#abandonOthers(transaction, evseId);
    }
    await this.settled();
  }

  /** Resolves when nothing is under way that no message waits for. */
  async settled(): Promise<void> {
    while (this.#followUps.size > 0) await Promise.all(this.#followUps);
  }

  /** Gives up what is only to be tried again, and waits for the rest. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.settled();
  }

  /** Makes a transaction of its first event. */
  begin(identity: Omit<TransactionIdentity, "id">, event: TransactionEvent): Promise<Verdict | undefined> {
    const transaction = new Transaction({ ...identity, id: this.#parts.newId() });
    transaction.arrival = this.#arrivals++;
    this.memory.put(transaction);
    return this.apply(transaction, event, true);
  }

  /** Takes an event into a transaction that is not busy, and stores both. */
  apply(transaction: Transaction, received: TransactionEvent, isNew = false): Promise<Verdict | undefined> {
    const { clock, groupCommit } = this.#parts;
    const { identity, imported } = transaction;
    // Not put together by a spread, which costs many times as much in this place.
    const was = {
      status: transaction.status,
      milliWh: imported.milliWh,
      evseId: transaction.evseId,
      chargingState: transaction.latest("chargingState"),
      isEnded: transaction.state.ended !== undefined,
      token: transaction.state.token,
      isStarted: transaction.state.started !== undefined,
      notes: imported.notes,
    };
    let verdict: Verdict | undefined;
    let isMore = true;
    const store = (): Promise<void> => {
      verdict = this.judge(transaction, received);
      const event = verdict === undefined ? received : withVerdict(received, verdict);
      const isReopened = transaction.reopenBy(event);
      isMore = transaction.tell(event) || isNew || isReopened;
      if (isMore) this.#yield(transaction);
      const changesEnergy = isMore || event.meterValues.length > 0;
      const isCounted = changesEnergy ? transaction.measure(event.meterValues) : true;
      const finish = () => write(event, isReopened);
      return isCounted ? finish() : this.#measureAll(transaction, event.meterValues).then(finish);
    };
    const write = (event: TransactionEvent, isReopened: boolean): Promise<void> => {
      const unit = groupCommit.unit();
      const now = clock.now();
      if (isMore || transaction.status !== "Open") unit.add(saveTransaction, transactionRow(transaction, now));
      else unit.add(saveProgress, progressRow(transaction, now));
      unit.add(insertEvent, eventRow(identity.id, event));
      this.#storeValues(unit, transaction, event.meterValues, event.receivedAt, undefined, event);
      publish(unit, transaction, event, was, {
        started: !was.isStarted && transaction.state.started !== undefined,
        ended: !was.isEnded && transaction.state.ended !== undefined,
        resumed: isReopened,
        updated:
          !PERIODIC.has(event.triggerReason) ||
          transaction.latest("chargingState") !== was.chargingState ||
          transaction.state.token !== was.token,
      });
      return unit.commit();
    };
    const stored = this.#holding(transaction, store);
    const { evseId } = transaction;
    if (isMore) this.memory.hot.refresh(transaction);
    const isPlaced = evseId !== undefined && (isNew || evseId !== was.evseId || received.eventType === "Started");
    return stored.then(() => {
      const { deviations } = this.#parts;
      showConduct(deviations, transaction, { event: received, verdict: verdict?.status, notesBefore: was.notes });
      if (isPlaced) {
        const startsBesideAnother = received.eventType === "Started" && this.#isBesideAnother(transaction, evseId);
        if (startsBesideAnother) deviations.showed(identity.stationId, "start-twice", { evseId });
        this.#settleEvse(transaction, evseId);
      }
      return verdict;
    });
  }

  /** Counts values to a transaction that is not busy, without an event. */
  measure(transaction: Transaction, evseId: number, values: readonly MeterValue[], receivedAt: Date): Promise<void> {
    return this.#holding(transaction, async () => {
      const was = before(transaction);
      if (!transaction.measure(values)) await this.#measureAll(transaction, values);
      const unit = this.#parts.groupCommit.unit();
      this.#storeValues(unit, transaction, values, receivedAt, evseId);
      const now = this.#parts.clock.now();
      if (transaction.status === "Open") unit.add(saveProgress, progressRow(transaction, now));
      else unit.add(saveTransaction, transactionRow(transaction, now));
      publishCorrected(unit, transaction, receivedAt, was);
      await unit.commit();
    });
  }

  /**
   * Runs what changes and stores a transaction while it takes nothing else; reads it anew when that fails. Everything
   * that changes it belongs into `work`, also what changes it at once: what throws there must not leave memory ahead
   * of the database.
   */
  #holding(transaction: Transaction, work: () => Promise<void>): Promise<void> {
    const done = new Promise<void>((resolve) => resolve(work()));
    transaction.busy = done.then(
      () => {
        transaction.busy = undefined;
      },
      () => {
        transaction.busy = undefined;
        this.memory.hot.evict(transaction);
        this.#followUp(this.#readAnew(transaction.identity));
      },
    );
    return done;
  }

  /**
   * What has to be waited for before asking memory what a station's EVSEs serve: a write that failed has put a
   * transaction out of it. Undefined when memory is whole.
   *
   * @throws DatabaseUnavailableError when it could not be read again so far
   */
  whole(stationId: string): Promise<void> | undefined {
    const attempts = this.#missing.get(stationId);
    if (attempts === undefined) return undefined;
    return Promise.all(attempts.values()).then(
      () => this.whole(stationId),
      (cause: unknown) => {
        throw new DatabaseUnavailableError("what the EVSEs of the station serve is not known now", { cause });
      },
    );
  }

  /** What could not be stored is read again, when the database answers: others count on what is open. */
  async #readAnew({ id, stationId }: TransactionIdentity): Promise<void> {
    const { signal } = this.#closing;
    const missing = this.#missing.get(stationId) ?? new Map<string, Promise<void>>();
    this.#missing.set(stationId, missing);
    let open: Transaction | undefined;
    for (;;) {
      const attempt = this.#parts.store.get(id).then((stored) => {
        open = stored?.transaction.status === "Open" ? this.memory.keep(stored.transaction) : undefined;
        missing.delete(id);
        if (missing.size === 0) this.#missing.delete(stationId);
      });
      missing.set(id, attempt);
      try {
        await attempt;
        break;
      } catch (error) {
        if (signal.aborted) return;
        this.#parts.log.warn({ err: error, transaction: id }, "a transaction could not be read; it is tried again");
        await this.#pause(RETRY_MS, signal).catch(() => undefined);
      }
    }
    if (open?.evseId === undefined) return;
    const { evseId } = open;
    const running = this.memory.hot.runningOn(stationId, evseId);
    const isAlone = [...this.memory.hot.openOn(stationId, evseId)].length < 2;
    if (running === undefined || isAlone) return;
    await this.#pause(RETRY_MS, signal).catch(() => undefined);
    if (!signal.aborted) this.#abandonOthers(running, evseId);
  }

  /** Tells the energy from all values that are stored, and those that will be. */
  async #measureAll(transaction: Transaction, values: readonly MeterValue[]): Promise<void> {
    const { metered, identity } = transaction;
    const stored =
      metered === undefined
        ? []
        : await this.#parts.metering.read({ stationId: identity.stationId, transaction: identity.id, ...metered });
    transaction.measureAll([...stored, ...values]);
  }

  #storeValues(
    unit: WriteUnit,
    transaction: Transaction,
    values: readonly MeterValue[],
    receivedAt: Date,
    evseId?: number,
    event?: TransactionEvent,
  ): void {
    if (values.length === 0) return;
    const { identity } = transaction;
    const origin = {
      stationId: identity.stationId,
      evseId: evseId ?? transaction.evseId,
      connectorId: transaction.connectorId,
      transaction: identity.id,
      receivedAt,
    };
    // Events of family 2 are told apart by their number; other messages by what they contain.
    const source = event?.seqNo === undefined ? undefined : `${identity.id}:${event.key}`;
    this.#parts.metering.store(unit, origin, values, source);
  }

  /** The verdict on the token of an event, where it has one. */
  judge(transaction: Transaction, event: TransactionEvent): Verdict | undefined {
    const { idToken } = event.facts;
    if (idToken === undefined) return undefined;
    const { stationId, id } = transaction.identity;
    const evseId = event.facts.evseId ?? transaction.evseId;
    const except = new Set([id]);
    // What the EVSE served before is over, though its end may not have come yet.
    if (evseId !== undefined)
      for (const other of this.memory.hot.openOn(stationId, evseId)) except.add(other.identity.id);
    return this.#parts.authorizer.authorize({
      ...tokenOf(idToken),
      stationId,
      ...(evseId === undefined ? {} : { evseId }),
      purpose: isToStart(event) ? "start" : "inform",
      except,
    });
  }

  /** Marks a transaction that was over before we heard of it, because its EVSE serves a later one. */
  #yield(transaction: Transaction): void {
    const { evseId, identity, state } = transaction;
    if (evseId === undefined || state.ended !== undefined || state.supersededAtMs !== undefined) return;
    for (const other of this.memory.hot.openOn(identity.stationId, evseId)) {
      if (other !== transaction && isSuperseded(transaction, other)) transaction.supersede(other.beganAtMs);
    }
  }

  /** Abandons what an EVSE served before a transaction, and the transaction if the EVSE served another after it. */
  #settleEvse(transaction: Transaction, evseId: number): void {
    this.#abandonOthers(transaction, evseId);
    // What is told after an offline time may be followed by transactions that are over, which memory need not know.
    if (transaction.state.offline && transaction.status === "Open")
      this.#followUp(this.#abandonIfFollowed(transaction, evseId));
  }

  #isBesideAnother(transaction: Transaction, evseId: number): boolean {
    for (const other of this.memory.hot.openOn(transaction.identity.stationId, evseId)) {
      if (other !== transaction) return true;
    }
    return false;
  }

  #abandonOthers(transaction: Transaction, evseId: number): void {
    for (const other of this.memory.hot.openOn(transaction.identity.stationId, evseId)) {
      if (other === transaction || !isSuperseded(other, transaction)) continue;
      this.#followUp(this.#abandon(other, transaction.beganAtMs));
    }
  }

  async #abandonIfFollowed(transaction: Transaction, evseId: number): Promise<void> {
    const { beganAtMs, identity } = transaction;
    if (!isClockSet(beganAtMs)) return;
    const nextMs = await this.#parts.store.nextBegin(identity.stationId, evseId, beganAtMs, this.#parts.clock.now());
    if (nextMs !== undefined) await this.#abandon(transaction, nextMs);
  }

  /** Does what no message waits for. */
  #followUp(work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => this.#parts.log.error({ err: error }, "the books could not be put in order"))
      .finally(() => this.#followUps.delete(done));
    this.#followUps.add(done);
  }

  async #abandon(transaction: Transaction, fromMs: number): Promise<void> {
    await this.#endByRule(transaction, fromMs, () => transaction.supersede(fromMs));
  }

  /**
   * Closes a transaction whose end has not come. It is no longer open, keeps what is known of it, goes on when an
   * event shows that it does, and becomes Ended when its end comes after all. Resolves with whether it was open.
   */
  closeTransaction(transaction: Transaction, closure: Closure): Promise<boolean> {
    return this.#endByRule(transaction, closure.atMs, () => transaction.close(closure));
  }

  async #endByRule(transaction: Transaction, fromMs: number, mark: () => void): Promise<boolean> {
    while (transaction.busy !== undefined) await transaction.busy;
    if (!this.memory.hot.has(transaction) || transaction.status !== "Open") return false;
    const { stationId, transactionId } = transaction.identity;
    const stored = this.#holding(transaction, async () => {
      mark();
      const rule = transaction.abandonedBy;
      this.#parts.log.warn({ stationId, transactionId, rule }, "a transaction is over although its end has not come");
      if (!transaction.measure([])) await this.#measureAll(transaction, []);
      const unit = this.#parts.groupCommit.unit();
      unit.add(saveTransaction, transactionRow(transaction, this.#parts.clock.now()));
      publishAbandoned(unit, transaction, new Date(fromMs));
      await unit.commit();
    });
    this.memory.hot.refresh(transaction);
    await stored;
    return true;
  }
}

function tokenOf({ idToken, type }: PresentedToken) {
  return type === undefined ? { idToken } : { idToken, type };
}

function withVerdict(event: TransactionEvent, verdict: Verdict): TransactionEvent {
  const groupIdToken = verdict.groupIdToken?.idToken;
  return {
    ...event,
    facts: {
      ...event.facts,
      idTokenStatus: verdict.status,
      ...(groupIdToken === undefined ? {} : { groupIdToken }),
    },
  };
}

import type { Ocpp21 } from "@polyphase/ocpp";
import type { Logger } from "pino";
import type { Clock } from "../../clock.ts";
import type { GroupCommit, WriteUnit } from "../../database/write-unit.ts";
import type { TransactionFacts } from "../../events/domain-event.ts";
import type { Authorizer, OpenTransactions, RemoteStartRecord } from "../authorization/index.ts";
import type { Metering, MeterValue } from "../metering/index.ts";
import { contentKey } from "../metering/index.ts";
import { HotTransactions } from "./hot-transactions.ts";
import { covers, isClockSet, isSuperseded, transactionThatStopFits } from "./rules.ts";
import {
  eventRow,
  insertEvent,
  progressRow,
  type StoredEvent,
  saveProgress,
  saveTransaction,
  type TransactionStore,
  transactionRow,
} from "./store.ts";
import { Transaction, type TransactionIdentity } from "./transaction.ts";
import type { PresentedToken, TransactionEvent } from "./transaction-event.ts";
import type { TransactionNumbers } from "./transaction-numbers.ts";

/** The verdict on a token, as 2.1 answers it. */
export type Verdict = Ocpp21.IdTokenInfoType;

/** What the service works with. */
export interface TransactionServiceParts {
  readonly groupCommit: GroupCommit;
  readonly store: TransactionStore;
  readonly metering: Pick<Metering, "store" | "read">;
  readonly authorizer: Authorizer;
  readonly remoteStarts: RemoteStartRecord;
  readonly numbers: TransactionNumbers;
  readonly clock: Clock;
  readonly log: Logger;
  /** Makes the identity of a transaction: a UUID. */
  readonly newId: () => string;
}

/** A StartTransaction of family 1. */
export interface Start1 {
  readonly connectorId: number;
  readonly idTag: string;
  readonly atMs: number;
  readonly meterStartWh: number;
  readonly reservationId?: number | undefined;
  readonly receivedAt: Date;
}

/** A StopTransaction of family 1. */
export interface Stop1 {
  readonly transactionId: number;
  readonly idTag?: string | undefined;
  readonly atMs: number;
  readonly meterStopWh: number;
  readonly stoppedReason: string | undefined;
  readonly triggerReason: string;
  /** The reason as the station told it. */
  readonly reason?: string | undefined;
  readonly meterValues: readonly MeterValue[];
  readonly receivedAt: Date;
}

/** MeterValues of either family, outside of TransactionEvent. */
export interface MeterReport {
  readonly evseId: number;
  /** Family 1 only. */
  readonly transactionId?: number | undefined;
  readonly triggerReason: string;
  readonly meterValues: readonly MeterValue[];
  readonly receivedAt: Date;
}

/** Triggers of events that repeat while a transaction runs: they are stored, and published only when they tell more. */
const PERIODIC: ReadonlySet<string> = new Set(["MeterValuePeriodic", "MeterValueClock"]);

/** Tokens in these events are presented to begin or go on, and count against the token's concurrent transactions. */
function isToStart(event: TransactionEvent): boolean {
  return event.eventType !== "Ended" && event.triggerReason !== "StopAuthorized";
}

/**
 * Transactions of both families (block E). Each transaction takes one event at a time, decided in memory and
 * acknowledged when it is stored; when storing fails the transaction is forgotten and read anew, so that memory is
 * never ahead of the database.
 */
export class TransactionService implements OpenTransactions {
  readonly #parts: TransactionServiceParts;
  readonly #hot = new HotTransactions();
  readonly #loading = new Map<string, Promise<Transaction | undefined>>();
  readonly #followUps = new Set<Promise<void>>();

  constructor(parts: TransactionServiceParts) {
    this.#parts = parts;
  }

  /** Reads what runs. Of several on one EVSE all but the last are abandoned. */
  async load(): Promise<void> {
    this.#hot.clear();
    for (const transaction of await this.#parts.store.open()) this.#hot.put(transaction, isNamed(transaction.identity));
    for (const transaction of this.#hot.open()) {
      const { evseId } = transaction;
      if (evseId !== undefined) this.#abandonOthers(transaction, evseId);
    }
    await this.settled();
  }

  /** Resolves when nothing is under way that no message waits for. */
  async settled(): Promise<void> {
    while (this.#followUps.size > 0) await Promise.all(this.#followUps);
  }

  openTransactionsOf(idToken: string, except?: ReadonlySet<string>): number {
    let count = 0;
    for (const { identity } of this.#hot.openWithToken(idToken.toLowerCase())) {
      if (!except?.has(identity.id)) count += 1;
    }
    return count;
  }

  /** Open transactions of a station. */
  openOf(stationId: string): readonly Transaction[] {
    return [...this.#hot.openOf(stationId)];
  }

  /** The transaction that runs on an EVSE. */
  runningOn(stationId: string, evseId: number): Transaction | undefined {
    return this.#hot.runningOn(stationId, evseId);
  }

  /**
   * Takes a TransactionEvent of family 2 and resolves with the verdict on its token when it is stored. A repeat is
   * answered and changes nothing.
   */
  receive(stationId: string, transactionId: string, event: TransactionEvent): Promise<Verdict | undefined> {
    const transaction = this.#hot.get(stationId, transactionId);
    const isNext =
      transaction !== undefined &&
      transaction.busy === undefined &&
      transaction.status === "Open" &&
      event.seqNo !== undefined &&
      !transaction.seqNos.has(event.seqNo);
    if (isNext) return this.#apply(transaction, event);
    return this.#receiveUnexpected(stationId, transactionId, event);
  }

  /** A first event, a repeat, one after the end, or one of a transaction that is busy or not in memory. */
  async #receiveUnexpected(
    stationId: string,
    transactionId: string,
    event: TransactionEvent,
  ): Promise<Verdict | undefined> {
    for (;;) {
      const transaction = await this.#find(stationId, transactionId);
      if (transaction === undefined) {
        // Meanwhile another event of the same transaction may have begun it.
        if (this.#hot.get(stationId, transactionId) !== undefined) continue;
        return this.#begin({ stationId, transactionId, generation: 1 }, event);
      }
      if (!this.#isFree(transaction)) continue;
      const { seqNo } = event;
      if (seqNo !== undefined && transaction.seqNos.has(seqNo)) {
        const stored = await this.#parts.store.eventsWithSeqNo(transaction.identity.id, seqNo);
        if (stored.some((other) => isSameEvent(other, event))) return this.#judge(transaction, event);
        if (!this.#isFree(transaction)) continue;
        if (!isReuse(transaction, event)) {
          this.#parts.log.warn({ stationId, transactionId, seqNo }, "two events of a transaction have one seqNo");
          const content = `${event.eventType} ${event.triggerReason} ${event.atMs}`;
          return this.#apply(transaction, { ...event, key: `${event.key}:${contentKey(content)}` });
        }
      }
      if (isReuse(transaction, event)) {
        this.#parts.log.warn({ stationId, transactionId }, "a transaction id is used again after its end");
        const generation = transaction.identity.generation + 1;
        return this.#begin({ stationId, transactionId, generation }, event);
      }
      return this.#apply(transaction, event);
    }
  }

  /** Takes a StartTransaction. The same message gets the same id again, however often it comes. */
  async start(stationId: string, start: Start1): Promise<{ transactionId: number; verdict: Verdict }> {
    const { connectorId, idTag, atMs, meterStartWh, receivedAt } = start;
    const { remoteStarts } = this.#parts;
    const asked = remoteStarts.remoteStartFor(stationId, idTag, connectorId);
    let originKey = `start:${connectorId}:${idTag.toLowerCase()}:${atMs}:${meterStartWh}`;
    const event = (): TransactionEvent => ({
      eventType: "Started",
      triggerReason: asked === undefined ? "Authorized" : "RemoteStart",
      atMs,
      receivedAt,
      key: "started",
      offline: false,
      facts: {
        evseId: connectorId,
        connectorId: 1,
        idToken: { idToken: idTag },
        meterStartWh,
        ...(asked === undefined ? {} : { remoteStartId: asked.remoteStartId }),
        ...(start.reservationId === undefined ? {} : { reservationId: start.reservationId }),
      },
      meterValues: [],
    });
    let number: number | undefined;
    for (;;) {
      const known = await this.#findByOrigin(stationId, originKey);
      if (known !== undefined) {
        if (known.status === "Open" || isClockSet(atMs)) {
          return {
            transactionId: Number(known.identity.transactionId),
            verdict: this.#judge(known, event()) ?? INVALID,
          };
        }
        // A clock that is never set shows the same time for another start.
        originKey = `${originKey}:${receivedAt.getTime()}`;
        continue;
      }
      if (number === undefined) {
        number = await this.#parts.numbers.next();
        // Meanwhile the same message may have come over another connection.
        continue;
      }
      const identity = { stationId, transactionId: String(number), generation: 1, originKey };
      if (this.#hot.byOrigin(stationId, originKey) !== undefined) continue;
      const verdict = await this.#begin(identity, event());
      if (asked !== undefined) remoteStarts.remoteStartAnswered(asked);
      return { transactionId: number, verdict: verdict ?? INVALID };
    }
  }

  /** Takes a StopTransaction, also of a transaction that nobody knows: refusing it would bring it back for ever. */
  async stop(stationId: string, stop: Stop1): Promise<Verdict | undefined> {
    const { transactionId, atMs, meterStopWh, idTag } = stop;
    const content = `stop:${transactionId}:${atMs}:${meterStopWh}:${idTag?.toLowerCase() ?? ""}`;
    const event: TransactionEvent = {
      eventType: "Ended",
      triggerReason: stop.triggerReason,
      atMs,
      receivedAt: stop.receivedAt,
      key: content,
      offline: false,
      facts: {
        meterStopWh,
        ...(stop.stoppedReason === undefined ? {} : { stoppedReason: stop.stoppedReason }),
        ...(stop.reason === undefined ? {} : { details: { reason: stop.reason } }),
        ...(idTag === undefined || idTag === "" ? {} : { idToken: { idToken: idTag } }),
      },
      meterValues: stop.meterValues,
    };
    for (;;) {
      const named = transactionId > 0 ? await this.#find(stationId, String(transactionId)) : undefined;
      if (named !== undefined && !this.#isFree(named)) continue;
      if (named !== undefined && named.state.ended === undefined) return this.#apply(named, event);
      const repeated = await this.#stoppedBy(stationId, named, content, atMs);
      if (repeated !== undefined) return this.#judge(repeated, event);
      if (named !== undefined && !this.#isFree(named)) continue;
      const fitting = transactionThatStopFits(this.#hot.openOf(stationId), { atMs, idTag, meterStopWh });
      if (fitting?.busy !== undefined) {
        await fitting.busy;
        continue;
      }
      if (fitting !== undefined) {
        this.#parts.log.warn({ stationId, transactionId }, "a stop was counted to the only open transaction it fits");
        const facts = { ...event.facts, attribution: "stop-by-evidence", namedTransactionId: String(transactionId) };
        return this.#apply(fitting, { ...event, facts });
      }
      if (named !== undefined) return this.#apply(named, event);
      this.#parts.log.warn({ stationId, transactionId }, "a stop without a start was kept");
      const generation = await this.#nextGeneration(stationId, String(transactionId));
      if (this.#hot.byOrigin(stationId, content) !== undefined) continue;
      return this.#begin({ stationId, transactionId: String(transactionId), generation, originKey: content }, event);
    }
  }

  /** Takes MeterValues of family 1: an event of its transaction where it has one. */
  async measure1(stationId: string, report: MeterReport): Promise<void> {
    for (;;) {
      const transaction = await this.#transactionOf1(stationId, report);
      if (transaction === undefined) return this.#storeAlone(stationId, report);
      if (!this.#isFree(transaction)) {
        await transaction.busy;
        continue;
      }
      const { evseId, transactionId, triggerReason, meterValues, receivedAt } = report;
      const isNamed = String(transactionId) === transaction.identity.transactionId;
      await this.#apply(transaction, {
        eventType: "Updated",
        triggerReason,
        atMs: lastMoment(meterValues) ?? receivedAt.getTime(),
        receivedAt,
        key: `meter:${contentKey(`${evseId} ${JSON.stringify(meterValues)}`)}`,
        offline: false,
        facts: {
          ...(isNamed ? {} : { attribution: "meter-values-by-evse" }),
          ...(isNamed || transactionId === undefined ? {} : { namedTransactionId: String(transactionId) }),
        },
        meterValues,
      });
      return;
    }
  }

  /** Takes MeterValues of family 2: no event, but counted to the transaction that its EVSE serves (J01.FR.22). */
  async measure2(stationId: string, report: MeterReport): Promise<void> {
    for (;;) {
      const transaction = this.#servedAt(stationId, report);
      if (transaction === undefined) return this.#storeAlone(stationId, report);
      if (transaction.busy === undefined) return this.#measure(transaction, report);
      await transaction.busy;
    }
  }

  async #transactionOf1(stationId: string, report: MeterReport): Promise<Transaction | undefined> {
    const { transactionId } = report;
    const named = (transactionId ?? 0) > 0 ? await this.#find(stationId, String(transactionId)) : undefined;
    const atMs = lastMoment(report.meterValues) ?? report.receivedAt.getTime();
    if (named !== undefined && (named.status === "Open" || covers(named, atMs))) return named;
    // The id is of a transaction that was over by then, or of none: what the connector serves is likelier.
    return this.#servedAt(stationId, report) ?? named;
  }

  /** The transaction that an EVSE served when values were measured. EVSE 0 is the station and serves none. */
  #servedAt(stationId: string, { evseId, meterValues, receivedAt }: MeterReport): Transaction | undefined {
    if (evseId === 0) return undefined;
    const atMs = lastMoment(meterValues) ?? receivedAt.getTime();
    const running = this.#hot.runningOn(stationId, evseId);
    if (running !== undefined && covers(running, atMs)) return running;
    const over = this.#hot.lastOverOn(stationId, evseId);
    return over !== undefined && covers(over, atMs) ? over : undefined;
  }

  async #storeAlone(stationId: string, { evseId, meterValues, receivedAt }: MeterReport): Promise<void> {
    if (meterValues.length === 0) return;
    const unit = this.#parts.groupCommit.unit();
    this.#parts.metering.store(unit, { stationId, evseId, receivedAt }, meterValues);
    await unit.commit();
  }

  async #measure(transaction: Transaction, report: MeterReport): Promise<void> {
    await this.#holding(transaction, async () => {
      if (!transaction.measure(report.meterValues)) await this.#measureAll(transaction, report.meterValues);
      const unit = this.#parts.groupCommit.unit();
      this.#storeValues(unit, transaction, report.meterValues, report.receivedAt, report.evseId);
      unit.add(saveProgress, progressRow(transaction, this.#parts.clock.now()));
      await unit.commit();
    });
  }

  /** A stop that is stored already: with the transaction it names, with one it was counted to, or as one of its own. */
  async #stoppedBy(
    stationId: string,
    named: Transaction | undefined,
    content: string,
    atMs: number,
  ): Promise<Transaction | undefined> {
    if (named !== undefined && (await this.#parts.store.hasEvent(named.identity.id, content))) return named;
    const alone = await this.#findByOrigin(stationId, content);
    if (alone !== undefined) return alone;
    const counted = await this.#parts.store.findEndedBy(stationId, atMs, content);
    return counted === undefined ? undefined : this.#keep(counted);
  }

  /** Ids such as 0 and -1 stand for a transaction each time; each gets a number of its own. */
  async #nextGeneration(stationId: string, transactionId: string): Promise<number> {
    const latest = await this.#parts.store.findLatest(stationId, transactionId);
    return (latest?.identity.generation ?? 0) + 1;
  }

  /** Makes a transaction of its first event. */
  #begin(identity: Omit<TransactionIdentity, "id">, event: TransactionEvent): Promise<Verdict | undefined> {
    const transaction = new Transaction({ ...identity, id: this.#parts.newId() });
    this.#hot.put(transaction, isNamed(identity));
    return this.#apply(transaction, event, true);
  }

  /** Takes an event into a transaction that is not busy, and stores both. */
  #apply(transaction: Transaction, received: TransactionEvent, isNew = false): Promise<Verdict | undefined> {
    const { clock, groupCommit } = this.#parts;
    const { identity } = transaction;
    const verdict = this.#judge(transaction, received);
    const event = verdict === undefined ? received : withVerdict(received, verdict);
    const before = { evseId: transaction.evseId, chargingState: transaction.latest("chargingState") };
    const wasEnded = transaction.state.ended !== undefined;
    const hadToken = transaction.state.token;
    const hadStart = transaction.state.started !== undefined;
    const isMore = transaction.tell(event) || isNew;
    if (isMore) this.#yield(transaction);
    const changesEnergy = isMore || event.meterValues.length > 0;
    const isCounted = changesEnergy ? transaction.measure(event.meterValues) : true;

    const finish = (): Promise<void> => {
      const unit = groupCommit.unit();
      const now = clock.now();
      if (isMore) unit.add(saveTransaction, transactionRow(transaction, now));
      else unit.add(saveProgress, progressRow(transaction, now));
      unit.add(insertEvent, eventRow(identity.id, event));
      this.#storeValues(unit, transaction, event.meterValues, event.receivedAt, undefined, event);
      publish(unit, transaction, event, {
        started: !hadStart && transaction.state.started !== undefined,
        ended: !wasEnded && transaction.state.ended !== undefined,
        updated:
          !PERIODIC.has(event.triggerReason) ||
          transaction.latest("chargingState") !== before.chargingState ||
          transaction.state.token !== hadToken,
      });
      return unit.commit();
    };
    const stored = this.#holding(transaction, () =>
      isCounted ? finish() : this.#measureAll(transaction, event.meterValues).then(finish),
    );
    const { evseId } = transaction;
    if (isMore) this.#hot.refresh(transaction);
    const isPlaced = evseId !== undefined && (isNew || evseId !== before.evseId || event.eventType === "Started");
    return stored.then(() => {
      if (isPlaced) this.#settleEvse(transaction, evseId);
      return verdict;
    });
  }

  /** Runs what changes and stores a transaction while it takes nothing else; forgets it when that fails. */
  #holding(transaction: Transaction, work: () => Promise<void>): Promise<void> {
    const done = work();
    transaction.busy = done.then(
      () => {
        transaction.busy = undefined;
      },
      () => {
        transaction.busy = undefined;
        this.#hot.evict(transaction);
      },
    );
    return done;
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

  #judge(transaction: Transaction, event: TransactionEvent): Verdict | undefined {
    const { idToken } = event.facts;
    if (idToken === undefined) return undefined;
    const { stationId, id } = transaction.identity;
    const evseId = event.facts.evseId ?? transaction.evseId;
    const except = new Set([id]);
    // What the EVSE served before is over, though its end may not have come yet.
    if (evseId !== undefined) for (const other of this.#hot.openOn(stationId, evseId)) except.add(other.identity.id);
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
    for (const other of this.#hot.openOn(identity.stationId, evseId)) {
      if (other !== transaction && isSuperseded(transaction, other)) transaction.supersede(other.beganAtMs);
    }
  }

  /** Abandons what an EVSE served before a transaction, and the transaction if the EVSE served another after it. */
  #settleEvse(transaction: Transaction, evseId: number): void {
    this.#abandonOthers(transaction, evseId);
    // What is told after an offline time may be followed by transactions that are over, which memory need not know.
    const isLate = transaction.state.started?.value.offline ?? false;
    if (isLate && transaction.status === "Open") this.#followUp(this.#abandonIfFollowed(transaction, evseId));
  }

  #abandonOthers(transaction: Transaction, evseId: number): void {
    for (const other of this.#hot.openOn(transaction.identity.stationId, evseId)) {
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
      .catch((error: unknown) => this.#parts.log.error({ err: error }, "a transaction could not be abandoned"))
      .finally(() => this.#followUps.delete(done));
    this.#followUps.add(done);
  }

  async #abandon(transaction: Transaction, fromMs: number): Promise<void> {
    while (transaction.busy !== undefined) await transaction.busy;
    if (!this.#hot.has(transaction) || transaction.status !== "Open") return;
    const { stationId, transactionId } = transaction.identity;
    this.#parts.log.warn({ stationId, transactionId }, "a transaction was abandoned: its EVSE served a later one");
    transaction.supersede(fromMs);
    const isCounted = transaction.measure([]);
    const stored = this.#holding(transaction, async () => {
      if (!isCounted) await this.#measureAll(transaction, []);
      const unit = this.#parts.groupCommit.unit();
      unit.add(saveTransaction, transactionRow(transaction, this.#parts.clock.now()));
      unit.publish({
        type: "transaction.ended",
        stationId,
        timestamp: new Date(fromMs),
        data: { ...factsOf(transaction), stoppedReason: "Other" },
      });
      await unit.commit();
    });
    this.#hot.refresh(transaction);
    await stored;
  }

  /** Whether an event may be taken now: what was found before a wait may be busy or forgotten after it. */
  #isFree(transaction: Transaction): boolean {
    return transaction.busy === undefined && this.#hot.has(transaction);
  }

  /** The transaction for which a station last used an id, from memory or the database. */
  async #find(stationId: string, transactionId: string): Promise<Transaction | undefined> {
    return this.#await(
      () => this.#hot.get(stationId, transactionId),
      `${stationId}\u0000${transactionId}`,
      () => this.#parts.store.findLatest(stationId, transactionId),
    );
  }

  async #findByOrigin(stationId: string, originKey: string): Promise<Transaction | undefined> {
    return this.#await(
      () => this.#hot.byOrigin(stationId, originKey),
      `${stationId}\u0001${originKey}`,
      () => this.#parts.store.findByOrigin(stationId, originKey),
    );
  }

  async #await(
    remembered: () => Transaction | undefined,
    key: string,
    read: () => Promise<Transaction | undefined>,
  ): Promise<Transaction | undefined> {
    for (;;) {
      const hot = remembered();
      if (hot !== undefined && hot.busy === undefined) return hot;
      if (hot !== undefined) {
        await hot.busy;
        continue;
      }
      const reading = this.#loading.get(key) ?? this.#read(key, read);
      const found = await reading;
      if (found === undefined && remembered() === undefined) return undefined;
    }
  }

  #read(key: string, read: () => Promise<Transaction | undefined>): Promise<Transaction | undefined> {
    const reading = read()
      .then((found) => (found === undefined ? undefined : this.#keep(found)))
      .finally(() => this.#loading.delete(key));
    this.#loading.set(key, reading);
    return reading;
  }

  /** Takes what was read into memory, unless memory knows it already. */
  #keep(found: Transaction): Transaction {
    const { stationId, transactionId, originKey } = found.identity;
    const known =
      (originKey === undefined ? undefined : this.#hot.byOrigin(stationId, originKey)) ??
      this.#hot.get(stationId, transactionId);
    if (known?.identity.id === found.identity.id) return known;
    this.#hot.put(found, isNamed(found.identity));
    return found;
  }
}

const INVALID: Verdict = { status: "Invalid" };

/** Whether its station's id leads to a transaction: what stops of family 1 call 0 or -1 has no name. */
function isNamed({ transactionId, originKey }: Pick<TransactionIdentity, "transactionId" | "originKey">): boolean {
  return originKey === undefined || !/^(?:0|-\d+)$/.test(transactionId);
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

function isSameEvent(stored: StoredEvent, event: TransactionEvent): boolean {
  return (
    stored.eventType === event.eventType && stored.triggerReason === event.triggerReason && stored.atMs === event.atMs
  );
}

/** E01.FR.08 forbids it, yet stations use an id again: a start at another time, after the end, is another transaction. */
function isReuse(transaction: Transaction, event: TransactionEvent): boolean {
  const { started, ended } = transaction.state;
  return event.eventType === "Started" && started !== undefined && ended !== undefined && event.atMs > ended.value.atMs;
}

function lastMoment(values: readonly MeterValue[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((last, { atMs }) => Math.max(last, atMs), -Infinity);
}

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

function publish(
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

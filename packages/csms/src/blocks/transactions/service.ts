import type { Logger } from "pino";
import type { Clock } from "../../clock.ts";
import type { GroupCommit } from "../../database/write-unit.ts";
import type { StationDeviations } from "../../gateway/tolerance/conduct.ts";
import { SerialTasks } from "../../serial-tasks.ts";
import type { OpenTransactions, RemoteStartRecord } from "../authorization/index.ts";
import { contentKey, type Metering, type MeterValue } from "../metering/index.ts";
import { covers, isClockSet, transactionThatStopFits } from "./ledger/rules.ts";
import type { TransactionLedger, Verdict } from "./ledger/transaction-ledger.ts";
import { isPlaceholder, type TransactionMemory } from "./memory/transaction-memory.ts";
import type { TransactionNumbers } from "./memory/transaction-numbers.ts";
import type { TransactionStore } from "./store.ts";
import type { Transaction } from "./transaction/transaction.ts";
import type { TransactionEvent } from "./transaction/transaction-event.ts";
import type { StoredEvent } from "./transaction-rows.ts";

/** What the service works with. */
export interface TransactionServiceParts {
  readonly ledger: TransactionLedger;
  readonly store: TransactionStore;
  readonly groupCommit: GroupCommit;
  readonly metering: Pick<Metering, "store">;
  readonly remoteStarts: RemoteStartRecord;
  readonly numbers: TransactionNumbers;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of what stations do that breaks no schema; asked what may count by evidence. */
  readonly deviations: StationDeviations;
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

/**
 * Transactions of both families (block E): finds out which transaction a message belongs to, what is a repeat, and
 * what to do with messages that fit none. Every message is kept and answered.
 */
export class TransactionService implements OpenTransactions {
  readonly #parts: TransactionServiceParts;
  readonly #ledger: TransactionLedger;
  readonly #memory: TransactionMemory;
  readonly #keptStops = new SerialTasks();

  constructor(parts: TransactionServiceParts) {
    this.#parts = parts;
    this.#ledger = parts.ledger;
    this.#memory = parts.ledger.memory;
  }

  openTransactionsOf(idToken: string, except?: ReadonlySet<string>): number {
    let count = 0;
    for (const { identity } of this.#memory.hot.openWithToken(idToken.toLowerCase())) {
      if (!except?.has(identity.id)) count += 1;
    }
    return count;
  }

  /** Open transactions of a station. */
  openOf(stationId: string): readonly Transaction[] {
    return [...this.#memory.hot.openOf(stationId)];
  }

  /** The transaction that runs on an EVSE. */
  runningOn(stationId: string, evseId: number): Transaction | undefined {
    return this.#memory.hot.runningOn(stationId, evseId);
  }

  /**
   * Closes an open transaction whose end will not come, as an operator decided. Resolves with whether it was open.
   */
  async closeByOperator(id: string): Promise<boolean> {
    const stored = await this.#parts.store.get(id);
    if (stored?.transaction.status !== "Open") return false;
    const transaction = this.#memory.keep(stored.transaction);
    return this.#ledger.closeTransaction(transaction, { atMs: this.#parts.clock.now().getTime(), rule: "Operator" });
  }

  /**
   * Takes a TransactionEvent of family 2 and resolves with the verdict on its token when it is stored. A repeat is
   * answered and changes nothing.
   */
  receive(stationId: string, transactionId: string, event: TransactionEvent): Promise<Verdict | undefined> {
    const transaction = this.#memory.hot.get(stationId, transactionId);
    const isNext =
      transaction !== undefined &&
      transaction.busy === undefined &&
      transaction.status === "Open" &&
      event.seqNo !== undefined &&
      !transaction.seqNos.has(event.seqNo);
    if (isNext) return this.#ledger.apply(transaction, event);
    return this.#receiveUnexpected(stationId, transactionId, event);
  }

  /** A first event, a repeat, one after the end, or one of a transaction that is busy or not in memory. */
  async #receiveUnexpected(
    stationId: string,
    transactionId: string,
    event: TransactionEvent,
  ): Promise<Verdict | undefined> {
    for (;;) {
      const transaction = await this.#memory.find(stationId, transactionId);
      if (transaction === undefined) {
        // Stops of family 1 may have used the id, as they use 0 and -1, for transactions that it does not name.
        const generation = isPlaceholder(transactionId) ? await this.#nextGeneration(stationId, transactionId) : 1;
        // Meanwhile another event of the same transaction may have begun it.
        if (this.#memory.hot.get(stationId, transactionId) !== undefined) continue;
        return this.#ledger.begin({ stationId, transactionId, generation }, event);
      }
      // Of two events that use an id again, both found what they follow; the second follows the first.
      const isLatest = () => this.#memory.hot.get(stationId, transactionId) === transaction;
      if (!this.#memory.isFree(transaction) || !isLatest()) continue;
      const { seqNo } = event;
      if (seqNo !== undefined && transaction.seqNos.has(seqNo)) {
        const stored = await this.#parts.store.eventsWithSeqNo(transaction.identity.id, seqNo);
        if (stored.some((other) => isSameEvent(other, event))) return this.#ledger.judge(transaction, event);
        if (!this.#memory.isFree(transaction) || !isLatest()) continue;
        if (!isReuse(transaction, event)) {
          this.#parts.log.warn({ stationId, transactionId, seqNo }, "two events of a transaction have one seqNo");
          this.#parts.deviations.showed(stationId, "seq-no-twice", { transactionId, seqNo });
          const content = `${event.eventType} ${event.triggerReason} ${event.atMs}`;
          return this.#ledger.apply(transaction, { ...event, key: `${event.key}:${contentKey(content)}` });
        }
      }
      if (isReuse(transaction, event)) {
        this.#parts.log.warn({ stationId, transactionId }, "a transaction id is used again after its end");
        this.#parts.deviations.showed(stationId, "transaction-id-reused", { transactionId });
        const generation = transaction.identity.generation + 1;
        return this.#ledger.begin({ stationId, transactionId, generation }, event);
      }
      return this.#ledger.apply(transaction, event);
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
      const known = await this.#memory.findByOrigin(stationId, originKey);
      if (known !== undefined) {
        if (known.status === "Open" || isClockSet(atMs)) {
          return {
            transactionId: Number(known.identity.transactionId),
            verdict: this.#ledger.judge(known, event()) ?? INVALID,
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
      if (this.#memory.hot.byOrigin(stationId, originKey) !== undefined) continue;
      const verdict = await this.#ledger.begin(identity, event());
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
      const named = transactionId > 0 ? await this.#memory.find(stationId, String(transactionId)) : undefined;
      if (named !== undefined && !this.#memory.isFree(named)) continue;
      if (named !== undefined && named.state.ended === undefined) return this.#ledger.apply(named, event);
      const repeated = await this.#stoppedBy(stationId, named, content, atMs);
      if (repeated !== undefined) return this.#ledger.judge(repeated, event);
      if (named !== undefined && !this.#memory.isFree(named)) continue;
      const reading = this.#ledger.whole(stationId);
      if (reading !== undefined) {
        await reading;
        continue;
      }
      const fitting = this.#parts.deviations.tolerates(stationId, "stop-by-evidence")
        ? transactionThatStopFits(this.#memory.hot.openOf(stationId), { atMs, idTag, meterStopWh })
        : undefined;
      if (fitting?.busy !== undefined) {
        await fitting.busy;
        continue;
      }
      if (fitting !== undefined) {
        this.#parts.log.warn({ stationId, transactionId }, "a stop was counted to the only open transaction it fits");
        const facts = { ...event.facts, attribution: "stop-by-evidence", namedTransactionId: String(transactionId) };
        return this.#ledger.apply(fitting, { ...event, facts });
      }
      if (named !== undefined) return this.#ledger.apply(named, event);
      const kept = await this.#keepStop(stationId, String(transactionId), event);
      if (kept !== undefined) return kept.verdict;
    }
  }

  /**
   * Makes a transaction of a stop that fits none; undefined when there is one by now. Stops of one id follow each
   * other: the next number of the id is known only when the one before is stored.
   */
  #keepStop(
    stationId: string,
    transactionId: string,
    event: TransactionEvent,
  ): Promise<{ readonly verdict: Verdict | undefined } | undefined> {
    return this.#keptStops.run(`${stationId}\u0000${transactionId}`, async () => {
      const { hot } = this.#memory;
      const generation = await this.#nextGeneration(stationId, transactionId);
      const isNamed = !isPlaceholder(transactionId) && hot.get(stationId, transactionId) !== undefined;
      if (isNamed || hot.byOrigin(stationId, event.key) !== undefined) return undefined;
      this.#parts.log.warn({ stationId, transactionId }, "a stop without a start was kept");
      this.#parts.deviations.showed(stationId, "stop-without-start", { transactionId });
      const identity = { stationId, transactionId, generation, originKey: event.key };
      return { verdict: await this.#ledger.begin(identity, event) };
    });
  }

  /** Takes MeterValues of family 1: an event of its transaction where it has one. */
  async measure1(stationId: string, report: MeterReport): Promise<void> {
    for (;;) {
      const transaction = await this.#transactionOf1(stationId, report);
      if (transaction === undefined) return this.#storeAlone(stationId, report);
      if (!this.#memory.isFree(transaction)) {
        await transaction.busy;
        continue;
      }
      const { evseId, transactionId, triggerReason, meterValues, receivedAt } = report;
      const isNamed = String(transactionId) === transaction.identity.transactionId;
      await this.#ledger.apply(transaction, {
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
      const reading = this.#ledger.whole(stationId);
      if (reading !== undefined) await reading;
      const transaction = this.#servedAt(stationId, report);
      const { deviations } = this.#parts;
      if (transaction === undefined || !deviations.tolerates(stationId, "meter-values-outside-transaction")) {
        return this.#storeAlone(stationId, report);
      }
      if (transaction.busy === undefined) {
        const { evseId, meterValues, receivedAt } = report;
        deviations.showed(stationId, "meter-values-outside-transaction", { evseId });
        return this.#ledger.measure(transaction, evseId, meterValues, receivedAt);
      }
      await transaction.busy;
    }
  }

  async #transactionOf1(stationId: string, report: MeterReport): Promise<Transaction | undefined> {
    const { transactionId } = report;
    const named = (transactionId ?? 0) > 0 ? await this.#memory.find(stationId, String(transactionId)) : undefined;
    const atMs = lastMoment(report.meterValues) ?? report.receivedAt.getTime();
    if (named !== undefined && (named.status === "Open" || covers(named, atMs))) return named;
    if (!this.#parts.deviations.tolerates(stationId, "meter-values-by-evse")) return named;
    // The id is of a transaction that was over by then, or of none: what the connector serves is likelier.
    await this.#ledger.whole(stationId);
    return this.#servedAt(stationId, report) ?? named;
  }

  /** The transaction that an EVSE served when values were measured. EVSE 0 is the station and serves none. */
  #servedAt(stationId: string, { evseId, meterValues, receivedAt }: MeterReport): Transaction | undefined {
    if (evseId === 0) return undefined;
    const atMs = lastMoment(meterValues) ?? receivedAt.getTime();
    const running = this.#memory.hot.runningOn(stationId, evseId);
    if (running !== undefined && covers(running, atMs)) return running;
    const over = this.#memory.hot.lastOverOn(stationId, evseId);
    return over !== undefined && covers(over, atMs) ? over : undefined;
  }

  async #storeAlone(stationId: string, { evseId, meterValues, receivedAt }: MeterReport): Promise<void> {
    if (meterValues.length === 0) return;
    const unit = this.#parts.groupCommit.unit();
    this.#parts.metering.store(unit, { stationId, evseId, receivedAt }, meterValues);
    await unit.commit();
  }

  /** A stop that is stored already: with the transaction it names, with one it was counted to, or as one of its own. */
  async #stoppedBy(
    stationId: string,
    named: Transaction | undefined,
    content: string,
    atMs: number,
  ): Promise<Transaction | undefined> {
    if (named !== undefined && (await this.#parts.store.hasEvent(named.identity.id, content))) return named;
    const alone = await this.#memory.findByOrigin(stationId, content);
    if (alone !== undefined) return alone;
    const counted = await this.#parts.store.findEndedBy(stationId, atMs, content);
    return counted === undefined ? undefined : this.#memory.keep(counted);
  }

  /** Ids such as 0 and -1 stand for a transaction each time; each gets a number of its own. */
  async #nextGeneration(stationId: string, transactionId: string): Promise<number> {
    const latest = await this.#parts.store.findLatest(stationId, transactionId);
    return (latest?.identity.generation ?? 0) + 1;
  }
}

const INVALID: Verdict = { status: "Invalid" };

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

import { setTimeout as delay, setImmediate as endOfTurn } from "node:timers/promises";
import type pg from "pg";
import type { Logger } from "pino";
import type { DomainEvent } from "../events/domain-event.ts";
import type { EventSink, ReservedEvents } from "../events/event-sink.ts";
import { IN_GROUP } from "./group-scope.ts";
import { type Fate, type Outcome, storeGroup, transactionFate } from "./group-transaction.ts";
import { type CompiledRow, StatementCompiler } from "./write-plan.ts";
import { DatabaseUnavailableError, type GroupCommit, type WriteStatement, type WriteUnit } from "./write-unit.ts";

/** What group commit needs. */
export interface GroupCommitOptions {
  /** Opens the connection that the groups go through; called again after it was lost. */
  readonly openClient: () => Promise<pg.Client>;
  readonly events: EventSink;
  readonly log: Logger;
  /** Most rows and events that wait for the database; more are refused at once. Default 100,000. */
  readonly maxWaitingRows?: number;
  /** About how much memory they may take. Default 128 MiB. */
  readonly maxWaitingBytes?: number;
  /** Rows after which a group is full, so that nobody waits behind a giant. Default 4,000. */
  readonly maxGroupRows?: number;
  /**
   * Least time between the begin of a group of several units and the next; a group that is full does not wait.
   * Default 5 ms.
   */
  readonly spacingMs?: number;
  /** How long a unit waits for a database that is away. Default 5 s. */
  readonly patienceMs?: number;
  /** Why nothing may be stored now, for example a disk that is nearly full; undefined when it may. */
  readonly refusal?: () => string | undefined;
  /** How long one attempt may take before its connection is given up. Default 20 s. */
  readonly attemptTimeoutMs?: number;
}

/** What group commit did since the start, for metrics. */
export interface GroupCommitCounts {
  readonly groups: number;
  readonly units: number;
  readonly rows: number;
  /** Units whose rows the database refused. */
  readonly refusedUnits: number;
  /** Units that the database could not take in time. */
  readonly unavailableUnits: number;
  /** Rows and events that wait now. */
  readonly waitingRows: number;
  /** Units that wait now, those of the group under way included. */
  readonly waitingUnits: number;
}

/** A {@link GroupCommit} that can be watched and ended. */
export interface GroupCommitter extends GroupCommit {
  counts(): GroupCommitCounts;
  /** Why writes fail now, in words that anybody may read; undefined while they succeed or none was tried lately. */
  readonly failing: string | undefined;
  /** Takes no more units, stores those that wait, and closes the connection. */
  close(): Promise<void>;
}

/** A unit that waits. */
interface Waiting {
  readonly rows: readonly CompiledRow[];
  readonly events: readonly DomainEvent[];
  readonly bytes: number;
  readonly deadline: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What failed so long ago says nothing about now. */
const FAILURE_REMEMBERED_MS = 10_000;
const SHORTEST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;
/** A group of so many units tells that hardly anybody waits beside them. */
const FEW_UNITS = 2;

function reasonOf(error: unknown): string {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  if (code === "53100") return "the disk of the database is full";
  if (code === "25006") return "the database is read-only";
  return "the database does not take writes";
}

function sizeOf(unit: Waiting): number {
  return unit.rows.length + unit.events.length;
}

class Unit implements WriteUnit {
  readonly #compiler: StatementCompiler;
  readonly #enqueue: (rows: CompiledRow[], events: DomainEvent[], bytes: number) => Promise<void>;
  readonly #rows: CompiledRow[] = [];
  readonly #events: DomainEvent[] = [];
  #bytes = 0;
  #committed = false;

  constructor(
    compiler: StatementCompiler,
    enqueue: (rows: CompiledRow[], events: DomainEvent[], bytes: number) => Promise<void>,
  ) {
    this.#compiler = compiler;
    this.#enqueue = enqueue;
  }

  add<Row extends object>(statement: WriteStatement<Row>, row: Row): this {
    const compiled = this.#compiler.row(statement, row);
    this.#rows.push(compiled);
    this.#bytes += compiled.bytes;
    return this;
  }

  publish(event: DomainEvent): this {
    this.#events.push(event);
    this.#bytes += 256;
    return this;
  }

  commit(): Promise<void> {
    if (this.#committed) return Promise.reject(new TypeError("a write unit can be committed once only"));
    this.#committed = true;
    if (this.#rows.length === 0 && this.#events.length === 0) return Promise.resolve();
    return this.#enqueue(this.#rows, this.#events, this.#bytes);
  }
}

/** One connection, one group at a time: while one is stored the next gathers. */
class SingleConnectionGroupCommit implements GroupCommitter {
  readonly #options: Required<GroupCommitOptions>;
  readonly #compiler = new StatementCompiler(IN_GROUP);
  #queue: Waiting[] = [];
  #waitingRows = 0;
  #waitingUnits = 0;
  #waitingBytes = 0;
  #client: pg.Client | undefined;
  #running: Promise<void> | undefined;
  #closing = false;
  #begunAtMs = Number.NEGATIVE_INFINITY;
  /** Units of the group before. */
  #unitsBefore = 0;
  #away = false;
  #failure: { readonly reason: string; readonly atMs: number } | undefined;
  #counts = { groups: 0, units: 0, rows: 0, refusedUnits: 0, unavailableUnits: 0 };

  constructor(options: GroupCommitOptions) {
    this.#options = {
      maxWaitingRows: 100_000,
      maxWaitingBytes: 128 * 1024 * 1024,
      maxGroupRows: 4_000,
      spacingMs: 5,
      patienceMs: 5_000,
      refusal: () => undefined,
      attemptTimeoutMs: 20_000,
      ...options,
    };
  }

  unit(): WriteUnit {
    return new Unit(this.#compiler, (rows, events, bytes) => this.#enqueue(rows, events, bytes));
  }

  counts(): GroupCommitCounts {
    return { ...this.#counts, waitingRows: this.#waitingRows, waitingUnits: this.#waitingUnits };
  }

  get failing(): string | undefined {
    const refusal = this.#options.refusal();
    if (refusal !== undefined) return refusal;
    if (this.#failure === undefined) return undefined;
    return performance.now() - this.#failure.atMs < FAILURE_REMEMBERED_MS ? this.#failure.reason : undefined;
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#running;
    const client = this.#client;
    this.#client = undefined;
    await client?.end();
  }

  #enqueue(rows: CompiledRow[], events: DomainEvent[], bytes: number): Promise<void> {
    if (this.#closing) return Promise.reject(this.#unavailable("the database is being closed"));
    const refusal = this.#options.refusal();
    if (refusal !== undefined) return Promise.reject(this.#unavailable(refusal));
    const size = rows.length + events.length;
    const { maxWaitingRows, maxWaitingBytes, patienceMs } = this.#options;
    const full = this.#waitingRows + size > maxWaitingRows || this.#waitingBytes + bytes > maxWaitingBytes;
    if (full && this.#waitingRows > 0) return Promise.reject(this.#unavailable("too much waits for the database"));
    this.#waitingUnits++;
    this.#waitingRows += size;
    this.#waitingBytes += bytes;
    return new Promise((resolve, reject) => {
      this.#queue.push({ rows, events, bytes, deadline: performance.now() + patienceMs, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  #unavailable(message: string, cause?: unknown): DatabaseUnavailableError {
    this.#counts.unavailableUnits++;
    return new DatabaseUnavailableError(message, cause === undefined ? undefined : { cause });
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      // Messages that this turn of the event loop has read already join.
      await endOfTurn();
      await this.#rest();
      const group = this.#takeGroup();
      this.#unitsBefore = group.length;
      await this.#store(group);
    }
    // In the same turn as the look at the queue: a unit that comes later must start a new run.
    this.#running = undefined;
  }

  /**
   * Groups that follow one another without a pause are small, and each costs the same syncs and round trips. Where
   * hardly anybody is about, as when one station delivers a backlog, a pause would bring no company and is left out.
   */
  async #rest(): Promise<void> {
    const { spacingMs, maxGroupRows } = this.#options;
    const restMs = this.#begunAtMs + spacingMs - performance.now();
    const hasCompany = this.#unitsBefore > FEW_UNITS;
    if (hasCompany && restMs >= 1 && this.#waitingRows < maxGroupRows) await delay(restMs);
    this.#begunAtMs = performance.now();
  }

  #takeGroup(): readonly Waiting[] {
    let size = 0;
    let count = 0;
    for (const unit of this.#queue) {
      if (count > 0 && size + sizeOf(unit) > this.#options.maxGroupRows) break;
      size += sizeOf(unit);
      count++;
    }
    if (count === this.#queue.length) {
      const all = this.#queue;
      this.#queue = [];
      return all;
    }
    return this.#queue.splice(0, count);
  }

  #settle(unit: Waiting, error?: unknown): void {
    this.#waitingUnits--;
    this.#waitingRows -= sizeOf(unit);
    this.#waitingBytes -= unit.bytes;
    if (error === undefined) unit.resolve();
    else unit.reject(error);
  }

  /** Stores a group, or settles each of its units otherwise. Never throws. */
  async #store(group: readonly Waiting[]): Promise<void> {
    let units = group;
    let pauseMs = SHORTEST_PAUSE_MS;
    while (units.length > 0) {
      const outcome = await this.#attempt(units);
      if (outcome.kind === "stored") {
        this.#stored(units, outcome);
        return;
      }
      if (outcome.kind === "refused") {
        await this.#findGuilty(units, outcome.error);
        return;
      }
      this.#noteAway(outcome.error);
      if (outcome.kind === "undecided" && (await this.#wasCommitted(outcome, units))) {
        this.#stored(units, outcome);
        return;
      }
      units = this.#rejectExpired(units, outcome.error);
      if (units.length === 0) return;
      await delay(pauseMs);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }

  #stored(units: readonly Waiting[], outcome: Outcome & { readonly kind: "stored" | "undecided" }): void {
    this.#failure = undefined;
    if (this.#away) {
      this.#away = false;
      this.#options.log.info("the database takes writes again");
    }
    outcome.reserved?.committed();
    this.#counts.groups++;
    this.#counts.units += units.length;
    for (const unit of units) {
      this.#counts.rows += unit.rows.length;
      this.#settle(unit);
    }
  }

  /** A row of one unit was refused: halves are stored by themselves until only guilty units are left. */
  async #findGuilty(units: readonly Waiting[], error: unknown): Promise<void> {
    const [only] = units;
    if (only !== undefined && units.length === 1) {
      this.#counts.refusedUnits++;
      this.#settle(only, error);
      return;
    }
    const half = units.length >> 1;
    await this.#store(units.slice(0, half));
    await this.#store(units.slice(half));
  }

  #noteAway(error: unknown): void {
    this.#failure = { reason: reasonOf(error), atMs: performance.now() };
    if (this.#away) return;
    this.#away = true;
    this.#options.log.warn({ err: error }, "the database does not take writes; trying again");
  }

  #rejectExpired(units: readonly Waiting[], cause: unknown): readonly Waiting[] {
    const now = performance.now();
    const expired = (unit: Waiting): boolean => unit.deadline <= now;
    for (const unit of [...units.filter(expired), ...this.#queue.filter(expired)]) {
      this.#settle(unit, this.#unavailable("the database did not take the write in time", cause));
    }
    this.#queue = this.#queue.filter((unit) => !expired(unit));
    return units.filter((unit) => !expired(unit));
  }

  async #attempt(units: readonly Waiting[]): Promise<Outcome> {
    let client: pg.Client;
    try {
      client = await this.#connected();
    } catch (error) {
      return { kind: "passing", error };
    }
    // A server that falls silent is given up.
    const timer = setTimeout(() => this.#breakOff(), this.#options.attemptTimeoutMs);
    try {
      const rows = units.flatMap((unit) => unit.rows);
      const events = units.flatMap((unit) => unit.events);
      const outcome = await storeGroup(client, { rows, events }, this.#options.events);
      if (outcome.kind === "passing" || outcome.kind === "undecided") this.#breakOff();
      return outcome;
    } catch (error) {
      this.#breakOff();
      return { kind: "refused", error };
    } finally {
      clearTimeout(timer);
    }
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client;
    const client = await this.#opened();
    client.on("end", () => {
      if (this.#client === client) this.#client = undefined;
    });
    this.#client = client;
    return client;
  }

  /** Opens a connection in the time of an attempt: a pooler may take one and have none to the server. */
  async #opened(): Promise<pg.Client> {
    const opening = this.#options.openClient();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const silent = () => reject(new Error("the database did not answer in time"));
      timer = setTimeout(silent, this.#options.attemptTimeoutMs);
    });
    try {
      return await Promise.race([opening, late]);
    } catch (error) {
      opening.then((client) => client.end()).catch(() => undefined);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the connection without asking; what is under way on it fails. */
  #breakOff(): void {
    this.#client?.connection.stream.destroy();
    this.#client = undefined;
  }

  /**
   * Asks the server what became of a transaction whose COMMIT was not confirmed. One without events is stored again:
   * statements are idempotent, so that changes nothing if it was stored.
   */
  async #wasCommitted(outcome: Outcome & { readonly kind: "undecided" }, units: readonly Waiting[]): Promise<boolean> {
    const { transactionId, reserved } = outcome;
    const latest = Math.max(...units.map(({ deadline }) => deadline));
    for (
      let pauseMs = SHORTEST_PAUSE_MS;
      transactionId !== undefined && reserved !== undefined;
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
    ) {
      const fate = await this.#askFate(transactionId, reserved);
      if (fate === "committed") return true;
      if (fate === "aborted") {
        reserved.rolledBack();
        return false;
      }
      if (performance.now() > latest) break;
      await delay(pauseMs);
    }
    reserved?.unknown();
    return false;
  }

  async #askFate(transactionId: string, reserved: ReservedEvents): Promise<Fate> {
    try {
      return await transactionFate(await this.#connected(), transactionId, reserved);
    } catch {
      this.#breakOff();
      return "in progress";
    }
  }
}

/**
 * Group commit over one connection of its own. A commit that arrives while nobody else stores anything is stored at
 * once; those that arrive meanwhile share the next transaction. Groups are stored in the order of their commits.
 *
 * A unit whose rows the database refuses is rejected alone. When the database is away units wait for
 * `patienceMs` and are then rejected with DatabaseUnavailableError; so are units beyond the limits. Statements
 * must be idempotent: after a lost connection a group may be sent twice.
 */
export function createGroupCommit(options: GroupCommitOptions): GroupCommitter {
  return new SingleConnectionGroupCommit(options);
}

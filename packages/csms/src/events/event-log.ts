import type { Logger } from "pino";
import type { DomainEvent, EventBus, StoredEvent } from "./domain-event.ts";
import type { EventInsert, EventInsertRow, EventSink, ReservedEvents } from "./event-sink.ts";
import { type EventBatch, type EventFilter, type EventStore, eventsStoredBy, insertEvents } from "./event-store.ts";

/** Settings of an {@link EventLog}. */
export interface EventLogOptions {
  readonly store: EventStore;
  readonly log: Logger;
  /** How many of the newest events are kept in memory for readers that follow live; default 10,000. */
  readonly recentEvents?: number;
  /** Wait before an undecided commit is asked about again when the database did not answer; default one second. */
  readonly retryMs?: number;
}

interface Group {
  readonly events: readonly StoredEvent[];
  state: "open" | "committed" | "rolled back" | "unknown";
}

/**
 * The order of all domain events. It gives ids to the events of a commit, tells subscribers of them in that order, and
 * lets any number of readers follow from any id: those that keep up are served from memory, the others from the table,
 * both without gap or repeat. Nothing is kept per reader, so a slow one costs nothing.
 *
 * It knows the events of its own process; more than one process on a database need a broker between them.
 */
export class EventLog implements EventSink, EventBus {
  readonly #store: EventStore;
  readonly #log: Logger;
  readonly #capacity: number;
  readonly #retryMs: number;
  readonly #listeners = new Set<(stored: StoredEvent) => void>();
  /** Groups with ids whose commit is not settled, and settled ones behind them, in the order of ids. */
  readonly #groups: Group[] = [];
  #recent: StoredEvent[] = [];
  /** Every committed event with a larger id is in `#recent`, or on its way there. */
  #floor = 0;
  #wake: { promise: Promise<void>; resolve: () => void } | undefined;
  #closed = false;

  constructor({ store, log, recentEvents = 10_000, retryMs = 1_000 }: EventLogOptions) {
    this.#store = store;
    this.#log = log;
    this.#capacity = recentEvents;
    this.#retryMs = retryMs;
  }

  /** Finds where the table ends. Before it, nothing may be stored. */
  async load(): Promise<void> {
    this.#floor = (await this.#store.extent()).newest;
    this.#recent = [];
  }

  /** Ends the question about undecided commits. */
  close(): void {
    this.#closed = true;
  }

  /** Id of the newest event that subscribers were told of. */
  get newestId(): number {
    return this.#recent.at(-1)?.id ?? this.#floor;
  }

  subscribe(listener: (stored: StoredEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  insert(events: readonly DomainEvent[]): EventInsert {
    return insertEvents(events);
  }

  reserve(events: readonly DomainEvent[], rows: readonly EventInsertRow[]): ReservedEvents {
    if (rows.length !== events.length) {
      throw new Error(`${events.length} events were stored under ${rows.length} ids`);
    }
    const group: Group = {
      events: events.map((event, index) => ({ id: Number(rows[index]?.id), event })),
      state: "open",
    };
    this.#forgetLost(group);
    this.#groups.push(group);
    const settle = (state: Group["state"]) => {
      if (group.state !== "open") throw new Error(`this group of events is ${group.state} already`);
      group.state = state;
      this.#deliver();
    };
    return {
      committed: () => settle("committed"),
      rolledBack: () => settle("rolled back"),
      unknown: () => {
        settle("unknown");
        void this.#inquire(group);
      },
      storedBy: (transactionId) => eventsStoredBy(idsOf(group), transactionId),
    };
  }

  /** Ids only grow, but for those that a crash of the server lost: what had one of them is not stored. */
  #forgetLost(fresh: Group): void {
    const firstId = fresh.events[0]?.id ?? Number.POSITIVE_INFINITY;
    for (const group of this.#groups) {
      if (group.state === "unknown" && idsOf(group).some((id) => id >= firstId)) group.state = "rolled back";
    }
  }

  /**
   * Events after an id, oldest first, at most `limit`. `through` of the result is where to go on.
   *
   * @throws the database's error when the table has to be read and cannot be
   */
  async after(cursor: number, filter: EventFilter, limit: number): Promise<EventBatch> {
    if (cursor < this.#floor) return this.#store.after(cursor, filter, limit);
    const events: StoredEvent[] = [];
    let through = cursor;
    for (let index = this.#indexAfter(cursor); index < this.#recent.length && events.length < limit; index += 1) {
      const stored = this.#recent[index];
      if (stored === undefined) break;
      through = stored.id;
      if (matches(stored.event, filter)) events.push(stored);
    }
    return { events, through };
  }

  /** Resolves at the next event. Ask before {@link after} finds nothing, lest an event between the two is missed. */
  changed(): Promise<void> {
    this.#wake ??= withResolver();
    return this.#wake.promise;
  }

  #deliver(): void {
    let delivered = false;
    for (let group = this.#groups[0]; group !== undefined; group = this.#groups[0]) {
      if (group.state === "open" || group.state === "unknown") break;
      this.#groups.shift();
      if (group.state === "rolled back") continue;
      delivered = true;
      for (const stored of group.events) this.#tell(stored);
    }
    if (!delivered) return;
    this.#trim();
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.resolve();
  }

  #tell(stored: StoredEvent): void {
    this.#recent.push(stored);
    for (const listener of this.#listeners) {
      try {
        listener(stored);
      } catch (error) {
        this.#log.error({ err: error, eventId: stored.id, eventType: stored.event.type }, "an event listener failed");
      }
    }
  }

  /** Drops the oldest half at once, so that keeping the rest costs little per event. */
  #trim(): void {
    if (this.#recent.length < this.#capacity * 2) return;
    const dropped = this.#recent.length - this.#capacity;
    this.#floor = this.#recent[dropped - 1]?.id ?? this.#floor;
    this.#recent = this.#recent.slice(dropped);
  }

  #indexAfter(cursor: number): number {
    let low = 0;
    let high = this.#recent.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#recent[middle]?.id ?? Number.POSITIVE_INFINITY) <= cursor) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  async #inquire(group: Group): Promise<void> {
    const ids = idsOf(group);
    while (!this.#closed && group.state === "unknown") {
      try {
        const stored = await this.#store.storedOf(ids);
        if (group.state !== "unknown") return;
        group.state = ids.every((id) => stored.has(id)) ? "committed" : "rolled back";
        this.#log.warn(
          { firstEventId: ids[0], events: ids.length, outcome: group.state },
          "an undecided commit was settled",
        );
        this.#deliver();
        return;
      } catch (error) {
        this.#log.warn({ err: error, firstEventId: ids[0] }, "an undecided commit cannot be settled yet");
        await new Promise((resolve) => setTimeout(resolve, this.#retryMs).unref());
      }
    }
  }
}

function idsOf(group: Group): number[] {
  return group.events.map(({ id }) => id);
}

function matches(event: DomainEvent, { types, stationId }: EventFilter): boolean {
  return (types === undefined || types.has(event.type)) && (stationId === undefined || stationId === event.stationId);
}

function withResolver(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

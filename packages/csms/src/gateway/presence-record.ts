import type { Logger } from "pino";
import type { GroupCommit, WriteStatement } from "../database/write-unit.ts";
import type { DomainEvent } from "../events/domain-event.ts";

/** One row of `station_presence`. Times are ISO texts. */
export interface PresenceRow {
  readonly station_id: string;
  readonly connected: boolean;
  readonly version: string;
  readonly transport: string;
  readonly remote_address: string;
  /** Where an OCPP-S station listens; kept so that it can be called after a restart. */
  readonly soap_address: string | null;
  readonly connected_at: string;
  readonly last_seen_at: string;
}

const upsertPresence: WriteStatement<PresenceRow> = {
  name: "station-presence-upsert",
  order: 5,
  columns: {
    station_id: "text",
    connected: "boolean",
    version: "text",
    transport: "text",
    remote_address: "text",
    soap_address: "text",
    connected_at: "timestamptz",
    last_seen_at: "timestamptz",
  },
  sql: (rows) => `
    insert into station_presence
      (station_id, connected, version, transport, remote_address, soap_address, connected_at, last_seen_at)
    select station_id, connected, version, transport, remote_address, soap_address, connected_at, last_seen_at
    from ${rows}
    on conflict (station_id) do update set
      connected = excluded.connected, version = excluded.version, transport = excluded.transport,
      remote_address = excluded.remote_address,
      soap_address = coalesce(excluded.soap_address, station_presence.soap_address),
      connected_at = excluded.connected_at, last_seen_at = excluded.last_seen_at`,
  key: (row) => row.station_id,
};

/** Events that wait for a database at most; the oldest are dropped first. */
const maxWaitingEvents = 50_000;
/** Rows of one unit, so that a storm does not hold a group for long. */
const maxRowsPerUnit = 500;

/**
 * Keeps `station_presence` and the connection events behind the sessions in memory: changes are gathered and
 * written every `intervalMs`, never per message, and again later when the database cannot take them.
 */
export class PresenceRecord {
  readonly #groupCommit: GroupCommit;
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  readonly #rows = new Map<string, PresenceRow>();
  #events: DomainEvent[] = [];
  #writing: Promise<void> | undefined;

  constructor(options: { readonly groupCommit: GroupCommit; readonly log: Logger; readonly intervalMs: number }) {
    this.#groupCommit = options.groupCommit;
    this.#log = options.log;
    this.#timer = setInterval(() => void this.flush(), options.intervalMs);
    this.#timer.unref();
  }

  /** The station's presence as it is now. */
  changed(row: PresenceRow): void {
    this.#rows.set(row.station_id, row);
  }

  /** A connection event to publish with the next write. */
  happened(event: DomainEvent): void {
    this.#events.push(event);
    if (this.#events.length > maxWaitingEvents) {
      this.#events.splice(0, this.#events.length - maxWaitingEvents);
      this.#log.warn({ limit: maxWaitingEvents }, "connection events dropped: the database takes no writes");
    }
  }

  /** Writes what was gathered. Resolves when it was tried; failures are logged and tried again later. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    if (this.#rows.size === 0 && this.#events.length === 0) return;
    this.#writing = this.#write();
    try {
      await this.#writing;
    } finally {
      this.#writing = undefined;
    }
  }

  /** Writes the rest and stops. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  async #write(): Promise<void> {
    const rows = [...this.#rows.values()];
    const events = this.#events;
    this.#rows.clear();
    this.#events = [];
    const batches = Math.max(1, Math.ceil(Math.max(rows.length, events.length) / maxRowsPerUnit));
    for (let batch = 0; batch < batches; batch += 1) {
      const from = batch * maxRowsPerUnit;
      const to = from + maxRowsPerUnit;
      try {
        await this.#writeBatch(rows.slice(from, to), events.slice(from, to));
      } catch (error) {
        this.#log.warn({ err: error, stations: rows.length - from }, "presence was not written; it is tried again");
        // With all that comes after it: a station's events must not change their order.
        for (const row of rows.slice(from)) if (!this.#rows.has(row.station_id)) this.#rows.set(row.station_id, row);
        this.#events = [...events.slice(from), ...this.#events];
        return;
      }
    }
  }

  async #writeBatch(rows: readonly PresenceRow[], events: readonly DomainEvent[]): Promise<void> {
    const unit = this.#groupCommit.unit();
    for (const row of rows) unit.add(upsertPresence, row);
    for (const event of events) unit.publish(event);
    await unit.commit();
  }
}

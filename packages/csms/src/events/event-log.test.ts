import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import type pg from "pg";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connectDatabase, type Database } from "../database/connection.ts";
import { BEGIN_GROUP } from "../database/group-scope.ts";
import { migrateDatabase } from "../database/migrate.ts";
import type { DomainEvent, StoredEvent } from "./domain-event.ts";
import { EventLog } from "./event-log.ts";
import { deleteExpiredEvents } from "./event-retention.ts";
import { EventStore } from "./event-store.ts";
import { migrations } from "./migrations.ts";

const log = pino({ level: "silent" });
let testDatabase: TestDatabase;
let database: Database;
let store: EventStore;

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  database = await connectDatabase({ url: testDatabase.url, log });
  await migrateDatabase(database.kysely, migrations);
  store = new EventStore(database.kysely);
});
afterAll(async () => {
  await database?.close();
  await testDatabase?.drop();
});

let client: pg.Client;
let events: EventLog;
beforeEach(async () => {
  client = await database.openClient();
  events = new EventLog({ store, log, recentEvents: 4, retryMs: 1 });
  await events.load();
  return async () => {
    events.close();
    await client.end();
  };
});

function booted(stationId: string, reason = "PowerUp"): DomainEvent {
  const timestamp = new Date("2026-03-01T12:00:00Z");
  return { type: "station.booted", stationId, timestamp, data: { reason, vendorName: "V", model: "M" } };
}

function disconnected(stationId: string): DomainEvent {
  return { type: "station.disconnected", stationId, timestamp: new Date(), data: { reason: "gone" } };
}

async function begin(writer: pg.Client, group: readonly DomainEvent[]) {
  await writer.query(BEGIN_GROUP);
  const { rows } = await writer.query<{ id: number }>(events.insert(group));
  return events.reserve(group, rows);
}

async function commit(...group: readonly DomainEvent[]): Promise<void> {
  const reserved = await begin(client, group);
  await client.query("commit");
  reserved.committed();
}

const stations = (batch: readonly StoredEvent[]) => batch.map(({ event }) => event.stationId);

describe("ids and order", () => {
  it("gives a group's events ascending ids in their order and tells subscribers after the commit", async () => {
    const told: StoredEvent[] = [];
    events.subscribe((stored) => told.push(stored));
    const reserved = await begin(client, [booted("A"), booted("B"), booted("C")]);
    expect(told).toEqual([]);
    await client.query("commit");
    reserved.committed();
    expect(stations(told)).toEqual(["A", "B", "C"]);
    expect(told.map(({ id }) => id)).toEqual([...told.map(({ id }) => id)].sort((a, b) => a - b));
    expect(stations((await store.after(told[0]?.id ?? 0, {}, 10)).events)).toEqual(["B", "C"]);
  });

  it("makes a second writer wait, so that ids never become visible out of order", async () => {
    const other = await database.openClient();
    try {
      const start = events.newestId;
      const first = await begin(client, [booted("first")]);
      let secondHasIds = false;
      const second = begin(other, [booted("second")]).then((reserved) => {
        secondHasIds = true;
        return reserved;
      });
      const waiting = "select count(*)::int as count from pg_locks where locktype = 'advisory' and not granted";
      for (;;) {
        const { rows } = await client.query<{ count: number }>(waiting);
        if (rows[0]?.count === 1) break;
      }
      expect(secondHasIds).toBe(false);
      await client.query("commit");
      first.committed();
      const reserved = await second;
      await other.query("commit");
      reserved.committed();
      expect(stations((await store.after(start, {}, 10)).events)).toEqual(["first", "second"]);
    } finally {
      await other.end();
    }
  });

  it("tells later groups only when the earlier one is settled", async () => {
    const told: StoredEvent[] = [];
    events.subscribe((stored) => told.push(stored));
    const first = events.reserve([booted("first")], [{ id: 1_000_001 }]);
    const second = events.reserve([booted("second")], [{ id: 1_000_002 }]);
    const third = events.reserve([booted("third")], [{ id: 1_000_003 }]);
    third.committed();
    second.rolledBack();
    expect(told).toEqual([]);
    first.committed();
    expect(stations(told)).toEqual(["first", "third"]);
    expect(() => first.committed()).toThrow("is committed already");
  });

  it("does not let one listener's failure keep the others from hearing", async () => {
    const told: StoredEvent[] = [];
    events.subscribe(() => {
      throw new Error("no");
    });
    const stop = events.subscribe((stored) => told.push(stored));
    await commit(booted("A"));
    stop();
    await commit(booted("B"));
    expect(stations(told)).toEqual(["A"]);
  });

  it("refuses rows that do not fit the events", () => {
    expect(() => events.reserve([booted("A")], [])).toThrow("1 events were stored under 0 ids");
  });
});

describe("a commit whose confirmation was lost", () => {
  it("is told when the table has it", async () => {
    const told = new Promise<StoredEvent>((resolve) => events.subscribe(resolve));
    const reserved = await begin(client, [booted("kept")]);
    reserved.unknown();
    await client.query("commit");
    expect((await told).event.stationId).toBe("kept");
  });

  it("is not told when it was undone, and what came behind it is", async () => {
    const told: StoredEvent[] = [];
    events.subscribe((stored) => told.push(stored));
    const lost = await begin(client, [booted("lost")]);
    lost.unknown();
    await client.query("rollback");
    const heard = events.changed();
    await commit(booted("behind"));
    await heard;
    expect(stations(told)).toEqual(["behind"]);
  });

  it("is not told when a server that crashed gives its ids again", async () => {
    let answer: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    class SlowStore extends EventStore {
      override async storedOf(ids: readonly number[]): Promise<ReadonlySet<number>> {
        await answered;
        return super.storedOf(ids);
      }
    }
    events = new EventLog({ store: new SlowStore(database.kysely), log });
    await events.load();
    const told: StoredEvent[] = [];
    events.subscribe((stored) => told.push(stored));
    const lost = await begin(client, [booted("lost")]);
    await client.query("rollback");
    lost.unknown();
    await client.query("select setval(pg_get_serial_sequence('event', 'id'), $1, false)", [events.newestId + 1]);
    await commit(booted("repeated"));
    expect(stations(told)).toEqual(["repeated"]);
    answer();
    await commit(booted("behind"));
    expect(stations(told)).toEqual(["repeated", "behind"]);
  });
});

describe("following", () => {
  it("gives every event once and in order, from memory and from the table, whatever the cursor", async () => {
    const start = events.newestId;
    const expected: string[] = [];
    for (let number = 0; number < 25; number += 1) {
      await commit(booted(`S${number}`));
      expected.push(`S${number}`);
    }
    for (const limit of [1, 3, 7, 100]) {
      const found: StoredEvent[] = [];
      let cursor = start;
      for (;;) {
        const batch = await events.after(cursor, {}, limit);
        if (batch.through === cursor) break;
        found.push(...batch.events);
        cursor = batch.through;
      }
      expect(stations(found)).toEqual(expected);
      expect(cursor).toBe(events.newestId);
    }
  });

  it("filters by type and station and still moves the cursor past what does not fit", async () => {
    const start = events.newestId;
    await commit(booted("A"), disconnected("A"), booted("B"), disconnected("B"));
    const fromMemory = await events.after(start, { types: new Set(["station.booted"]), stationId: "B" }, 10);
    expect(stations(fromMemory.events)).toEqual(["B"]);
    const fromTable = await store.after(start, { types: new Set(["station.booted"]), stationId: "B" }, 10);
    expect(fromTable).toEqual(fromMemory);
    expect(await store.after(start, { stationId: "nobody" }, 10)).toEqual({ events: [], through: events.newestId });
  });

  it("wakes at the next event", async () => {
    const wake = events.changed();
    await commit(booted("A"));
    await wake;
  });

  it("finds its place after a restart", async () => {
    await commit(booted("before"));
    const cursor = events.newestId;
    const restarted = new EventLog({ store, log });
    await restarted.load();
    expect(restarted.newestId).toBe(cursor);
    expect(await restarted.after(cursor, {}, 10)).toEqual({ events: [], through: cursor });
    expect(stations((await restarted.after(cursor - 1, {}, 10)).events)).toEqual(["before"]);
  });
});

describe("the table", () => {
  it("keeps text that jsonb would refuse, and times that PostgreSQL would", async () => {
    const start = events.newestId;
    const odd = {
      ...booted("odd", 'nul \0, half \ud83d, whole 😀, text "\\u0000"'),
      timestamp: new Date("0000-01-01T00:00:00Z"),
    };
    await commit(odd);
    const { events: found } = await store.after(start, {}, 1);
    expect(found[0]?.event.data).toMatchObject({ reason: 'nul \ufffd, half \ufffd, whole 😀, text "\\u0000"' });
    expect(found[0]?.event.timestamp).toEqual(new Date("0001-01-01T00:00:00Z"));
  });

  it("lists newest first, page by page, and by time", async () => {
    await commit(booted("1"), booted("2"), booted("3"));
    const page = await store.list({ limit: 2 });
    expect(stations(page)).toEqual(["3", "2"]);
    expect(stations(await store.list({ limit: 1, before: page[1]?.id }))).toEqual(["1"]);
    expect(await store.list({ limit: 5, since: new Date(Date.now() + 60_000) })).toEqual([]);
    expect(stations(await store.list({ limit: 1, until: new Date(Date.now() + 60_000) }))).toEqual(["3"]);
    expect(await store.idBefore(new Date(Date.now() + 60_000))).toBe(events.newestId);
    expect(await store.idBefore(new Date(0))).toBeLessThan(page[1]?.id ?? 0);
  });

  it("deletes what is older than the retention and remembers how far", async () => {
    await commit(booted("old"));
    const newest = events.newestId;
    const inTwoDays = new Date(Date.now() + 2 * 86_400_000);
    const options = { store, log, clock: { now: () => inTwoDays } };
    expect(await deleteExpiredEvents({ ...options, retentionDays: 3 })).toBe(0);
    expect(await deleteExpiredEvents({ ...options, retentionDays: 1 })).toBeGreaterThan(0);
    expect(await store.list({ limit: 1 })).toEqual([]);
    expect((await store.extent()).deletedThrough).toBe(newest);
    expect(await deleteExpiredEvents({ ...options, retentionDays: 1 })).toBe(0);
    expect(await store.extent()).toEqual({ newest, deletedThrough: newest });
  });
});

import { connect, createServer, type Server, type Socket } from "node:net";
import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import fc from "fast-check";
import pg from "pg";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { DomainEvent } from "../events/domain-event.ts";
import type { EventInsertRow, EventSink, ReservedEvents } from "../events/event-sink.ts";
import { connectDatabase, type Database } from "./connection.ts";
import { createGroupCommit, type GroupCommitOptions, type GroupCommitter } from "./group-commit.ts";
import { IN_GROUP } from "./group-scope.ts";
import { DatabaseUnavailableError, type WriteStatement } from "./write-unit.ts";

const log = pino({ level: "silent" });

interface ParentRow {
  readonly id: string;
  readonly amount: number;
}

const insertParent: WriteStatement<ParentRow> = {
  name: "test-parent",
  order: 1,
  columns: { id: "text", amount: "integer" },
  sql: (rows) => `insert into parent (id, amount) select id, amount from ${rows} on conflict (id) do nothing`,
};

const upsertParent: WriteStatement<ParentRow> = {
  name: "test-parent-upsert",
  order: 1,
  columns: { id: "text", amount: "integer" },
  sql: (rows) =>
    `insert into parent (id, amount) select id, amount from ${rows}
     on conflict (id) do update set amount = excluded.amount`,
  key: (row) => row.id,
};

const insertChild: WriteStatement<{ readonly parent_id: string; readonly position: number }> = {
  name: "test-child",
  order: 2,
  columns: { parent_id: "text", position: "integer" },
  sql: (rows) =>
    `insert into child (parent_id, position) select parent_id, position from ${rows} on conflict do nothing`,
};

function eventOf(stationId: string): DomainEvent {
  return { type: "station.deleted", stationId, timestamp: new Date(0), data: {} };
}

/** Stores events in a table of the test and notes what it is told. */
class RecordingSink implements EventSink {
  readonly delivered: { readonly id: number; readonly stationId: string }[] = [];
  readonly outcomes: ("committed" | "rolledBack" | "unknown")[] = [];

  insert(events: readonly DomainEvent[]) {
    return {
      name: "test-events",
      text: `insert into told (station_id) select station_id from unnest($1::text[]) as station_id
             where ${IN_GROUP} returning id`,
      values: [events.map(({ stationId }) => stationId)],
    };
  }

  reserve(events: readonly DomainEvent[], rows: readonly EventInsertRow[]): ReservedEvents {
    return {
      committed: () => {
        this.outcomes.push("committed");
        for (const [index, { stationId }] of events.entries()) {
          this.delivered.push({ id: Number(rows[index]?.id), stationId });
        }
      },
      rolledBack: () => void this.outcomes.push("rolledBack"),
      unknown: () => void this.outcomes.push("unknown"),
      storedBy: (transactionId) => ({
        text: `select count(*) = cardinality($1::bigint[]) as stored from told
               where id = any($1::bigint[]) and xmin = $2::text::xid8::xid`,
        values: [rows.map(({ id }) => id), transactionId],
      }),
    };
  }
}

let testDatabase: TestDatabase;
let database: Database;
let observer: pg.Client;
let sink: RecordingSink;
const opened: GroupCommitter[] = [];

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  database = await connectDatabase({ url: testDatabase.url, log });
  observer = await database.openClient();
  await observer.query(`
    create table parent (id text primary key, amount integer not null check (amount >= 0));
    create table child (parent_id text references parent, position integer, primary key (parent_id, position));
    create table told (id bigint generated always as identity primary key, station_id text not null)`);
});

afterAll(async () => {
  await observer.end();
  await database.close();
  await testDatabase.drop();
});

beforeEach(async () => {
  sink = new RecordingSink();
  await observer.query("truncate parent, child, told");
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((groupCommit) => groupCommit.close()));
});

function open(options: Partial<GroupCommitOptions> = {}): GroupCommitter {
  const groupCommit = createGroupCommit({
    openClient: () => database.openClient({ pipeline: true }),
    events: sink,
    log,
    ...options,
  });
  opened.push(groupCommit);
  return groupCommit;
}

async function parents(): Promise<ReadonlyMap<string, number>> {
  const { rows } = await observer.query<ParentRow>("select id, amount from parent");
  return new Map(rows.map(({ id, amount }) => [id, amount]));
}

async function told(): Promise<readonly string[]> {
  const { rows } = await observer.query<{ station_id: string }>("select station_id from told order by id");
  return rows.map(({ station_id }) => station_id);
}

test("units that are committed together share a transaction, and what one awaits is durable", async () => {
  const groupCommit = open();
  const commits = Array.from({ length: 100 }, (_, index) =>
    groupCommit
      .unit()
      .add(insertParent, { id: `p${index}`, amount: index })
      .commit(),
  );
  await Promise.all(commits);
  expect((await parents()).size).toBe(100);
  expect(groupCommit.counts()).toMatchObject({ groups: 1, units: 100, rows: 100, waitingRows: 0 });
});

test("units that follow a group of several closely wait for company", async () => {
  // Far longer than the look at the database takes, for only that has to fit in.
  const groupCommit = open({ spacingMs: 3_000 });
  const commit = (id: string) => groupCommit.unit().add(insertParent, { id, amount: 1 }).commit();
  await Promise.all(["1", "2", "3"].map(commit));
  const early = commit("early");
  expect((await parents()).size).toBe(3);
  await Promise.all([early, commit("late")]);
  expect(groupCommit.counts()).toMatchObject({ groups: 2, units: 5 });
});

test("a group that is full waits for nobody", async () => {
  const groupCommit = open({ spacingMs: 600_000, maxGroupRows: 3 });
  const commit = (id: string) => groupCommit.unit().add(insertParent, { id, amount: 1 }).commit();
  await Promise.all(["1", "2", "3", "4", "5", "6"].map(commit));
  expect(groupCommit.counts()).toMatchObject({ groups: 2, units: 6, waitingRows: 0 });
});

test("units that come one after the other never wait", async () => {
  const groupCommit = open({ spacingMs: 600_000 });
  for (const id of ["1", "2", "3"]) await groupCommit.unit().add(insertParent, { id, amount: 1 }).commit();
  expect(groupCommit.counts()).toMatchObject({ groups: 3, units: 3 });
});

test("a parent is written before its children, whatever the order of adding", async () => {
  const groupCommit = open();
  await groupCommit
    .unit()
    .add(insertChild, { parent_id: "a", position: 1 })
    .add(insertParent, { id: "a", amount: 1 })
    .commit();
  const { rowCount } = await observer.query("select 1 from child where parent_id = 'a'");
  expect(rowCount).toBe(1);
});

test("of several rows with one key in a group the last is written", async () => {
  const groupCommit = open();
  await Promise.all([3, 1, 2].map((amount) => groupCommit.unit().add(upsertParent, { id: "same", amount }).commit()));
  expect((await parents()).get("same")).toBe(2);
});

test("units are all or nothing, refused ones harm nobody, and events tell of the stored ones in order", async () => {
  const groupCommit = open();
  let round = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          amounts: fc.array(fc.integer({ min: -1, max: 20 }), { minLength: 1, maxLength: 4 }),
          late: fc.boolean(),
        }),
        { minLength: 1, maxLength: 60 },
      ),
      async (specifications) => {
        round++;
        const prefix = `r${round}`;
        const outcomes = await Promise.all(
          specifications.map(async ({ amounts, late }, unitIndex) => {
            if (late) await new Promise((resolve) => setImmediate(resolve));
            const unit = groupCommit.unit();
            for (const [index, amount] of amounts.entries()) {
              unit.add(insertParent, { id: `${prefix}-${unitIndex}-${index}`, amount });
            }
            unit.publish(eventOf(`${prefix}-${unitIndex}`));
            return await unit.commit().then(
              () => true,
              (error: unknown) => {
                expect(error).toMatchObject({ code: "23514" });
                return false;
              },
            );
          }),
        );
        const stored = await parents();
        for (const [unitIndex, { amounts }] of specifications.entries()) {
          expect(outcomes[unitIndex]).toBe(amounts.every((amount) => amount >= 0));
          for (const [index, amount] of amounts.entries()) {
            expect(stored.get(`${prefix}-${unitIndex}-${index}`)).toBe(outcomes[unitIndex] ? amount : undefined);
          }
        }
        const expected = specifications.flatMap((_, index) => (outcomes[index] ? [`${prefix}-${index}`] : []));
        const ours = (await told()).filter((id) => id.startsWith(`${prefix}-`));
        expect([...ours].sort()).toEqual([...expected].sort());
        const delivered = sink.delivered.filter(({ stationId }) => stationId.startsWith(`${prefix}-`));
        expect(delivered.map(({ stationId }) => stationId)).toEqual(ours);
      },
    ),
    { numRuns: 40 },
  );
  const ids = sink.delivered.map(({ id }) => id);
  expect(ids).toEqual([...ids].sort((first, second) => first - second));
  expect(groupCommit.counts().refusedUnits).toBeGreaterThan(0);
});

test("a value that its column cannot hold is refused when it is added, and names the column", () => {
  const unit = open().unit();
  expect(() => unit.add(insertParent, { id: "x", amount: 2 ** 31 })).toThrow(/test-parent\.amount.*2147483648/);
  expect(() => unit.add(insertParent, { id: "x", amount: 1.5 })).toThrow(RangeError);
  expect(() => unit.add(insertParent, { id: 5 as unknown as string, amount: 1 })).toThrow(TypeError);
});

test("a unit is committed once only", async () => {
  const unit = open().unit().add(insertParent, { id: "once", amount: 1 });
  await unit.commit();
  await expect(unit.commit()).rejects.toThrow(TypeError);
});

test("two different statements cannot share a name", async () => {
  const groupCommit = open();
  await groupCommit.unit().add(insertParent, { id: "n", amount: 1 }).commit();
  expect(() => groupCommit.unit().add({ ...upsertParent, name: insertParent.name }, { id: "n", amount: 1 })).toThrow(
    /two write statements are named/,
  );
});

test("every acknowledged unit is stored exactly once while its sessions are killed again and again", async () => {
  const groupCommit = open({ patienceMs: 600_000 });
  let acknowledged = 0;
  let kills = 0;
  const kill = async (): Promise<void> => {
    const { rowCount } = await observer.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()`,
    );
    kills += rowCount ?? 0;
  };
  const workers = Array.from({ length: 20 }, async (_, worker) => {
    for (let index = 0; index < 60; index++) {
      const id = `${worker}-${index}`;
      const stored = groupCommit.unit().add(insertParent, { id, amount: index }).publish(eventOf(id)).commit();
      // Paced by progress and not by time, so that a slow machine gets anywhere.
      if (acknowledged % 40 === 7) await kill();
      await stored;
      acknowledged++;
    }
  });
  await Promise.all(workers);
  expect(kills).toBeGreaterThan(2);
  expect((await parents()).size).toBe(1200);
  const stored = await told();
  expect(stored.length).toBe(1200);
  expect(new Set(stored).size).toBe(1200);
  expect(sink.delivered.map(({ stationId }) => stationId).sort()).toEqual([...stored].sort());
});

/** Group commit of which the first BEGIN is hit by a cancel. */
function openWithCanceledBegin(): GroupCommitter {
  let isCanceled = false;
  return open({
    openClient: async () => {
      const client = await database.openClient({ pipeline: true });
      const send = client.query.bind(client) as (...given: readonly unknown[]) => unknown;
      const query = (...given: readonly unknown[]): unknown => {
        if (isCanceled || typeof given[0] !== "string" || !given[0].startsWith("begin")) return send(...given);
        isCanceled = true;
        return send("do $$ begin raise query_canceled; end $$");
      };
      return Object.assign(client, { query });
    },
  });
}

test("a cancel that hits BEGIN lets no statement behind it be stored by itself", async () => {
  const groupCommit = openWithCanceledBegin();
  const units = [
    groupCommit.unit().add(insertParent, { id: "whole", amount: 1 }).publish(eventOf("whole")).commit(),
    groupCommit.unit().add(insertChild, { parent_id: "none", position: 1 }).publish(eventOf("refused")).commit(),
  ];
  expect((await Promise.allSettled(units)).map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  expect([...(await parents()).keys()]).toEqual(["whole"]);
  expect(await told()).toEqual(["whole"]);
});

test("a cancel that hits BEGIN does not let a refused row pass for stored", async () => {
  const refused = openWithCanceledBegin().unit().add(insertParent, { id: "refused", amount: -1 }).commit();
  await expect(refused).rejects.toMatchObject({ code: "23514" });
});

test("a database that is away rejects units after their patience and takes them again later", async () => {
  let away = true;
  const groupCommit = open({
    patienceMs: 100,
    openClient: () => (away ? Promise.reject(new Error("away")) : database.openClient({ pipeline: true })),
  });
  const lost = groupCommit.unit().add(insertParent, { id: "lost", amount: 1 }).commit();
  await expect(lost).rejects.toBeInstanceOf(DatabaseUnavailableError);
  away = false;
  await groupCommit.unit().add(insertParent, { id: "found", amount: 1 }).commit();
  expect([...(await parents()).keys()]).toEqual(["found"]);
  expect(groupCommit.counts()).toMatchObject({ unavailableUnits: 1, waitingRows: 0 });
});

test("a database that takes connections and then says nothing is given up like one that is away", async () => {
  let isSilent = true;
  let late: (client: pg.Client) => void = () => undefined;
  const silence = new Promise<pg.Client>((resolve) => {
    late = resolve;
  });
  const groupCommit = open({
    patienceMs: 50,
    attemptTimeoutMs: 3_000,
    openClient: () => (isSilent ? silence : database.openClient({ pipeline: true })),
  });
  const lost = groupCommit.unit().add(insertParent, { id: "lost", amount: 1 }).commit();
  await expect(lost).rejects.toBeInstanceOf(DatabaseUnavailableError);
  const client = await database.openClient({ pipeline: true });
  const ended = new Promise<void>((resolve) => client.once("end", resolve));
  late(client);
  await ended;
  isSilent = false;
  await groupCommit.unit().add(insertParent, { id: "found", amount: 1 }).commit();
  expect([...(await parents()).keys()]).toEqual(["found"]);
});

test("units beyond the limit are refused at once while the database is away", async () => {
  let away = true;
  const groupCommit = open({
    maxWaitingRows: 10,
    patienceMs: 60_000,
    openClient: () => (away ? Promise.reject(new Error("away")) : database.openClient({ pipeline: true })),
  });
  const waiting = Array.from({ length: 10 }, (_, index) =>
    groupCommit
      .unit()
      .add(insertParent, { id: `w${index}`, amount: 1 })
      .commit(),
  );
  const excess = Array.from({ length: 1_000 }, (_, index) =>
    groupCommit
      .unit()
      .add(insertParent, { id: `excess${index}`, amount: 1 })
      .commit(),
  );
  for (const { status, ...outcome } of await Promise.allSettled(excess)) {
    expect([status, outcome]).toEqual(["rejected", { reason: expect.any(DatabaseUnavailableError) }]);
  }
  expect(groupCommit.counts()).toMatchObject({ waitingUnits: 10, waitingRows: 10, unavailableUnits: 1_000 });
  away = false;
  await Promise.all(waiting);
  expect((await parents()).size).toBe(10);
  expect(groupCommit.counts()).toMatchObject({ waitingUnits: 0, waitingRows: 0 });
});

test("what waited for a database that was away is stored in the order in which it came", async () => {
  let away = true;
  const groupCommit = open({
    maxGroupRows: 7,
    patienceMs: 60_000,
    openClient: () => (away ? Promise.reject(new Error("away")) : database.openClient({ pipeline: true })),
  });
  const names = Array.from({ length: 60 }, (_, index) => `ordered${index}`);
  const waiting = names.map(async (name) => {
    if (name.endsWith("5")) await new Promise((resolve) => setImmediate(resolve));
    return groupCommit.unit().publish(eventOf(name)).commit();
  });
  await expect.poll(() => groupCommit.failing).toBe("the database does not take writes");
  away = false;
  await Promise.all(waiting);
  const late = names.filter((name) => name.endsWith("5"));
  expect(await told()).toEqual([...names.filter((name) => !late.includes(name)), ...late]);
  expect(groupCommit.failing).toBeUndefined();
});

test("nothing is taken while there is a reason against it, and the reason is told", async () => {
  let reason: string | undefined = "the disk of the database is nearly full";
  const groupCommit = open({ refusal: () => reason });
  const refused = groupCommit.unit().add(insertParent, { id: "refused", amount: 1 }).commit();
  await expect(refused).rejects.toThrow(new DatabaseUnavailableError("the disk of the database is nearly full"));
  expect(groupCommit.failing).toBe(reason);
  reason = undefined;
  expect(groupCommit.failing).toBeUndefined();
  await groupCommit.unit().add(insertParent, { id: "taken", amount: 1 }).commit();
  expect([...(await parents()).keys()]).toEqual(["taken"]);
});

test("closing stores what waits and refuses what comes after", async () => {
  const groupCommit = open({ maxGroupRows: 7 });
  const commits = Array.from({ length: 50 }, (_, index) =>
    groupCommit
      .unit()
      .add(insertParent, { id: `c${index}`, amount: 1 })
      .commit(),
  );
  const closed = groupCommit.close();
  await expect(groupCommit.unit().add(insertParent, { id: "late", amount: 1 }).commit()).rejects.toBeInstanceOf(
    DatabaseUnavailableError,
  );
  await Promise.all([...commits, closed]);
  expect((await parents()).size).toBe(50);
  expect(groupCommit.counts().groups).toBeGreaterThanOrEqual(8);
});

/** Stands between group commit and the server, and fails at the first COMMIT as it is told. */
class FaultyLine {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #fault: "none" | "before commit" | "after commit" = "none";

  constructor(target: URL) {
    this.#server = createServer((client) => {
      const upstream = connect(Number(target.port), target.hostname);
      this.#sockets.add(client).add(upstream);
      let deaf = false;
      client.on("data", (chunk) => {
        if (this.#fault !== "none" && chunk.includes("commit\0")) {
          const fault = this.#fault;
          this.#fault = "none";
          if (fault === "before commit") {
            client.destroy();
            upstream.destroy();
            return;
          }
          deaf = true;
        }
        upstream.write(chunk);
      });
      upstream.on("data", (chunk) => {
        if (!deaf) client.write(chunk);
        else client.destroy();
      });
      for (const [one, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        one.on("error", () => undefined);
        one.on("close", () => other.destroy());
      }
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, "127.0.0.1", resolve);
    });
    return (this.#server.address() as { port: number }).port;
  }

  breakAt(fault: "before commit" | "after commit"): void {
    this.#fault = fault;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

test.each(["before commit", "after commit"] as const)(
  "a connection that is lost %s leaves the unit and its event stored exactly once",
  async (fault) => {
    const target = new URL(testDatabase.url);
    const line = new FaultyLine(target);
    const url = new URL(testDatabase.url);
    url.port = String(await line.listen());
    const groupCommit = open({
      openClient: async () => {
        const client = new pg.Client({ connectionString: url.href, pipeline: true });
        client.on("error", () => undefined);
        await client.connect();
        return client;
      },
    });
    await groupCommit.unit().add(insertParent, { id: "first", amount: 1 }).publish(eventOf("first")).commit();
    line.breakAt(fault);
    await groupCommit.unit().add(insertParent, { id: "second", amount: 2 }).publish(eventOf("second")).commit();
    line.breakAt(fault);
    await groupCommit.unit().add(insertParent, { id: "third", amount: 3 }).commit();
    expect([...(await parents()).keys()].sort()).toEqual(["first", "second", "third"]);
    expect(await told()).toEqual(["first", "second"]);
    expect(sink.delivered.map(({ stationId }) => stationId)).toEqual(["first", "second"]);
    expect(sink.outcomes).toEqual(
      fault === "before commit" ? ["committed", "rolledBack", "committed"] : ["committed", "committed"],
    );
    await groupCommit.close();
    line.close();
  },
);

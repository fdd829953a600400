import { createServer } from "node:net";
import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import { sql } from "kysely";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectDatabase, DatabaseConnectionError } from "./connection.ts";

const log = pino({ level: "silent" });
let testDatabase: TestDatabase;

beforeAll(async () => {
  testDatabase = await startTestDatabase();
});

afterAll(async () => {
  await testDatabase.drop();
});

function variant(change: (url: URL) => void): string {
  const url = new URL(testDatabase.url);
  change(url);
  return url.href;
}

async function failure(url: string, patienceMs = 0): Promise<Error> {
  const error = await connectDatabase({ url, log, patienceMs }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DatabaseConnectionError);
  return error as Error;
}

test("values are read exactly: bigint as number, numeric and date as text, times as Date", async () => {
  const database = await connectDatabase({ url: testDatabase.url, log });
  const { rows } = await sql`
    select 9007199254740991::bigint as big, 0.1::numeric(20, 3) as exact, date '2026-03-29' as day,
      timestamptz '2026-03-29 02:30:00+02' as time, '{"a": [1]}'::jsonb as json, count(*) as counted
    from (values (1), (2)) as pair`.execute(database.kysely);
  expect(rows).toEqual([
    {
      big: 9007199254740991,
      exact: "0.100",
      day: "2026-03-29",
      time: new Date("2026-03-29T00:30:00Z"),
      json: { a: [1] },
      counted: 2,
    },
  ]);
  await expect(sql`select 9007199254740993::bigint as big`.execute(database.kysely)).rejects.toThrow(RangeError);
  await database.close();
});

test("sessions keep time in UTC and give up statements that take too long", async () => {
  const database = await connectDatabase({ url: testDatabase.url, log, statementTimeoutMs: 100 });
  const { rows } = await sql<{ zone: string }>`select current_setting('timezone') as zone`.execute(database.kysely);
  expect(rows[0]?.zone).toBe("UTC");
  await expect(sql`select pg_sleep(10)`.execute(database.kysely)).rejects.toMatchObject({ code: "57014" });
  const client = await database.openClient({ statementTimeoutMs: 100 });
  await expect(client.query("select pg_sleep(10)")).rejects.toMatchObject({ code: "57014" });
  await client.end();
  await database.close();
});

test("a pool whose connections were killed goes on with new ones", async () => {
  const database = await connectDatabase({ url: testDatabase.url, log, poolSize: 2 });
  await sql`select 1`.execute(database.kysely);
  const killer = await database.openClient();
  await killer.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()`,
  );
  await killer.end();
  await expect
    .poll(() => sql`select 1 as one`.execute(database.kysely).then(({ rows }) => rows, String))
    .toEqual([{ one: 1 }]);
  await database.close();
});

test("failures name the place and the reason, and never the password", async () => {
  const closedPort = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
  const cases: readonly (readonly [string, RegExp])[] = [
    [variant((url) => Object.assign(url, { port: String(closedPort) })), /nothing listens there/],
    [variant((url) => Object.assign(url, { password: "hidden-secret" })), /user or password is wrong/],
    [variant((url) => Object.assign(url, { pathname: "/absent" })), /no such database/],
    ["mysql://127.0.0.1/x", /DATABASE_URL is not of the form/],
  ];
  for (const [url, reason] of cases) {
    const error = await failure(url);
    expect(error.message).toMatch(reason);
    expect(error.message).not.toContain("hidden-secret");
    const { password } = new URL(testDatabase.url);
    expect(error.message).not.toContain(password);
  }
});

/** Answers the start-up of a session like a server of the given version would. */
async function oldServer(version: string): Promise<{ readonly port: number; close(): void }> {
  const message = (type: string, body: Buffer): Buffer => {
    const head = Buffer.alloc(5);
    head.write(type);
    head.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  const ready = message("Z", Buffer.from("I"));
  const columns = ["version", "name", "encoding", "standby"];
  const values = [`${Number(version.split(".")[0]) * 10_000}`, version, "UTF8", "f"];
  const types = [23, 25, 25, 16];
  const server = createServer((socket) => {
    let started = false;
    socket.on("error", () => undefined);
    socket.on("data", () => {
      if (!started) {
        started = true;
        socket.write(Buffer.concat([message("R", Buffer.alloc(4)), ready]));
        return;
      }
      const fields = columns.map((name, index) => {
        const field = Buffer.alloc(18);
        field.writeInt32BE(types[index] ?? 25, 6);
        return Buffer.concat([Buffer.from(`${name}\0`), field]);
      });
      const row = values.map((value) => {
        const length = Buffer.alloc(4);
        length.writeInt32BE(value.length);
        return Buffer.concat([length, Buffer.from(value)]);
      });
      const count = Buffer.from([0, columns.length]);
      socket.write(
        Buffer.concat([
          message("T", Buffer.concat([count, ...fields])),
          message("D", Buffer.concat([count, ...row])),
          message("C", Buffer.from("SELECT 1\0")),
          ready,
        ]),
      );
    });
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
  return { port, close: () => server.close() };
}

test("a server older than PostgreSQL 15 is refused with both versions named", async () => {
  const server = await oldServer("14.12");
  const error = await failure(`postgres://user@127.0.0.1:${server.port}/polyphase`);
  expect(error.message).toMatch(/is PostgreSQL 14\.12; Polyphase needs 15 or later/);
  server.close();
});

test("a server that is still starting is waited for", async () => {
  const { port } = await new Promise<{ port: number }>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address() as { port: number };
      server.close(() => resolve(address));
    });
  });
  const connecting = connectDatabase({ url: `postgres://user@127.0.0.1:${port}/x`, log, patienceMs: 20_000 });
  const target = new URL(testDatabase.url);
  const outcome = connecting.catch((error: unknown) => error);
  const late = createServer((socket) => {
    // It now answers, as a server does that does not know the user.
    socket.once("data", () => {
      const body = Buffer.from(`SFATAL\0C28000\0Mno pg_hba.conf entry for ${target.hostname}\0\0`);
      const head = Buffer.alloc(5);
      head.write("E");
      head.writeInt32BE(body.length + 4, 1);
      socket.end(Buffer.concat([head, body]));
    });
  });
  await new Promise<void>((resolve) => {
    late.listen(port, "127.0.0.1", resolve);
  });
  expect(await outcome).toMatchObject({ message: expect.stringMatching(/does not admit this user/) });
  late.close();
});

test("a connection that is lost between two statements of a transaction fails the transaction and nothing else", async () => {
  const database = await connectDatabase({ url: testDatabase.url, log, poolSize: 2 });
  const killer = await database.openClient();
  const lost = database.kysely.transaction().execute(async (transaction) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(transaction);
    await killer.query("select pg_terminate_backend($1, 10000)", [rows[0]?.pid]);
    // The end of the connection is read before the next statement is sent.
    await killer.query("select pg_sleep(0.05)");
    await sql`select 1`.execute(transaction);
  });
  await expect(lost).rejects.toThrow();
  await killer.end();
  expect((await sql`select 1 as one`.execute(database.kysely)).rows).toEqual([{ one: 1 }]);
  await database.close();
});

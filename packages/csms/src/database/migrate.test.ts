import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import { type Migration, sql } from "kysely";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connectDatabase, type Database } from "./connection.ts";
import { DatabaseTooNewError, MigrationError, mergeMigrations, migrateDatabase } from "./migrate.ts";

let testDatabase: TestDatabase;
let database: Database;

beforeEach(async () => {
  testDatabase = await startTestDatabase();
  database = await connectDatabase({ url: testDatabase.url, log: pino({ level: "silent" }) });
});

afterEach(async () => {
  await database.close();
  await testDatabase.drop();
});

function creates(table: string): Migration {
  return { up: async (on) => void (await sql`create table ${sql.table(table)} (id integer)`.execute(on)) };
}

async function hasTable(name: string): Promise<boolean> {
  const { rows } = await sql<{ found: string | null }>`select to_regclass(${name})::text as found`.execute(
    database.kysely,
  );
  return rows[0]?.found === name;
}

test("each migration is carried out once, in the order of names", async () => {
  const migrations = { "0002-b": creates("b"), "0001-a": creates("a") };
  expect(await migrateDatabase(database.kysely, migrations)).toEqual(["0001-a", "0002-b"]);
  expect(await migrateDatabase(database.kysely, migrations)).toEqual([]);
});

test("a block's new migration may sort before those that were done", async () => {
  await migrateDatabase(database.kysely, { "0001-a": creates("a"), "0040-d": creates("d") });
  const added = { "0001-a": creates("a"), "0020-c": creates("c"), "0040-d": creates("d") };
  expect(await migrateDatabase(database.kysely, added)).toEqual(["0020-c"]);
});

test("a database that a newer program wrote is refused and left alone", async () => {
  await migrateDatabase(database.kysely, { "0001-a": creates("a"), "0002-future": creates("future") });
  const attempt = migrateDatabase(database.kysely, { "0001-a": creates("a"), "0003-c": creates("c") });
  await expect(attempt).rejects.toBeInstanceOf(DatabaseTooNewError);
  await expect(attempt).rejects.toThrow(/0002-future/);
  expect(await hasTable("c")).toBe(false);
});

test("a migration that fails undoes all of the run and is named", async () => {
  const broken: Migration = { up: async (on) => void (await sql`create tabel oops`.execute(on)) };
  const attempt = migrateDatabase(database.kysely, { "0001-a": creates("a"), "0002-broken": broken });
  await expect(attempt).rejects.toBeInstanceOf(MigrationError);
  await expect(attempt).rejects.toMatchObject({ migration: "0002-broken" });
  expect(await hasTable("a")).toBe(false);
});

test("nodes that start at the same time migrate once", async () => {
  const slow: Migration = {
    up: async (on) => void (await sql`create table s as select pg_sleep(0.2)::text as slept`.execute(on)),
  };
  const second = await connectDatabase({ url: testDatabase.url, log: pino({ level: "silent" }) });
  const results = await Promise.all(
    [database, second].map(({ kysely }) => migrateDatabase(kysely, { "0001-slow": slow })),
  );
  await second.close();
  expect(results.flat()).toEqual(["0001-slow"]);
});

test("two blocks cannot use one name", () => {
  expect(() => mergeMigrations({ "0001-a": creates("a") }, { "0001-a": creates("b") })).toThrow(/0001-a/);
  expect(Object.keys(mergeMigrations({ "0001-a": creates("a") }, { "0002-b": creates("b") }))).toHaveLength(2);
});

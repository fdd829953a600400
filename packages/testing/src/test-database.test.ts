import pg from "pg";
import { expect, test } from "vitest";
import { startTestDatabase } from "./test-database.ts";

async function query(url: string, statement: string): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

test("each test database is its own, and dropping one leaves the other", async () => {
  const [first, second] = await Promise.all([startTestDatabase(), startTestDatabase()]);
  await query(first.url, "create table mine (value integer)");
  await expect(query(second.url, "select * from mine")).rejects.toMatchObject({ code: "42P01" });
  await first.drop();
  await first.drop();
  await expect(query(first.url, "select 1")).rejects.toMatchObject({ code: "3D000" });
  expect(await query(second.url, "select 1 as one")).toEqual([{ one: 1 }]);
  await second.drop();
});

test("a database is dropped although a session is still open", async () => {
  const database = await startTestDatabase();
  const client = new pg.Client({ connectionString: database.url });
  const lost = new Promise((resolve) => client.on("error", resolve));
  await client.connect();
  await database.drop();
  expect(await lost).toBeInstanceOf(Error);
});

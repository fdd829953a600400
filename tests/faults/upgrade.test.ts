import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CsmsProcess } from "../system/csms-process.ts";
import { eventually } from "../system/running-csms.ts";

async function query(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

async function tablesOf(url: string): Promise<readonly unknown[]> {
  const rows = await query(url, "select tablename from pg_tables where schemaname = 'public' order by tablename");
  return rows.map(({ tablename }) => tablename);
}

describe("a database that cannot be migrated", () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await startTestDatabase();
  });

  afterAll(async () => {
    await database.drop();
  });

  it("stays as it was, and the operator is told which migration failed and why", async () => {
    // Somebody else's table is in the way of a migration in the middle.
    await query(database.url, "create table charging_transaction (note text)");
    await query(database.url, "insert into charging_transaction values ('mine')");
    const csms = await CsmsProcess.create({ DATABASE_URL: database.url });
    expect(await csms.startAndFail()).toBe(1);
    expect(csms.output).toMatch(/migration 0030-transactions failed: relation "charging_transaction" already exists/);
    expect(csms.output).not.toMatch(/^\s+at /m);
    const ours = (await tablesOf(database.url)).filter((name) => !String(name).startsWith("schema_migration"));
    expect(ours).toEqual(["charging_transaction"]);
    expect(await query(database.url, "select note from charging_transaction")).toEqual([{ note: "mine" }]);
  });

  it("is migrated when the reason is gone", async () => {
    await query(database.url, "drop table charging_transaction");
    const csms = await CsmsProcess.create({ DATABASE_URL: database.url });
    await csms.start();
    expect(await csms.end("SIGTERM")).toBe(0);
    expect(await tablesOf(database.url)).toContain("charging_transaction");
  });
});

describe("two processes on one database", () => {
  let database: TestDatabase;
  let first: CsmsProcess;
  let second: CsmsProcess;

  beforeAll(async () => {
    database = await startTestDatabase();
    first = await CsmsProcess.create({ DATABASE_URL: database.url });
    second = await CsmsProcess.create({ DATABASE_URL: database.url });
  });

  afterAll(async () => {
    await first.end("SIGKILL");
    await second.end("SIGKILL");
    await database.drop();
  });

  it("do not migrate at once: whichever comes first serves, and the other one takes over when it was killed", async () => {
    const starts = [first, second].map(async (csms) => {
      await csms.start();
      return csms;
    });
    const winner = await Promise.race(starts);
    const loser = winner === first ? second : first;
    await eventually("the other one waits", () => (/waiting for its end/.test(loser.output) ? true : undefined));
    expect(loser.output).not.toMatch(/^ready$/m);
    await winner.end("SIGKILL");
    await Promise.all(starts);
    const { status } = await fetch(`${loser.httpUrl}/health/ready`);
    expect(status).toBe(200);
  });

  it("are one too many when the first does not end: the second is refused and told why", async () => {
    const [running, refused] = first.output.includes("waiting") ? [first, second] : [second, first];
    expect(await refused.startAndFail()).toBe(1);
    expect(refused.output).toMatch(/another Polyphase uses this database.* end it first/);
    const { status } = await fetch(`${running.httpUrl}/health/ready`);
    expect(status).toBe(200);
  });
});

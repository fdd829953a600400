import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { counted, onlyTransactionOf, RawStation } from "../system/raw-station.ts";
import { eventually, type RunningCsms } from "../system/running-csms.ts";
import { csmsOnDatabase } from "./csms-on-database.ts";

const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 12, minute)).toISOString();

async function readiness(running: RunningCsms): Promise<{ status: number; reasons: Record<string, string> }> {
  const response = await fetch(`${running.csms.httpUrl}/health/ready`);
  const { reasons = {} } = (await response.json()) as { reasons?: Record<string, string> };
  return { status: response.status, reasons };
}

/** Lets a station charge over a time in which nothing can be stored, and looks at what it and others are told. */
async function expectHonesty(running: RunningCsms, reason: string, fill: () => unknown, free: () => unknown) {
  await running.api("PUT", "/id-tokens/TAG1", { type: "ISO14443", status: "Accepted" });
  const station = await RawStation.boot16(running, "FULL-1");
  const start = { connectorId: 1, idTag: "TAG1", meterStart: 1_000, timestamp: at(0) };
  const { transactionId } = await station.call("StartTransaction", start);
  const measured = (minute: number) => ({
    ...{ connectorId: 1, transactionId },
    meterValue: [{ timestamp: at(minute), sampledValue: [{ value: String(1_000 + 100 * minute) }] }],
  });
  await station.call("MeterValues", measured(1));
  await expect.poll(() => readiness(running)).toEqual({ status: 200, reasons: {} });

  await fill();
  const refused = await eventually("a refusal", async () => {
    const answer = await station.ask("MeterValues", measured(2));
    return answer[0] === 4 ? answer : undefined;
  });
  expect(refused[2]).toBe("InternalError");
  await expect.poll(() => readiness(running)).toEqual({ status: 503, reasons: { writes: reason } });
  expect(await counted(running, "polyphase_database_writable")).toBe(0);
  expect(await counted(running, "polyphase_database_up")).toBe(1);
  expect(await running.api("PUT", "/id-tokens/TAG2", { type: "ISO14443", status: "Accepted" })).toMatchObject({
    status: 503,
  });
  expect(await station.call("Heartbeat", {})).toHaveProperty("currentTime");
  expect(await running.api("GET", "/stations/FULL-1")).toMatchObject({ status: 200 });

  await free();
  await eventually("the values are taken", async () =>
    (await station.ask("MeterValues", measured(2)))[0] === 3 ? true : undefined,
  );
  await eventually("ready", async () => ((await readiness(running)).status === 200 ? true : undefined));
  await station.call("StopTransaction", { transactionId, meterStop: 1_300, timestamp: at(3) });
  const transaction = await onlyTransactionOf(running, "FULL-1");
  expect(transaction).toMatchObject({ status: "Ended", energyWh: 300 });
  expect((transaction.events as { timestamp: string }[]).map(({ timestamp }) => timestamp)).toEqual(
    [0, 1, 2, 3].map(at),
  );
  await station.close();
}

describe("a database whose disk is full", () => {
  let testDatabase: TestDatabase;
  let administrator: pg.Client;
  let running: RunningCsms;

  beforeAll(async () => {
    testDatabase = await startTestDatabase();
    running = await csmsOnDatabase({ DATABASE_URL: testDatabase.url }, { databaseTimes: { patienceMs: 300 } });
    administrator = new pg.Client({ connectionString: testDatabase.url });
    await administrator.connect();
  });

  afterAll(async () => {
    await running.close();
    await administrator.end();
    await testDatabase.drop();
  });

  const onEveryTable = (statement: string) => `
    do $$ declare place regclass; begin
      for place in select oid from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
        and not relispartition loop
        execute format('${statement}', place);
      end loop;
    end $$`;

  it("is not ready, refuses what is to be stored with an error, and goes on by itself when there is room", async () => {
    await administrator.query(`
      create function no_space() returns trigger language plpgsql as $$ begin
        raise exception using errcode = '53100', message = 'could not extend file: No space left on device';
      end $$`);
    const fill = onEveryTable(
      "create trigger no_space before insert or update on %s for each statement execute function no_space()",
    );
    const free = onEveryTable("drop trigger no_space on %s");
    await expectHonesty(
      running,
      "the disk of the database is full",
      () => administrator.query(fill),
      () => administrator.query(free),
    );
  });
});

describe("an embedded database whose disk is nearly full", () => {
  const MIB = 1_048_576;
  let freeMiB = 10_000;
  let dataDir: string;
  let running: RunningCsms;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "polyphase-full-"));
    running = await csmsOnDatabase(
      { POLYPHASE_DATA_DIR: dataDir, POLYPHASE_DISK_RESERVE: "100" },
      { readFreeSpace: async () => ({ bavail: freeMiB, bsize: MIB }) },
    );
  });

  afterAll(async () => {
    await running.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  it("is written to no more before PostgreSQL would have to end, and again when there is room", async () => {
    const fill = () => {
      freeMiB = 99;
    };
    const free = async () => {
      expect(await counted(running, "polyphase_database_free_bytes")).toBe(99 * MIB);
      freeMiB = 125;
    };
    await expectHonesty(running, "the disk of the database is nearly full", fill, free);
    expect(await counted(running, "polyphase_database_free_bytes")).toBe(125 * MIB);
  });
});

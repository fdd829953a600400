import { JsonStation } from "@polyphase/ocpp";
import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import { sql } from "kysely";
import { pino } from "pino";
import { expect, test } from "vitest";
import { migrations } from "./compose.ts";
import { loadConfig } from "./config.ts";
import { type Csms, startCsms } from "./csms.ts";
import { connectDatabase, type Database } from "./database/connection.ts";
import { migrateDatabase } from "./database/migrate.ts";
import { type Expectation, runningTransactions, schemaVersions } from "./upgrade-fixture.ts";

const log = pino({ level: "silent" });
const adminToken = "upgrade-test-administrator";

async function withDatabase(work: (testDatabase: TestDatabase, database: Database) => Promise<void>): Promise<void> {
  const testDatabase = await startTestDatabase();
  const database = await connectDatabase({ url: testDatabase.url, log });
  try {
    await work(testDatabase, database);
  } finally {
    await database.close();
    await testDatabase.drop();
  }
}

/** Brings an empty database to what the program of a version left behind, through all versions before it. */
async function makeOld(database: Database, versions: typeof schemaVersions): Promise<void> {
  const known: Record<string, (typeof migrations)[string]> = {};
  for (const { migration, data } of versions) {
    const found = migrations[migration];
    if (found === undefined) throw new Error(`there is no migration ${migration}`);
    known[migration] = found;
    await migrateDatabase(database.kysely, known);
    for (const statement of data) await sql.raw(statement).execute(database.kysely);
  }
}

async function withCsms(url: string, work: (csms: Csms) => Promise<void>): Promise<void> {
  const config = loadConfig({
    DATABASE_URL: url,
    POLYPHASE_OCPP_PORT: "0",
    POLYPHASE_HTTP_PORT: "0",
    POLYPHASE_ADMIN_TOKEN: adminToken,
    POLYPHASE_UNKNOWN_STATIONS: "accept",
  });
  const csms = await startCsms({ config, log, version: "0.0.0-test" });
  try {
    await work(csms);
  } finally {
    await csms.close();
  }
}

async function expectAnswer(csms: Csms, { path, answer }: Expectation): Promise<void> {
  const response = await fetch(`${csms.httpUrl}/api/v1${path}`, { headers: { authorization: `Bearer ${adminToken}` } });
  const body: unknown = await response.json();
  expect(response.status, `${path}: ${JSON.stringify(body)}`).toBe(200);
  expect(body, path).toMatchObject(answer as object);
}

test("every migration is among the schema versions that upgrades are tested from", () => {
  expect(schemaVersions.map(({ migration }) => migration).sort()).toEqual(Object.keys(migrations).sort());
});

test.each(schemaVersions.map(({ migration }, index) => [migration, index + 1] as const))(
  "a database of version %s keeps its data through all later versions",
  async (_migration, count) => {
    await withDatabase(async (testDatabase, database) => {
      const versions = schemaVersions.slice(0, count);
      await makeOld(database, versions);
      const hasStation = versions.some(({ migration }) => migration === "0010-provisioning-stations");
      await withCsms(testDatabase.url, async (csms) => {
        for (const expectation of versions.flatMap(({ expected }) => expected)) {
          if (hasStation || !expectation.path.startsWith("/stations/OLD")) await expectAnswer(csms, expectation);
        }
      });
    });
  },
);

/** A charging station of 2.0.1 whose transaction was under way while the CSMS was upgraded. */
async function goOn(csms: Csms, stationId: string, transactionId: string): Promise<void> {
  const url = `ws://127.0.0.1:${csms.ocppPort}/ocpp`;
  const station = new JsonStation({ url, identity: stationId, versions: ["2.0.1"] });
  const connection = await station.connect();
  const boot = { reason: "PowerUp", chargingStation: { vendorName: "V", model: "M" } } as const;
  await connection.call("BootNotification", boot);
  const send = (seqNo: number, eventType: "Updated" | "Ended", minute: number, value: number) => {
    const timestamp = new Date(Date.parse("2026-11-01T12:00:00Z") + minute * 60_000).toISOString();
    return connection.call("TransactionEvent", {
      ...{ eventType, seqNo, timestamp, triggerReason: "MeterValuePeriodic", transactionInfo: { transactionId } },
      meterValue: [{ timestamp, sampledValue: [{ value }] }],
    });
  };
  await send(1, "Updated", 0, 777_777);
  await send(2, "Updated", 2, 7_000);
  await send(3, "Ended", 3, 8_500);
  await station.close();
}

test("transactions that ran during the upgrade go on, and their repeated events are known", async () => {
  await withDatabase(async (testDatabase, database) => {
    await makeOld(database, schemaVersions);
    await withCsms(testDatabase.url, async (csms) => {
      for (const { stationId, name } of runningTransactions) {
        await goOn(csms, stationId, name);
        await expectAnswer(csms, {
          path: `/transactions?stationId=${stationId}`,
          answer: { items: [{ transactionId: name, status: "Ended", energyWh: 7_500 }] },
        });
      }
    });
  });
});

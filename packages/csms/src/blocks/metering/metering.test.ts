import { ManualClock, startTestDatabase, type TestDatabase } from "@polyphase/testing";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { connectDatabase, type Database } from "../../database/connection.ts";
import { createGroupCommit, type GroupCommitter } from "../../database/group-commit.ts";
import { migrateDatabase } from "../../database/migrate.ts";
import { maintainPartitions } from "../../database/partitions.ts";
import { createMetering, type Metering, type MeterValue, meterValuePartitions, migrations } from "./index.ts";
import { normaliseSample } from "./meter-sample.ts";

const log = pino({ level: "silent" });
const NOW = new Date("2026-03-01T12:00:00Z");
const at = (minute: number) => NOW.getTime() + minute * 60_000;

let testDatabase: TestDatabase;
let database: Database;
let groupCommit: GroupCommitter;
let metering: Metering;

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  database = await connectDatabase({ url: testDatabase.url, log });
  await migrateDatabase(database.kysely, migrations);
  await maintainPartitions(database.kysely, meterValuePartitions(30), NOW);
  groupCommit = createGroupCommit({
    openClient: () => database.openClient({ pipeline: true }),
    events: {
      insert: () => {
        throw new Error("metering publishes nothing");
      },
      reserve: () => {
        throw new Error("metering publishes nothing");
      },
    },
    log,
  });
  metering = createMetering({ database: database.kysely, clock: new ManualClock(NOW), log });
});

afterAll(async () => {
  await groupCommit.close();
  await database.close();
  await testDatabase.drop();
});

function value(minute: number, ...samples: Parameters<typeof normaliseSample>[0][]): MeterValue {
  return { atMs: at(minute), samples: samples.map(normaliseSample) };
}

async function store(stationId: string, values: readonly MeterValue[], evseId = 1, source?: string) {
  const unit = groupCommit.unit();
  metering.store(unit, { stationId, evseId, connectorId: 1, receivedAt: NOW }, values, source);
  await unit.commit();
}

it("stores a repeated message once, and two EVSEs' equal values both", async () => {
  const values = [value(0, { value: 1 }), value(0, { value: 2 }), value(1, { value: 1 })];
  await store("REP", values);
  await store("REP", values);
  await store("REP", values, 2);
  await store("REP", values.slice(0, 1), 1, "event:7");
  expect(await metering.read({ stationId: "REP", evseId: 1 })).toHaveLength(4);
  expect(await metering.read({ stationId: "REP", evseId: 2 })).toHaveLength(3);
});

it("keeps values of clocks that were never set, and of days ago", async () => {
  const odd = ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2099-01-01T00:00:00Z"];
  await store(
    "ODD",
    odd.map((time) => ({ ...value(0, { value: 5 }), atMs: Date.parse(time) })),
  );
  const found = await metering.read({ stationId: "ODD" });
  expect(found.map(({ atMs }) => atMs)).toEqual(odd.map((time) => Date.parse(time)));
});

it("reads pages in order of time, by span and measurand", async () => {
  const values = Array.from({ length: 10 }, (_, minute) =>
    value(minute, { value: minute }, ...(minute % 2 === 0 ? [{ value: 50, measurand: "SoC" }] : [])),
  );
  await store("PAGE", values.toReversed());
  const first = await metering.read({ stationId: "PAGE" }, { limit: 6 });
  const last = first.at(-1);
  const rest = await metering.read({ stationId: "PAGE" }, { after: last && { atMs: last.atMs, key: last.key } });
  expect([...first, ...rest].map(({ atMs }) => atMs)).toEqual(values.map(({ atMs }) => atMs));
  expect(await metering.read({ stationId: "PAGE", measurand: "SoC" })).toHaveLength(5);
  expect(await metering.read({ stationId: "PAGE", fromMs: at(2), toMs: at(4) })).toHaveLength(3);
});

it("summarises by series and span, and leaves out what is no number", async () => {
  const power = (minute: number, watts: number, phase?: string) =>
    value(minute, { value: watts, measurand: "Power.Active.Import", ...(phase === undefined ? {} : { phase }) });
  await store("SUM", [
    power(0, 1_000),
    power(5, 3_000),
    power(10, 8_000),
    power(10, 2_000, "L1"),
    value(
      11,
      { value: "broken", measurand: "Power.Active.Import" },
      { value: 1e300, measurand: "Power.Active.Import" },
    ),
  ]);
  const spans = await metering.summarise({ stationId: "SUM", measurand: "Power.Active.Import" }, 600_000);
  expect(spans).toMatchObject([
    { fromMs: at(0), count: 2, minimum: 1_000, maximum: 3_000, mean: 2_000, first: 1_000, last: 3_000 },
    { fromMs: at(10), count: 1, mean: 8_000, phase: undefined },
    { fromMs: at(10), count: 1, mean: 2_000, phase: "L1", unit: "W", location: "Outlet", lastAtMs: at(10) },
  ]);
  expect(await metering.summarise({ stationId: "SUM" })).toMatchObject([{ count: 3, fromMs: at(0) }, { count: 1 }]);
});

it("drops what is older than the retention, a day at a time", async () => {
  await store("OLD", [value(-60 * 24 * 5, { value: 1 }), value(0, { value: 2 })]);
  const later = new Date(NOW.getTime() + 28 * 86_400_000);
  await maintainPartitions(database.kysely, meterValuePartitions(30), later);
  expect((await metering.read({ stationId: "OLD" })).map(({ samples }) => samples[0]?.value)).toEqual([2]);
});

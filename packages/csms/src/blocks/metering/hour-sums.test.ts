import { ManualClock, startTestDatabase, type TestDatabase } from "@polyphase/testing";
import fc from "fast-check";
import { sql } from "kysely";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { connectDatabase, type Database } from "../../database/connection.ts";
import { createGroupCommit, type GroupCommitter } from "../../database/group-commit.ts";
import { migrateDatabase } from "../../database/migrate.ts";
import { maintainPartitions } from "../../database/partitions.ts";
import {
  createMetering,
  hourSumPartitions,
  type Metering,
  type MeterValueFilter,
  meterValuePartitions,
  migrations,
  type SeriesSummary,
} from "./index.ts";
import { type MeterSample, normaliseSample } from "./meter-sample.ts";

const log = pino({ level: "silent" });
const HOUR_MS = 3_600_000;
const START = Date.parse("2026-03-01T06:00:00Z");

let testDatabase: TestDatabase;
let database: Database;
let groupCommit: GroupCommitter;
let metering: Metering;
const clock = new ManualClock(new Date(START));

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  database = await connectDatabase({ url: testDatabase.url, log });
  await migrateDatabase(database.kysely, migrations);
  await maintainAt(new Date(START));
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
  metering = createMetering({ database: database.kysely, clock, log });
});

afterAll(async () => {
  await metering.close();
  await groupCommit.close();
  await database.close();
  await testDatabase.drop();
});

async function maintainAt(now: Date): Promise<void> {
  for (const plan of [hourSumPartitions(1), meterValuePartitions(1)]) {
    await maintainPartitions(database.kysely, plan, now);
  }
}

async function store(stationId: string, atMs: number, samples: readonly MeterSample[], evseId = 1): Promise<void> {
  const unit = groupCommit.unit();
  metering.store(unit, { stationId, evseId, connectorId: 1, receivedAt: clock.now() }, [{ atMs, samples }]);
  await unit.commit();
}

/** Makes the stored sums of a station tell apart from what they were made of. */
async function mark(stationId: string): Promise<void> {
  await sql`
    update meter_value_hour set series = jsonb_set(series, '{0,maximum}', '77777') where station_id = ${stationId}`.execute(
    database.kysely,
  );
}

const hourOf = (atMs: number) => Math.floor(atMs / HOUR_MS) * HOUR_MS;

/** What the summaries must be, from the values that are stored. */
async function expected(filter: MeterValueFilter, bucketMs: number | undefined): Promise<SeriesSummary[]> {
  const groups = new Map<string, { atMs: number; value: number; sample: MeterSample; fromMs: number }[]>();
  for (const { atMs, samples } of await metering.read(filter)) {
    for (const sample of samples) {
      const { measurand, unit, location, phase, value } = sample;
      if (value === undefined || Math.abs(value) > 1e15) continue;
      if (filter.measurand !== undefined && measurand !== filter.measurand) continue;
      const fromMs = bucketMs === undefined ? -1 : Math.floor(atMs / bucketMs) * bucketMs;
      const key = JSON.stringify([fromMs, measurand, unit, location, phase]);
      groups.set(key, [...(groups.get(key) ?? []), { atMs, value, sample, fromMs }]);
    }
  }
  const summaries = [...groups.values()].map((group): SeriesSummary => {
    const inOrder = group.toSorted((a, b) => a.atMs - b.atMs || a.value - b.value);
    const [first, last] = [inOrder[0], inOrder.at(-1)];
    if (first === undefined || last === undefined) throw new Error("a group has values");
    const values = group.map(({ value }) => value);
    return {
      fromMs: bucketMs === undefined ? first.atMs : first.fromMs,
      measurand: first.sample.measurand,
      unit: first.sample.unit,
      location: first.sample.location,
      phase: first.sample.phase,
      count: values.length,
      minimum: Math.min(...values),
      maximum: Math.max(...values),
      mean: expect.closeTo(values.reduce((sum, value) => sum + value, 0) / values.length, 6) as unknown as number,
      first: first.value,
      last: last.value,
      lastAtMs: last.atMs,
    };
  });
  return summaries.sort((a, b) => a.fromMs - b.fromMs);
}

const sample = fc.record({
  measurand: fc.constantFrom("Power.Active.Import", "Voltage", "SoC"),
  phase: fc.constantFrom(undefined, undefined, "L1"),
  location: fc.constantFrom(undefined, "EV"),
  value: fc.oneof(fc.integer({ min: -500, max: 500 }), fc.constantFrom(0.1, 230.7, 1e16, "not a number")),
});
const arrived = fc.record({
  what: fc.constant("value" as const),
  /** Hours from the begin, in quarters: many values share an hour, and some a moment. */
  quarter: fc.nat(19),
  evseId: fc.constantFrom(1, 2),
  samples: fc.array(sample, { minLength: 1, maxLength: 3 }),
});
const step = fc.oneof(
  { weight: 5, arbitrary: arrived },
  { weight: 2, arbitrary: fc.record({ what: fc.constant("settle" as const), hours: fc.nat(3) }) },
);
const question = fc.record({
  bucketMs: fc.constantFrom(undefined, HOUR_MS, 2 * HOUR_MS, 24 * HOUR_MS, 900_000),
  fromQuarter: fc.option(fc.nat(19), { nil: undefined }),
  toQuarter: fc.option(fc.nat(19), { nil: undefined }),
  measurand: fc.constantFrom(undefined, undefined, "Voltage"),
  evseId: fc.constantFrom(undefined, undefined, 2),
});

let stations = 0;

it("summaries are those of the values themselves, however late values come and whenever hours are summed up", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 25 }),
      fc.array(question, { minLength: 4, maxLength: 4 }),
      async (steps, questions) => {
        const stationId = `CS${++stations}`;
        clock.set(new Date(START));
        for (const each of steps) {
          if (each.what === "value") {
            await store(stationId, START + each.quarter * 900_000, each.samples.map(normaliseSample), each.evseId);
          } else {
            clock.advance(each.hours * HOUR_MS);
            await metering.settleHours();
          }
        }
        for (const { bucketMs, fromQuarter, toQuarter, measurand, evseId } of questions) {
          const fromMs = fromQuarter === undefined ? undefined : START + fromQuarter * 900_000;
          const toMs = toQuarter === undefined ? undefined : START + toQuarter * 900_000;
          const filter = { stationId, evseId, measurand, fromMs, toMs };
          const found = await metering.summarise(filter, bucketMs);
          const times = found.map((summary) => summary.fromMs);
          expect(times).toEqual(times.toSorted((a, b) => a - b));
          const byText = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
          const identity = ({ fromMs, measurand, unit, location, phase }: SeriesSummary) => ({
            fromMs,
            measurand,
            unit,
            location,
            phase,
          });
          const sorted = (summaries: SeriesSummary[]) => summaries.toSorted((a, b) => byText(identity(a), identity(b)));
          expect(sorted(found)).toEqual(sorted(await expected(filter, bucketMs)));
        }
      },
    ),
    { numRuns: 100 },
  );
});

const power = (value: number) => [normaliseSample({ measurand: "Power.Active.Import", value })];

it("sums of hours that are over are read instead of their values, until a value comes late", async () => {
  clock.set(new Date(START));
  await store("LATE", START, power(1));
  await store("LATE", START + 60_000, power(2));
  await store("LATE", START + HOUR_MS, power(3));
  clock.advance(HOUR_MS + 299_999);
  await metering.settleHours();
  await mark("LATE");
  const maxima = async (filter: Partial<MeterValueFilter> = {}) =>
    (await metering.summarise({ stationId: "LATE", ...filter }, HOUR_MS)).map(({ maximum }) => maximum);
  expect(await maxima()).toEqual([2, 3]);
  clock.advance(1);
  await metering.settleHours();
  await mark("LATE");
  expect(await maxima()).toEqual([77_777, 3]);
  expect(await maxima({ evseId: 1 })).toEqual([2, 3]);
  expect(await maxima({ fromMs: START + 1 })).toEqual([2, 3]);
  expect(await maxima({ fromMs: START, toMs: START + 60_000 })).toEqual([77_777]);
  await store("LATE", START + 120_000, power(9));
  expect(await maxima()).toEqual([9, 3]);
  await metering.settleHours();
  await mark("LATE");
  expect(await maxima()).toEqual([77_777, 3]);
});

it("sums of one value are not taken for another of the same hour that alone is asked for", async () => {
  clock.set(new Date(START));
  await store("PART", START + 1_800_000, power(1));
  clock.advance(2 * HOUR_MS);
  await metering.settleHours();
  await store("PART", START + 900_000, power(2));
  const found = await metering.summarise({ stationId: "PART", toMs: START + 900_000 }, HOUR_MS);
  expect(found.map(({ maximum }) => maximum)).toEqual([2]);
});

it("sums go before the values do: what comes for the same hour later is not taken for it", async () => {
  clock.set(new Date(START));
  await store("GONE", START, power(1));
  clock.advance(2 * HOUR_MS);
  await metering.settleHours();
  await mark("GONE");
  const maxima = async () => (await metering.summarise({ stationId: "GONE" }, HOUR_MS)).map(({ maximum }) => maximum);
  expect(await maxima()).toEqual([77_777]);
  clock.set("2026-03-03T00:00:00Z");
  await maintainAt(clock.now());
  expect(await maxima()).toEqual([]);
  await store("GONE", START, power(5));
  expect(await maxima()).toEqual([5]);
});

it("hours that could not be summed up wait for the next time", async () => {
  clock.set("2026-03-03T00:00:00Z");
  const atMs = hourOf(clock.now().getTime());
  await store("WAIT", atMs, power(1));
  clock.advance(2 * HOUR_MS);
  await sql`alter table meter_value_hour rename to away`.execute(database.kysely);
  await metering.settleHours();
  await sql`alter table away rename to meter_value_hour`.execute(database.kysely);
  await metering.settleHours();
  await mark("WAIT");
  expect((await metering.summarise({ stationId: "WAIT" }, HOUR_MS)).map(({ maximum }) => maximum)).toEqual([77_777]);
});

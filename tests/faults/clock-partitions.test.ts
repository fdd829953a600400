import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { onlyTransactionOf, RawStation } from "../system/raw-station.ts";
import { RestartableCsms } from "./restartable-csms.ts";

let running: RestartableCsms;
let database: pg.Client;

beforeAll(async () => {
  running = await RestartableCsms.start();
  database = new pg.Client({ connectionString: running.databaseUrl });
  await database.connect();
});

afterAll(async () => {
  await database.end();
  await running.close();
});

/** Names of all partitions. */
async function partitions(): Promise<readonly string[]> {
  const { rows } = await database.query<{ name: string }>(
    "select relname as name from pg_class where relispartition and relkind = 'r' order by relname",
  );
  return rows.map(({ name }) => name);
}

/** Sends readings of a transaction at times and returns its energy and the times that are shown. */
async function charge(identity: string, times: readonly string[]) {
  const station = await RawStation.boot2(running, identity);
  for (const [seqNo, timestamp] of times.entries()) {
    await station.call("TransactionEvent", {
      ...{ eventType: seqNo === 0 ? "Started" : "Updated", triggerReason: "MeterValuePeriodic", seqNo, timestamp },
      ...{ transactionInfo: { transactionId: "T" }, evse: { id: 1, connectorId: 1 } },
      meterValue: [{ timestamp, sampledValue: [{ value: 1_000 + 10 * seqNo }] }],
    });
  }
  await station.close();
  const transaction = await onlyTransactionOf(running, identity);
  const { body } = await running.api("GET", `/transactions/${String(transaction.id)}/meter-values?limit=500`);
  return { energyWh: transaction.energyWh, times: (body.items ?? []).map(({ timestamp }) => timestamp) };
}

it("messages of a thousand different years are stored and shown, and make no partition", async () => {
  const before = await partitions();
  const times = Array.from({ length: 250 }, (_, index) => {
    return `${String(1 + index * 40).padStart(4, "0")}-06-15T12:00:00.000Z`;
  });
  const shown = await charge("CENTURIES", times);
  expect(shown).toEqual({ energyWh: 2_490, times });
  await running.restart();
  expect(await partitions()).toEqual(before);
});

it.each([
  { border: "midnight in UTC", times: ["2026-03-09T23:59:59.999Z", "2026-03-10T00:00:00.000Z"] },
  { border: "local midnight", times: ["2026-03-09T22:59:59.999Z", "2026-03-09T23:00:00.000Z"] },
  { border: "the beginning of a week", times: ["2026-03-08T23:59:59.999Z", "2026-03-09T00:00:00.000Z"] },
  { border: "the beginning of the oldest partition", times: ["2026-03-02T23:59:59.999Z", "2026-03-03T00:00:00.000Z"] },
  { border: "the end of the newest partition", times: ["2026-03-13T23:59:59.999Z", "2026-03-14T00:00:00.000Z"] },
])("a charge over $border is kept whole", async ({ border, times }) => {
  expect(await charge(border.replaceAll(" ", "-"), times)).toEqual({ energyWh: 10, times });
});

it.each([
  { change: "spring forward", from: "2026-03-28T12:00:00Z", until: "2026-03-30T12:00:00Z" },
  { change: "fall back", from: "2026-10-24T12:00:00Z", until: "2026-10-26T12:00:00Z" },
])("days on which clocks $change have 24 hours, none stored twice and none lost", async ({ change, from, until }) => {
  const zone = process.env.TZ;
  process.env.TZ = "Europe/Berlin";
  try {
    const times: string[] = [];
    for (let ms = Date.parse(from); ms <= Date.parse(until); ms += 1_800_000) times.push(new Date(ms).toISOString());
    running.clock.set(from);
    await running.restart();
    running.clock.set(until);
    await running.restart();
    const [first, last] = [from.slice(0, 10), until.slice(0, 10)].map((day) => day.replaceAll("-", ""));
    const days = (await partitions()).filter((name) => name.startsWith("meter_value_p"));
    expect(days).toContain(`meter_value_p${first}`);
    expect(days).toContain(`meter_value_p${last}`);
    expect(await charge(change.replaceAll(" ", "-"), times)).toEqual({ energyWh: 10 * (times.length - 1), times });
  } finally {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  }
});

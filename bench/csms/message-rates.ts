import { atLeast, atMost, type Figure, fleetSizes, secondsEach } from "./bench-case.ts";
import type { BenchDatabase } from "./csms-under-test.ts";
import { besideFloor, type FleetRates, measureFleetRates } from "./fleet-rates.ts";
import { identities, registerStations, startMessageLoad, targetOf } from "./rate.ts";
import type { Workload } from "./workloads.ts";

const PREFIX = "BENCH-";

/** The figures of one fleet. Only 200 stations have a goal for the rate. */
export function rateFigures(stations: number, what: string, { bare, full, half }: FleetRates): readonly Figure[] {
  const fleet = `${stations} stations`;
  const endpoint = "bare protocol endpoint";
  return [
    {
      what: `${fleet}, ${what} per second`,
      measured: { value: full.perSecond, unit: "/s" },
      floor: { what: endpoint, value: bare.perSecond },
      ...(stations === 200 ? { goal: atLeast(6_000) } : {}),
    },
    {
      what: `${fleet}, p99 at that rate`,
      measured: { value: full.p99Ms, unit: "ms" },
      floor: { what: endpoint, value: bare.p99Ms },
    },
    { what: `${fleet}, p99 at half of that rate`, measured: { value: half.p99Ms, unit: "ms" }, goal: atMost(50) },
    {
      what: `${fleet}, CPU of the server each`,
      measured: { value: full.serverMicros, unit: "µs" },
      floor: { what: endpoint, value: bare.serverMicros },
    },
    { what: `${fleet}, CPU of PostgreSQL each`, measured: { value: full.databaseMicros, unit: "µs" } },
  ];
}

/** Rows per second of a script that does nothing but write one row a message, 100 to a statement, each durable. */
async function plainRowsPerSecond(database: BenchDatabase): Promise<number> {
  const size = 100;
  return database.connected(async (client) => {
    await client.query(
      "create table plain_event (station_id text, transaction_id text, seq_no integer, at timestamptz, payload jsonb, primary key (station_id, transaction_id, seq_no))",
    );
    const payload = JSON.stringify({ value: [1_000, 11_040.5, 16.02], triggerReason: "MeterValuePeriodic" });
    const stationIds = identities(PREFIX, size);
    const same = <T>(value: T): T[] => stationIds.map(() => value);
    const begin = performance.now();
    let rows = 0;
    for (let seqNo = 0; performance.now() - begin < secondsEach * 500; seqNo++) {
      await client.query({
        name: "plain",
        text: "insert into plain_event select * from unnest($1::text[], $2::text[], $3::integer[], $4::timestamptz[], $5::jsonb[])",
        values: [stationIds, same("T"), same(seqNo), same(new Date().toISOString()), same(payload)],
      });
      rows += size;
    }
    return rows / ((performance.now() - begin) / 1_000);
  });
}

/** Measures one kind of message with fleets of several sizes, and a plain script that writes as much. */
export async function messageRates(workload: Workload["name"], what: string): Promise<readonly Figure[]> {
  const sizes = fleetSizes("50,200,1000");
  return besideFloor(async (bare, csms) => {
    await registerStations(csms, identities(PREFIX, Math.max(...sizes)));
    const figures: Figure[] = [];
    let best = 0;
    for (const stations of sizes) {
      const rates = await measureFleetRates(bare, targetOf(csms), (target, withPassword) =>
        startMessageLoad(target, { workload, stations, prefix: PREFIX, withPassword }),
      );
      best = Math.max(best, rates.full.perSecond);
      figures.push(...rateFigures(stations, what, rates));
    }
    const plain = await plainRowsPerSecond(csms.database);
    const floor = { what: "plain script, 100 rows a durable statement", value: plain };
    return [...figures, { what: `best rate, ${what} per second`, measured: { value: best, unit: "/s" }, floor }];
  });
}

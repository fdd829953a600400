import { atLeast, atMost, type BenchCase, type Figure, median, secondsEach } from "./bench-case.ts";
import type { BenchDatabase, CsmsUnderTest } from "./csms-under-test.ts";
import { besideFloor } from "./fleet-rates.ts";
import {
  identities,
  type Measured,
  measureRate,
  registerStations,
  startMessageLoad,
  type Target,
  targetOf,
  warmUp,
} from "./rate.ts";

const STATIONS = 200;
const ROUNDS = 5;
const PREFIX = "BEAT-";

/** Transactions that PostgreSQL has committed so far; it counts them with a delay of up to a second. */
async function transactionsOf(database: BenchDatabase): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  return database.connected(async (client) => {
    const { rows } = await client.query<{ count: string }>(
      "select xact_commit as count from pg_stat_database where datname = current_database()",
    );
    return Number(rows[0]?.count);
  });
}

interface Rounds {
  readonly bare: readonly Measured[];
  readonly full: readonly Measured[];
  readonly transactionsPerThousand: number;
}

async function measureRounds(bare: Target, csms: CsmsUnderTest): Promise<Rounds> {
  const fleet = { workload: "heartbeat", stations: STATIONS, prefix: PREFIX } as const;
  const loads = [
    await startMessageLoad(bare, { ...fleet, withPassword: false }),
    await startMessageLoad(targetOf(csms), { ...fleet, withPassword: true }),
  ] as const;
  const rounds = { bare: [] as Measured[], full: [] as Measured[] };
  const order = { seconds: secondsEach / 2, perSecond: 0 };
  // The inventory that the CSMS asks for after each boot is not what is measured.
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  for (const load of loads) await warmUp(load);
  const before = await transactionsOf(csms.database);
  for (let round = 0; round < ROUNDS; round++) {
    rounds.bare.push(await measureRate(bare, loads[0], order));
    rounds.full.push(await measureRate(targetOf(csms), loads[1], order));
  }
  const transactions = (await transactionsOf(csms.database)) - before;
  for (const load of loads) load.end();
  const calls = rounds.full.reduce((sum, round) => sum + round.calls, 0);
  return { ...rounds, transactionsPerThousand: (transactions / calls) * 1_000 };
}

function figures({ bare, full, transactionsPerThousand }: Rounds): readonly Figure[] {
  const share = median(full.map((one, round) => (bare[round]?.serverMicros ?? Number.NaN) / one.serverMicros));
  const of = (rounds: readonly Measured[], pick: (one: Measured) => number) => median(rounds.map(pick));
  const figure = (what: string, unit: string, pick: (one: Measured) => number): Figure => ({
    what,
    measured: { value: of(full, pick), unit },
    floor: { what: "bare protocol endpoint", value: of(bare, pick) },
  });
  return [
    {
      what: "work of the protocol library alone as a share of the CSMS's, by CPU, in the same round",
      measured: { value: share * 100, unit: "%" },
      goal: atLeast(80),
    },
    figure("CPU of the server each", "µs", (one) => one.serverMicros),
    figure("per second", "/s", (one) => one.perSecond),
    figure("p99", "ms", (one) => one.p99Ms),
    { what: "CPU of PostgreSQL each", measured: { value: of(full, (one) => one.databaseMicros), unit: "µs" } },
    {
      what: "transactions of the database per 1,000 Heartbeats, everything in the background included",
      measured: { value: transactionsPerThousand, unit: "" },
      goal: atMost(10),
    },
  ];
}

/** Heartbeats, which need nothing of the database. */
export const heartbeat: BenchCase = {
  name: "heartbeat",
  title: `Heartbeats (1.6) of ${STATIONS} stations, security profile 1, ${ROUNDS} rounds in turn with the bare endpoint; medians`,
  run: () =>
    besideFloor(async (bare, csms) => {
      await registerStations(csms, identities(PREFIX, STATIONS));
      return figures(await measureRounds(bare, csms));
    }),
};

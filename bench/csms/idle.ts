import { atMost, type BenchCase, type Figure, fleetSizes, median, secondsEach } from "./bench-case.ts";
import { BenchProcess } from "./child-process.ts";
import { type CsmsUnderTest, withCsms } from "./csms-under-test.ts";
import type { DeathReport, FleetOrder, FleetSetting, StormReport } from "./fleet-plan.ts";
import { proportionalMib, residentMib } from "./memory.ts";
import { mostConnections } from "./open-files.ts";
import { processorSeconds } from "./processor-time.ts";
import { databaseSeconds, startEndpoint, targetOf } from "./rate.ts";

/** Stations that die without closing their sockets. */
const DEAD = 50;
/** Pings go out after 30 s of silence and pongs are waited for 15 s; sockets are looked at once a second. */
const NOTICED_WITHIN_S = 48;
/** Time in which what the boots left behind is done and the heap is at rest. */
const SETTLING_MS = 15_000;

async function connectAll(setting: FleetSetting): Promise<BenchProcess> {
  const [fleet] = await BenchProcess.start("./fleet.ts", setting);
  const order: FleetOrder = { do: "boot" };
  const { failed } = await fleet.ask<StormReport>(order);
  if (failed > 0) throw new Error(`${failed} stations could not connect`);
  return fleet;
}

async function bareMib(stations: number): Promise<{ readonly before: number; readonly connected: number }> {
  const { target, process } = await startEndpoint();
  const before = residentMib(target.pid);
  const { port } = target;
  const fleet = await connectAll({ port, prefix: "IDLE-", stations, withPassword: false, onlyJson: true });
  const connected = residentMib(target.pid);
  fleet.end();
  process.end();
  return { before, connected };
}

interface Idle {
  readonly beforeMib: number;
  readonly serverMib: number;
  readonly databaseMib: number;
  readonly serverPercent: number;
  readonly databasePercent: number;
  readonly noticedAfterS: readonly number[];
}

async function measureIdle(csms: CsmsUnderTest, stations: number): Promise<Idle> {
  const beforeMib = residentMib(csms.pid);
  const { port } = csms;
  const fleet = await connectAll({ port, prefix: "IDLE-", stations, withPassword: false, onlyJson: true });
  try {
    await new Promise((resolve) => setTimeout(resolve, SETTLING_MS));
    const server = processorSeconds(csms.pid).own;
    const database = databaseSeconds(targetOf(csms));
    // Two rounds of pings at least, and a fifth of the Heartbeats.
    const begin = performance.now();
    await new Promise((resolve) => setTimeout(resolve, Math.max(60, secondsEach) * 1_000));
    const seconds = (performance.now() - begin) / 1_000;
    const serverPercent = ((processorSeconds(csms.pid).own - server) / seconds) * 100;
    const databasePercent = ((databaseSeconds(targetOf(csms)) - database) / seconds) * 100;
    const serverMib = residentMib(csms.pid);
    const databaseMib = proportionalMib(csms.database.pid);
    const order: FleetOrder = { do: "die", stations: DEAD, patienceS: 90 };
    const { noticedAfterS } = await fleet.ask<DeathReport>(order);
    return { beforeMib, serverMib, databaseMib, serverPercent, databasePercent, noticedAfterS };
  } finally {
    fleet.end();
  }
}

function figures(stations: number, bare: { before: number; connected: number }, idle: Idle): readonly Figure[] {
  const noticedAll = idle.noticedAfterS.length === DEAD;
  const perStation = (mib: number): number => (mib * 1_024) / stations;
  return [
    {
      what: `server, resident (${idle.beforeMib.toFixed(0)} MiB without stations)`,
      measured: { value: idle.serverMib, unit: "MiB" },
      floor: { what: "bare protocol endpoint", value: bare.connected },
    },
    { what: "PostgreSQL, proportional share of all its processes", measured: { value: idle.databaseMib, unit: "MiB" } },
    {
      what: "both together",
      measured: { value: idle.serverMib + idle.databaseMib, unit: "MiB" },
      goal: atMost((600 * stations) / 10_000),
    },
    {
      what: "server, each station",
      measured: { value: perStation(idle.serverMib - idle.beforeMib), unit: "KiB" },
      floor: { what: "bare protocol endpoint", value: perStation(bare.connected - bare.before) },
    },
    { what: "CPU of the server", measured: { value: idle.serverPercent, unit: "% of a core" } },
    { what: "CPU of PostgreSQL", measured: { value: idle.databasePercent, unit: "% of a core" } },
    {
      what: `a station that died without a word is noticed after, median of ${DEAD}`,
      measured: { value: noticedAll ? median(idle.noticedAfterS) : Number.NaN, unit: "s" },
    },
    {
      what: "the last of them after",
      measured: { value: noticedAll ? Math.max(...idle.noticedAfterS) : Number.NaN, unit: "s" },
      goal: atMost(NOTICED_WITHIN_S),
    },
  ];
}

/** Many stations that do nothing. */
export const idle: BenchCase = {
  name: "idle",
  title: "Idle stations of 1.6, 2.0.1 and 2.1, booted and reported, with the default ping and heartbeat intervals",
  async run(note) {
    const [asked = 10_000] = fleetSizes("10000");
    const stations = Math.min(asked, mostConnections());
    note(
      `${stations} stations.${stations < asked ? " The hard limit of open files (ulimit -Hn) allows no more." : ""}`,
    );
    const bare = await bareMib(stations);
    return withCsms(async (csms) => figures(stations, bare, await measureIdle(csms, stations)));
  },
};

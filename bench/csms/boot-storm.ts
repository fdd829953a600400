import { atLeast, atMost, type BenchCase, type Figure, fleetSizes } from "./bench-case.ts";
import { BenchProcess } from "./child-process.ts";
import type { LoadReport } from "./closed-loop.ts";
import { BenchDatabase, CsmsUnderTest } from "./csms-under-test.ts";
import type { FleetOrder, FleetSetting, StormReport } from "./fleet-plan.ts";
import { residentMib, watchPeak } from "./memory.ts";
import { processorSeconds } from "./processor-time.ts";
import {
  databaseSeconds,
  identities,
  registerStations,
  startEndpoint,
  startMessageLoad,
  type Target,
  targetOf,
} from "./rate.ts";

const OTHERS = 50;
/** TransactionEvents per second of the others together. */
const OTHERS_PER_SECOND = 200;

interface Storm extends StormReport {
  /** CPU milliseconds of the server for each station. */
  readonly serverMs: number;
  readonly databaseMs: number;
  readonly peakMib: number;
  readonly beforeMib: number;
}

async function storm(setting: FleetSetting, target: Target): Promise<Storm> {
  const [fleet] = await BenchProcess.start("./fleet.ts", setting);
  const { pid } = target;
  const beforeMib = residentMib(pid);
  const peak = watchPeak(pid);
  const server = processorSeconds(pid).own;
  const database = databaseSeconds(target);
  try {
    const order: FleetOrder = { do: "boot" };
    const report = await fleet.ask<StormReport>(order);
    const serverMs = ((processorSeconds(pid).own - server) * 1_000) / setting.stations;
    const databaseMs = ((databaseSeconds(target) - database) * 1_000) / setting.stations;
    return { ...report, serverMs, databaseMs, peakMib: peak(), beforeMib };
  } finally {
    fleet.end();
  }
}

/** The storm on the protocol library alone, which asks nobody and stores nothing. */
async function bareStorm(stations: number): Promise<Storm> {
  const endpoint = await startEndpoint();
  const { port } = endpoint.target;
  const fleet = { port, prefix: `STORM${stations}-`, stations, withPassword: false, onlyJson: false };
  try {
    return await storm(fleet, endpoint.target);
  } finally {
    endpoint.process.end();
  }
}

interface DisturbedStorm extends Storm {
  readonly othersBefore: LoadReport;
  readonly othersMeanwhile: LoadReport;
}

/** A storm on a CSMS that was started just now, so that no password was verified before, beside stations that charge. */
async function stormOn(database: BenchDatabase, stations: number, withPassword: boolean): Promise<DisturbedStorm> {
  const csms = await CsmsUnderTest.start(database);
  const fleetOfOthers = { workload: "transaction-events", stations: OTHERS, prefix: "OTHER-" } as const;
  const others = await startMessageLoad(targetOf(csms), { ...fleetOfOthers, withPassword: true });
  const order = (seconds: number) => others.ask<LoadReport>({ seconds, perSecond: OTHERS_PER_SECOND });
  try {
    await order(3);
    const othersBefore = await order(5);
    // The stations that charge go on a little longer than the storm is expected to take.
    const meanwhile = order(stations / 200 + 2);
    const prefix = `STORM${withPassword ? "P" : ""}${stations}-`;
    const fleet = { port: targetOf(csms).port, prefix, stations, withPassword, onlyJson: false };
    const report = await storm(fleet, targetOf(csms));
    return { ...report, othersBefore, othersMeanwhile: await meanwhile };
  } finally {
    others.end();
    await csms.stop();
  }
}

function figures(what: string, stations: number, bare: Storm, full: DisturbedStorm): readonly Figure[] {
  const endpoint = "bare protocol endpoint";
  return [
    {
      what: `${what}: until all are accepted and reported`,
      measured: { value: full.seconds, unit: "s" },
      floor: { what: endpoint, value: bare.seconds },
      ...(stations === 1_000 ? { goal: atMost(5) } : {}),
    },
    {
      what: `${what}: CPU of the server each, the others included`,
      measured: { value: full.serverMs, unit: "ms" },
      floor: { what: endpoint, value: bare.serverMs },
    },
    { what: `${what}: CPU of PostgreSQL each`, measured: { value: full.databaseMs, unit: "ms" } },
    { what: `${what}: until half are`, measured: { value: full.halfSeconds, unit: "s" } },
    { what: `${what}: never accepted`, measured: { value: full.failed, unit: "" }, goal: atMost(0) },
    { what: `${what}: put off for a while`, measured: { value: full.refused + full.deferred, unit: "" } },
    {
      what: `${what}: peak memory of the server (${full.beforeMib.toFixed(0)} MiB before)`,
      measured: { value: full.peakMib, unit: "MiB" },
      floor: { what: endpoint, value: bare.peakMib },
    },
    {
      what: `${what}: p99 of ${OTHERS} other stations meanwhile`,
      measured: { value: full.othersMeanwhile.p99Ms, unit: "ms" },
      floor: { what: "the same before", value: full.othersBefore.p99Ms },
    },
    {
      what: `${what}: events of the others that were answered meanwhile`,
      measured: { value: full.othersMeanwhile.calls / full.othersMeanwhile.seconds, unit: "/s" },
      floor: { what: "the same before", value: full.othersBefore.calls / full.othersBefore.seconds },
      goal: atLeast(0.95, "ratio"),
    },
  ];
}

/** Cold stations that all come at once. */
export const bootStorm: BenchCase = {
  name: "boot-storm",
  title:
    "Cold stations of 1.5, 1.6, 2.0.1 and 2.1, JSON and SOAP, connect at once, boot and report three or two connectors; " +
    `the CSMS was just started; ${OTHERS} others send ${OTHERS_PER_SECOND} TransactionEvents a second meanwhile`,
  async run() {
    const database = await BenchDatabase.start();
    try {
      const result: Figure[] = [];
      for (const stations of fleetSizes("1000,5000")) {
        const csms = await CsmsUnderTest.start(database);
        await registerStations(csms, [...identities("OTHER-", OTHERS), ...identities(`STORMP${stations}-`, stations)]);
        for (const identity of identities(`STORM${stations}-`, stations))
          await csms.call("PUT", `/stations/${identity}`, {});
        await csms.stop();
        const bare = await bareStorm(stations);
        for (const withPassword of [false, true]) {
          const what = `${stations} stations, security profile ${withPassword ? 1 : 0}`;
          result.push(...figures(what, stations, bare, await stormOn(database, stations, withPassword)));
        }
      }
      return result;
    } finally {
      await database.remove();
    }
  },
};

// A fleet of stations of mixed versions in a process of its own: they boot, report their status, answer what the CSMS
// asks, send Heartbeats as they are told, and some die.
import { givenSetting, serveOrders } from "./child-process.ts";
import { type DeathReport, type FleetOrder, type FleetSetting, kindOf, type StormReport } from "./fleet-plan.ts";
import { FleetStation } from "./fleet-station.ts";
import { passwordOf } from "./workloads.ts";

const setting = givenSetting<FleetSetting>();
const indexes: number[] = [];
for (let index = 0; indexes.length < setting.stations; index++) {
  if (!setting.onlyJson || kindOf(index).transport === "OCPP-J") indexes.push(index);
}
const stations = indexes.map((index, position) => {
  const identity = `${setting.prefix}${position}`;
  const password = setting.withPassword ? passwordOf(identity) : undefined;
  return new FleetStation({ port: setting.port, identity, password, kind: kindOf(index) });
});

async function boot(): Promise<StormReport> {
  const begin = performance.now();
  const seconds: number[] = [];
  await Promise.all(
    stations.map(async (station) => {
      if (await station.boot()) seconds.push((performance.now() - begin) / 1_000);
    }),
  );
  setInterval(() => {
    for (const station of stations) station.beatIfDue();
  }, 1_000).unref();
  const sum = (pick: (station: FleetStation) => number): number =>
    stations.reduce((total, station) => total + pick(station), 0);
  return {
    seconds: seconds.at(-1) ?? Number.NaN,
    halfSeconds: seconds[Math.floor(seconds.length / 2)] ?? Number.NaN,
    refused: sum(({ refused }) => refused),
    deferred: sum(({ deferred }) => deferred),
    failed: stations.length - seconds.length,
  };
}

async function die(count: number, patienceS: number): Promise<DeathReport> {
  const begin = performance.now();
  const noticedAfterS: number[] = [];
  const gone = stations.slice(0, count).map(async (station) => {
    await station.die();
    noticedAfterS.push((performance.now() - begin) / 1_000);
  });
  await Promise.race([Promise.all(gone), new Promise((resolve) => setTimeout(resolve, patienceS * 1_000))]);
  return { noticedAfterS };
}

serveOrders<FleetOrder>({ stations: stations.length }, (order) =>
  order.do === "boot" ? boot() : die(order.stations, order.patienceS),
);

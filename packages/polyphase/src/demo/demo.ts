import type { Csms } from "@polyphase/csms";
import { ScaledClock, SimulatedStation, VisitorTraffic } from "@polyphase/station";
import { DemoFiles } from "./demo-files.ts";
import { Operator } from "./operator.ts";
import { type DemoSite, type DemoStation, demoSites, demoTokens } from "./sites.ts";

/** What the demo runs with. */
export interface DemoOptions {
  readonly csms: Pick<Csms, "httpUrl" | "ocppPort">;
  /** Address that the stations connect to. */
  readonly host: string;
  readonly dataDir: string;
  /** Bearer token of an administrator. */
  readonly adminToken: string;
  /** Where progress is told, a line each. */
  tell(line: string): void;
}

/** Simulated seconds per real second until the present is reached. */
const TIME_SCALE = 60;
const DAY_MS = 86_400_000;
const BEGIN_DAYS_AGO = 2;
const BEGIN_HOUR_MS = 7 * 3_600_000;
const KEEP_TIME_EVERY_MS = 5_000;
const FIRST_STAY_MS = 15 * 60_000;

/** Morning two days ago, or where the stations were when the demo ended last, whichever is later. */
function beginning(nowMs: number, endedAtMs: number | undefined): number {
  const morning = Math.floor(nowMs / DAY_MS - BEGIN_DAYS_AGO) * DAY_MS + BEGIN_HOUR_MS;
  return Math.min(nowMs, Math.max(morning, endedAtMs ?? morning));
}

function makeStation(demo: DemoStation, clock: ScaledClock, options: DemoOptions, files: DemoFiles): SimulatedStation {
  const isSoap = ["1.2", "1.5", "1.6S"].includes(demo.version);
  const base = `${options.host}:${options.csms.ocppPort}`;
  return new SimulatedStation({
    id: demo.id,
    version: demo.version,
    csmsUrl: isSoap ? `http://${base}/ocpp/soap` : `ws://${base}/ocpp`,
    evses: demo.evses,
    clock,
    dataDir: files.stations,
    flush: false,
    synchronizeClock: false,
    settings: { txUpdatedIntervalS: 300 },
    ledgerSize: 0,
  });
}

function tellOf(station: SimulatedStation, { version }: DemoStation, site: DemoSite, tell: DemoOptions["tell"]): void {
  const energyAtStart = new Map<string, number>();
  const line = (atMs: number, text: string): void => {
    const time = new Date(atMs).toISOString().slice(0, 16).replace("T", " ");
    tell(`${time}  ${site.name.padEnd(15)}  ${station.id.padEnd(9)}  OCPP ${version.padEnd(5)}  ${text}`);
  };
  station.on("registered", () => line(station.clock.now(), "accepted after its boot"));
  station.on("transactionStarted", ({ transactionId, evseId, at, meterWh }) => {
    energyAtStart.set(transactionId, meterWh);
    line(at, `EVSE ${evseId}: transaction started`);
  });
  station.on("transactionEnded", ({ transactionId, evseId, at, meterWh, stoppedReason }) => {
    const from = energyAtStart.get(transactionId);
    energyAtStart.delete(transactionId);
    const energy = from === undefined ? "" : `, ${((meterWh - from) / 1_000).toFixed(1)} kWh`;
    line(at, `EVSE ${evseId}: transaction ended (${stoppedReason ?? "Local"})${energy}`);
  });
}

/** A driver who is there when the doors open, so that every version charges within a minute. */
async function firstDriver(station: SimulatedStation, token: string): Promise<void> {
  if (station.evse(1).plugged) return;
  station.plugIn(1, { socPercent: 30 });
  await station.presentIdToken(1, token);
  station.clock.setTimer(FIRST_STAY_MS, () => {
    station
      .presentIdToken(1, token)
      .catch(() => undefined)
      .finally(() => station.unplug(1));
  });
}

/**
 * Starts the fleet of the demo: registers sites and tokens as an operator would, boots the stations and lets drivers
 * come. The stations live through the last two days in quick motion and then on in real time.
 */
export async function startDemo(options: DemoOptions): Promise<{ close(): Promise<void> }> {
  const { csms, adminToken, dataDir, tell } = options;
  const files = new DemoFiles(dataDir);
  const startAt = beginning(Date.now(), await files.simulatedTime());
  const clock = new ScaledClock({ scale: TIME_SCALE, startAt, untilPresent: true });
  const operator = new Operator(csms.httpUrl, adminToken);
  for (const { idToken, status } of demoTokens) await operator.registerIdToken(idToken, status);

  const tokens = demoTokens.map(({ idToken }) => idToken);
  const stations: SimulatedStation[] = [];
  const traffic: VisitorTraffic[] = [];
  const keepTime = setInterval(() => {
    // A demo that cannot write its clock goes on; it only begins earlier the next time.
    files.keepSimulatedTime(clock.now()).catch(() => undefined);
  }, KEEP_TIME_EVERY_MS);
  const close = async (): Promise<void> => {
    clearInterval(keepTime);
    for (const each of traffic) each.stop();
    await Promise.all(stations.map((station) => station.stop()));
    await files.keepSimulatedTime(clock.now());
    clock.stop();
  };
  try {
    for (const site of demoSites) {
      for (const demo of site.stations) {
        await operator.registerStation(demo.id, site.name);
        const station = makeStation(demo, clock, options, files);
        stations.push(station);
        tellOf(station, demo, site, tell);
        traffic.push(new VisitorTraffic(station, { site: site.kind, busyness: site.busyness, tokens }));
      }
    }
    await Promise.all(stations.map((station) => station.start()));
    const atRoadside = stations.filter((station) => station.id.startsWith("RING"));
    await Promise.all(atRoadside.map((station, index) => firstDriver(station, tokens[index] ?? "")));
    for (const each of traffic) each.start();
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}

import { Command, InvalidArgumentError, Option } from "commander";
import type { SiteKind } from "./electric-vehicle/site-profiles.ts";
import { dcSupply, type Supply } from "./evse/electrical.ts";
import { Fleet, type FleetOptions } from "./fleet.ts";
import { type StationVersion, stationVersions } from "./simulated-station-options.ts";

interface StationFlags {
  readonly csms: string;
  readonly ocppVersion: StationVersion;
  readonly id: string;
  readonly count: number;
  readonly evses: number;
  readonly dc?: boolean;
  readonly timeScale: number;
  readonly seed?: string;
  readonly idToken: string[];
  readonly idTokenType: string;
  readonly dataDir?: string;
  readonly password?: string;
  readonly auto: boolean;
  readonly site: SiteKind;
  readonly busyness: number;
  readonly duration?: number;
  readonly quiet?: boolean;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("give a whole number above 0");
  return value;
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError("give a number above 0");
  return value;
}

function fleetOptions(flags: StationFlags): FleetOptions {
  const { csms, ocppVersion, id, count, evses, dc, timeScale, seed, idToken, idTokenType, dataDir, password } = flags;
  const supplies: number | readonly Supply[] = dc === true ? Array.from({ length: evses }, () => dcSupply) : evses;
  return {
    id,
    count,
    version: ocppVersion,
    csmsUrl: csms,
    evses: supplies,
    timeScale,
    idTokenType,
    // Thousands of waits for the disk would hold all stations up.
    flush: count <= 20,
    rebootDurationMs: 20_000,
    ...(seed === undefined ? {} : { seed }),
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(password === undefined ? {} : { password }),
    ...(flags.auto ? { visitors: { site: flags.site, tokens: idToken, busyness: flags.busyness } } : {}),
  };
}

/** Counts what happens and prints it: each event of a few stations, a sum from time to time for many. */
function report(fleet: Fleet, flags: StationFlags): () => void {
  const each = fleet.stations.length <= 20 && flags.quiet !== true;
  const counts = { registered: 0, started: 0, ended: 0, discarded: 0 };
  const say = (id: string, text: string) => {
    if (each) console.log(`${new Date(fleet.clock.now()).toISOString()} ${id} ${text}`);
  };
  for (const station of fleet.stations) {
    station.on("registrationChanged", (status) => {
      if (status === "Accepted") counts.registered++;
      say(station.id, `registration ${status}`);
    });
    station.on("connectFailed", (error) => say(station.id, error.message));
    station.on("offline", () => say(station.id, "offline"));
    station.on("transactionStarted", (event) => {
      counts.started++;
      say(station.id, `EVSE ${event.evseId} transaction started, meter ${event.meterWh} Wh`);
    });
    station.on("transactionEnded", (event) => {
      counts.ended++;
      say(station.id, `EVSE ${event.evseId} transaction ended (${event.stoppedReason}), meter ${event.meterWh} Wh`);
    });
    station.on("messageDiscarded", (message) => {
      counts.discarded++;
      say(station.id, `${message.action} given up`);
    });
  }
  if (each || flags.quiet === true) return () => {};
  const line = () => {
    const online = fleet.stations.filter((station) => station.isOnline).length;
    const queued = fleet.stations.reduce((sum, station) => sum + station.queuedMessages, 0);
    console.log(
      `${online}/${fleet.stations.length} online, ${counts.registered} registrations, ` +
        `${counts.started} transactions started, ${counts.ended} ended, ${queued} messages waiting, ` +
        `${counts.discarded} given up`,
    );
  };
  const timer = setInterval(line, 5_000);
  return () => {
    clearInterval(timer);
    line();
  };
}

/** Resolves after the given real seconds, or at SIGINT or SIGTERM. */
function untilStopped(durationS: number | undefined): { readonly stopped: Promise<void>; release(): void } {
  let release = () => {};
  const stopped = new Promise<void>((resolve) => {
    const timer = durationS === undefined ? undefined : setTimeout(() => resolve(), durationS * 1000);
    const onSignal = () => resolve();
    process.once("SIGINT", onSignal);
    process.once("SIGTERM", onSignal);
    release = () => {
      clearTimeout(timer);
      process.removeListener("SIGINT", onSignal);
      process.removeListener("SIGTERM", onSignal);
    };
  });
  return { stopped, release: () => release() };
}

async function run(flags: StationFlags): Promise<void> {
  const fleet = new Fleet(fleetOptions(flags));
  const endReport = report(fleet, flags);
  const { stopped, release } = untilStopped(flags.duration);
  const started = fleet.start().then(
    () => {
      if (flags.quiet !== true) console.log(`${fleet.stations.length} registered at ${flags.csms}`);
      return stopped;
    },
    // Stopping ends the wait for stations that were never accepted.
    () => stopped,
  );
  await Promise.race([started, stopped]);
  release();
  await fleet.stop();
  await started;
  endReport();
}

/**
 * The command `polyphase station`: runs simulated stations until it is stopped.
 *
 * @example
 * ```ts
 * program.addCommand(stationCommand());
 * ```
 */
export function stationCommand(): Command {
  return new Command("station")
    .description("run simulated charging stations against a CSMS")
    .requiredOption("--csms <url>", "address of the CSMS: ws://host:9000/ocpp or http://host:9000/ocpp/soap")
    .addOption(
      new Option("--ocpp-version <version>", "OCPP version; 1.6S is 1.6 over SOAP")
        .choices(stationVersions)
        .default("2.0.1"),
    )
    .option("--id <id>", "identity; of several stations the part before the number", "CS")
    .option("--count <n>", "number of stations", wholeNumber, 1)
    .option("--evses <n>", "EVSEs of each station", wholeNumber, 1)
    .option("--dc", "fast chargers of 150 kW in place of AC outlets of 22 kW")
    .option("--time-scale <factor>", "simulated seconds per second", positiveNumber, 1)
    .option("--seed <text>", "repeat the same drivers, vehicles and values")
    .option("--id-token <token...>", "tokens of the drivers", ["TAG1"])
    .option("--id-token-type <type>", "type of the tokens (2.x)", "ISO14443")
    .option("--data-dir <directory>", "keep queue, meters and configuration across restarts")
    .option("--password <password>", "password for HTTP Basic authentication")
    .option("--auto", "drivers come, charge and leave by themselves", false)
    .addOption(
      new Option("--site <kind>", "what kind of place drivers come to")
        .choices(["workplace", "street", "roadside"])
        .default("roadside"),
    )
    .option("--busyness <factor>", "multiplies the drivers who come", positiveNumber, 1)
    .option("--duration <seconds>", "end after so many real seconds", positiveNumber)
    .option("--quiet", "print nothing")
    .action((flags: StationFlags) => run(flags));
}

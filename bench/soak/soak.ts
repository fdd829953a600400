// `npm run soak -- --minutes 60 --stations 50 --seed 1`: stations of every version charge while connections are cut,
// answers withheld, the CSMS and its PostgreSQL killed, and somebody sends what nobody should. Prints ledgers; ends
// with 1 when anything was lost or doubled, or energy is not accounted for to the watt-hour.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "@polyphase/station";
import { callApi } from "../../tests/system/running-csms.ts";
import { ChargingFleet } from "./charging-fleet.ts";
import { CuttableRelay } from "./cuttable-relay.ts";
import { FaultSchedule } from "./fault-schedule.ts";
import { HostileVisitor } from "./hostile-visitor.ts";
import { isBalanced, type Totals, totalsOf } from "./ledger.ts";
import { type SoakOptions, soakOptions } from "./soak-options.ts";
import { SoakedCsms } from "./soaked-csms.ts";

/** How long the last messages may take to be delivered, in milliseconds. */
const DRAIN_MS = 10 * 60_000;

const wait = (timeMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, timeMs));

/** Counts the outcomes of commands. */
class Operator {
  readonly outcomes = new Map<string, number>();

  /** Sends one command to a station and takes whatever becomes of it. */
  async command(csms: SoakedCsms, stationId: string): Promise<void> {
    const path = `/stations/${encodeURIComponent(stationId)}/commands/triggerMessage`;
    const body = { requestedMessage: "Heartbeat" };
    const answer = await callApi(csms.process.httpUrl, "POST", path, body).catch(() => undefined);
    const { type, status } = answer?.body ?? {};
    const outcome =
      answer === undefined
        ? "no answer"
        : String(type ?? status ?? answer.status)
            .split("/")
            .at(-1);
    this.outcomes.set(outcome ?? "", (this.outcomes.get(outcome ?? "") ?? 0) + 1);
  }
}

interface Scene {
  readonly csms: SoakedCsms;
  readonly fleet: ChargingFleet;
  readonly faults: FaultSchedule;
  readonly hostile: HostileVisitor;
  readonly operator: Operator;
  readonly begin: number;
}

function printCourse({ csms, fleet, faults, hostile, operator, begin }: Scene): void {
  const { sent, acknowledged } = fleet.messages;
  const { begin: memoryBegin, end: memoryEnd } = csms.memoryMib;
  const minutes = ((performance.now() - begin) / 60_000).toFixed(1);
  const list = (counts: Iterable<readonly [string, number]>) =>
    [...counts].map(([name, count]) => `${name} ${count}`).join(", ");
  console.log(
    `${minutes} min  charges ${fleet.finishedCharges}  sent ${sent}  acknowledged ${acknowledged}  ` +
      `CSMS restarts ${csms.restarts}, of them after ending by itself ${csms.crashes}  PostgreSQL kills ${csms.databaseKills}  ` +
      `longest outage ${(csms.longestOutageMs / 1_000).toFixed(1)} s  ` +
      `memory ${memoryBegin.toFixed(0)} -> ${memoryEnd.toFixed(0)} MiB  hostile ${hostile.sent}`,
  );
  console.log(`  faults: ${list(Object.entries(faults.counts))}`);
  console.log(`  commands: ${list(operator.outcomes)}`);
}

function printTotals(totals: Totals): void {
  console.log("\n| charges | sent | acknowledged | stored | lost | doubled | true Wh | accounted Wh |");
  console.log("| --: | --: | --: | --: | --: | --: | --: | --: |");
  const { charges, sent, acknowledged, stored, lost, doubled, trueWh, accountedWh, differing } = totals;
  console.log(`| ${[charges, sent, acknowledged, stored, lost, doubled, trueWh, accountedWh].join(" | ")} |`);
  for (const each of differing.slice(0, 20)) console.log(`energy differs: ${JSON.stringify(each)}`);
}

async function disturb(scene: Scene, random: () => number): Promise<readonly Promise<unknown>[]> {
  const { csms, fleet, hostile, operator } = scene;
  let isOver = false;
  const repeat = async (pauseMs: number, work: () => Promise<unknown>): Promise<void> => {
    while (!isOver) {
      await work();
      await wait(pauseMs);
    }
  };
  const station = () => fleet.stations[Math.floor(random() * fleet.stations.length)]?.id ?? "";
  const faults = scene.faults.run().finally(() => {
    isOver = true;
  });
  return [faults, repeat(300, () => hostile.visit()), repeat(500, () => operator.command(csms, station()))];
}

async function soak(scene: Scene, { minutes, reportS }: SoakOptions, random: () => number): Promise<Totals> {
  const { csms, fleet, faults } = scene;
  const report = setInterval(() => printCourse(scene), reportS * 1_000);
  const until = performance.now() + minutes * 60_000;
  process.once("SIGINT", () => {
    console.log("SIGINT: ending the soak");
    faults.end();
  });
  const driving = fleet.drive();
  const disturbances = Promise.all(await disturb(scene, random));
  const end = setTimeout(() => faults.end(), until - performance.now());
  try {
    await disturbances;
    fleet.end();
    await driving;
    await fleet.drained(DRAIN_MS);
  } finally {
    clearTimeout(end);
    clearInterval(report);
  }
  printCourse(scene);
  return totalsOf(await fleet.balances(csms));
}

const options = soakOptions(process.argv.slice(2));
const dataDir = await mkdtemp(join(tmpdir(), "polyphase-soak-"));
/** Numbers of its own for each use, so that a seed repeats the faults whatever else happens. */
function numbers(use: string): () => number {
  const random = seededRandom(`soak ${options.seed}/${use}`);
  return () => random.next();
}
const csms = await SoakedCsms.start(dataDir);
const relay = await CuttableRelay.start(csms.process.ocppPort);
const fleet = new ChargingFleet(relay.port, options.stations, options.seed, numbers("drivers"));
let isGood = false;
try {
  await callApi(csms.process.httpUrl, "PUT", `/id-tokens/${fleet.idToken}`, { type: "ISO14443", status: "Accepted" });
  await fleet.start();
  console.log(`${options.stations} stations charge for ${options.minutes} min, seed ${options.seed}`);
  const scene: Scene = {
    ...{ csms, fleet, operator: new Operator(), begin: performance.now() },
    faults: new FaultSchedule({ csms, relay, fleet, random: numbers("faults") }),
    hostile: new HostileVisitor(csms.process.ocppPort, numbers("hostile")),
  };
  const totals = await soak(scene, options, numbers("operator"));
  printTotals(totals);
  isGood = isBalanced(totals) && csms.crashes === 0;
} catch (error) {
  console.error(error);
  console.error(`the CSMS wrote at last:\n${csms.process.output.slice(-5_000)}`);
} finally {
  await fleet.stop();
  await relay.close();
  const code = await csms.stop();
  if (code !== 0) {
    isGood = false;
    console.error(`the CSMS ended with ${code}`);
  }
  await rm(dataDir, { recursive: true, force: true });
}
process.exit(isGood ? 0 : 1);

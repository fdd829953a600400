import { type BenchCase, type Figure, fleetSizes, median } from "./bench-case.ts";
import { BenchProcess } from "./child-process.ts";
import type { LoadReport } from "./closed-loop.ts";
import { withCsms } from "./csms-under-test.ts";
import type { FleetOrder, StormReport } from "./fleet-plan.ts";
import { type Measured, measureRate, startEndpoint, type Target, targetOf } from "./rate.ts";

const ROUNDS = 5;
const CONNECTIONS = 64;
/** The inventory that the CSMS asks for after each boot would stand in line with the calls. */
const INVENTORY_MS = 8_000;

async function connectFleet(target: Target, stations: number): Promise<BenchProcess> {
  const setting = { port: target.port, prefix: "CALL-", stations, withPassword: false, onlyJson: true };
  const [fleet] = await BenchProcess.start("./fleet.ts", setting);
  const order: FleetOrder = { do: "boot" };
  await fleet.ask<StormReport>(order);
  return fleet;
}

async function bareRounds(stations: number): Promise<readonly Measured[]> {
  const { target, process } = await startEndpoint();
  const fleet = await connectFleet(target, stations);
  const rounds: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const order = { action: "ClearCache", payload: {} };
    rounds.push(await measureRate(target, process, order));
  }
  fleet.end();
  process.end();
  return rounds;
}

async function csmsRounds(stations: number): Promise<readonly Measured[]> {
  return withCsms(async (csms) => {
    const fleet = await connectFleet(targetOf(csms), stations);
    const setting = { ...csms.api, prefix: "CALL-", stations, connections: CONNECTIONS };
    const [operator] = await BenchProcess.start<LoadReport>("./command-load.ts", setting);
    await new Promise((resolve) => setTimeout(resolve, INVENTORY_MS));
    const rounds: Measured[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      rounds.push(await measureRate(targetOf(csms), operator, {}));
    }
    operator.end();
    fleet.end();
    return rounds;
  });
}

/** Calls to many stations at once, by the HTTP API. */
export const commands: BenchCase = {
  name: "commands",
  title: `Every station is called once by the HTTP API (ClearCache, ${CONNECTIONS} kept connections), and answers; medians of ${ROUNDS} rounds`,
  async run() {
    const [stations = 1_000] = fleetSizes("1000");
    const bare = await bareRounds(stations);
    const full = await csmsRounds(stations);
    const floor = "bare protocol endpoint, called without HTTP";
    const figure = (what: string, unit: string, pick: (one: Measured) => number): Figure => ({
      what: `${stations} calls: ${what}`,
      measured: { value: median(full.map(pick)), unit },
      floor: { what: floor, value: median(bare.map(pick)) },
    });
    return [
      figure("time to all answers", "ms", (one) => one.seconds * 1_000),
      figure("CPU of the server each", "µs", (one) => one.serverMicros),
      {
        what: `${stations} calls: CPU of PostgreSQL each`,
        measured: { value: median(full.map((one) => one.databaseMicros)), unit: "µs" },
      },
    ];
  },
};

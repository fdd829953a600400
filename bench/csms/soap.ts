import { atLeast, atMost, type BenchCase, type Figure } from "./bench-case.ts";
import { BenchProcess } from "./child-process.ts";
import { besideFloor, type FleetRates, measureFleetRates } from "./fleet-rates.ts";
import { identities, registerStations, type Target, targetOf } from "./rate.ts";
import type { SoapLoadVersion } from "./soap-envelopes.ts";
import type { SoapLoadSetting } from "./soap-load.ts";

const STATIONS = 200;

type Kind = Pick<SoapLoadSetting, "version" | "action">;

async function startLoad(target: Target, kind: Kind, withPassword: boolean): Promise<BenchProcess> {
  const setting: SoapLoadSetting = {
    ...kind,
    port: target.port,
    stations: STATIONS,
    prefix: `SOAP${kind.version.replace(".", "")}-`,
    withPassword,
  };
  const [load] = await BenchProcess.start("./soap-load.ts", setting);
  return load;
}

function figures({ version, action }: Kind, { bare, full, half }: FleetRates): readonly Figure[] {
  const what = `${action} of ${version}`;
  const endpoint = "bare protocol endpoint";
  return [
    {
      what: `${what}, per second`,
      measured: { value: full.perSecond, unit: "/s" },
      floor: { what: endpoint, value: bare.perSecond },
      ...(action === "MeterValues" ? { goal: atLeast(6_000) } : {}),
    },
    { what: `${what}, p99 at half of that rate`, measured: { value: half.p99Ms, unit: "ms" }, goal: atMost(50) },
    {
      what: `${what}, CPU of the server each`,
      measured: { value: full.serverMicros, unit: "µs" },
      floor: { what: endpoint, value: bare.serverMicros },
    },
    { what: `${what}, CPU of PostgreSQL each`, measured: { value: full.databaseMicros, unit: "µs" } },
  ];
}

/** MeterValues and Heartbeats of OCPP-S over connections that are kept. */
export const soap: BenchCase = {
  name: "soap",
  title:
    `Requests of ${STATIONS} stations over SOAP 1.5 and 1.6, kept HTTP connections, security profile 1 checked at each ` +
    "request; MeterValues are durable and have three sampled values",
  run: () =>
    besideFloor(async (bare, csms) => {
      const result: Figure[] = [];
      for (const version of ["1.5", "1.6"] satisfies SoapLoadVersion[]) {
        await registerStations(csms, identities(`SOAP${version.replace(".", "")}-`, STATIONS));
        for (const action of ["MeterValues", "Heartbeat"] as const) {
          const kind = { version, action };
          const rates = await measureFleetRates(bare, targetOf(csms), (target, withPassword) =>
            startLoad(target, kind, withPassword),
          );
          result.push(...figures(kind, rates));
        }
      }
      return result;
    }),
};

import { atLeast, atMost, type BenchCase, type Figure, secondsEach } from "./bench-case.ts";
import { BenchProcess } from "./child-process.ts";
import { withCsms } from "./csms-under-test.ts";
import type { FleetRates } from "./message-rates.ts";
import { identities, measureRate, registerStations, startEndpoint, type Target, targetOf, warmUp } from "./rate.ts";
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

async function measureKind(bare: Target, csms: Target, kind: Kind): Promise<FleetRates> {
  const order = { seconds: secondsEach, perSecond: 0 };
  const bareLoad = await startLoad(bare, kind, false);
  await warmUp(bareLoad);
  const bareRate = await measureRate(bare, bareLoad, order);
  bareLoad.end();
  const load = await startLoad(csms, kind, true);
  try {
    await warmUp(load);
    const full = await measureRate(csms, load, order);
    const half = await measureRate(csms, load, { ...order, perSecond: full.perSecond / 2 });
    return { bare: bareRate, full, half };
  } finally {
    load.end();
  }
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
  async run() {
    const endpoint = await startEndpoint();
    try {
      return await withCsms(async (csms) => {
        const result: Figure[] = [];
        for (const version of ["1.5", "1.6"] satisfies SoapLoadVersion[]) {
          await registerStations(csms, identities(`SOAP${version.replace(".", "")}-`, STATIONS));
          for (const action of ["MeterValues", "Heartbeat"] as const) {
            const kind = { version, action };
            result.push(...figures(kind, await measureKind(endpoint.target, targetOf(csms), kind)));
          }
        }
        return result;
      });
    } finally {
      endpoint.process.end();
    }
  },
};

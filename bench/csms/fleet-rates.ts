import { secondsEach } from "./bench-case.ts";
import type { BenchProcess } from "./child-process.ts";
import { type CsmsUnderTest, withCsms } from "./csms-under-test.ts";
import { type Measured, measureRate, startEndpoint, type Target, warmUp } from "./rate.ts";

/** What was measured with one fleet: flat out, at half of that rate, and without the CSMS. */
export interface FleetRates {
  readonly bare: Measured;
  readonly full: Measured;
  readonly half: Measured;
}

/** Starts the load of a fleet on a target: with its passwords, or without where nobody asks for them. */
export type StartLoad = (target: Target, withPassword: boolean) => Promise<BenchProcess>;

/** Measures a fleet on the floor, then on the CSMS. */
export async function measureFleetRates(bare: Target, csms: Target, startLoad: StartLoad): Promise<FleetRates> {
  const order = { seconds: secondsEach, perSecond: 0 };
  const bareRate = await withLoad(await startLoad(bare, false), (load) => measureRate(bare, load, order));
  return withLoad(await startLoad(csms, true), async (load) => {
    const full = await measureRate(csms, load, order);
    const half = await measureRate(csms, load, { ...order, perSecond: full.perSecond / 2 });
    return { bare: bareRate, full, half };
  });
}

async function withLoad<Result>(load: BenchProcess, work: (load: BenchProcess) => Promise<Result>): Promise<Result> {
  try {
    await warmUp(load);
    return await work(load);
  } finally {
    load.end();
  }
}

/** Runs something with the floor and a CSMS on a fresh database, and removes all of it. */
export async function besideFloor<Result>(
  work: (bare: Target, csms: CsmsUnderTest) => Promise<Result>,
): Promise<Result> {
  const endpoint = await startEndpoint();
  try {
    return await withCsms((csms) => work(endpoint.target, csms));
  } finally {
    endpoint.process.end();
  }
}

import { BenchProcess } from "./child-process.ts";
import type { LoadOrder, LoadReport } from "./closed-loop.ts";
import type { CsmsUnderTest } from "./csms-under-test.ts";
import type { MessageLoadSetting } from "./message-load.ts";
import { processorSeconds } from "./processor-time.ts";
import { passwordOf } from "./workloads.ts";

/** What a load is sent to. */
export interface Target {
  readonly port: number;
  readonly pid: number;
  /** The postmaster, where there is one. */
  readonly databasePid?: number;
}

/** What the load saw and what it cost. */
export interface Measured extends LoadReport {
  readonly perSecond: number;
  readonly serverMicros: number;
  readonly databaseMicros: number;
}

/** The CSMS as a target. */
export function targetOf(csms: CsmsUnderTest): Target {
  return { port: csms.port, pid: csms.pid, databasePid: csms.database.pid };
}

/** Starts the floor of all rates: the protocol library's endpoints, which store nothing. */
export async function startEndpoint(): Promise<{ readonly target: Target; readonly process: BenchProcess }> {
  const [process, { port }] = await BenchProcess.start<{ port: number }>("./endpoint.ts", null);
  return { target: { port, pid: process.pid }, process };
}

/** Starts stations that send one kind of message to a target, in a process of their own. */
export async function startMessageLoad(
  { port }: Target,
  fleet: Omit<MessageLoadSetting, "port">,
): Promise<BenchProcess> {
  const setting: MessageLoadSetting = { ...fleet, port };
  const [load] = await BenchProcess.start("./message-load.ts", setting);
  return load;
}

/** CPU seconds of PostgreSQL with all its processes so far; 0 for a target without. */
export function databaseSeconds({ databasePid }: Target): number {
  if (databasePid === undefined) return 0;
  const { own, below } = processorSeconds(databasePid);
  return own + below;
}

/** Compilation is no part of what a server does for hours: each load warms its target up before it is measured. */
export async function warmUp(load: BenchProcess): Promise<void> {
  const order: LoadOrder = { seconds: 3, perSecond: 0 };
  await load.ask(order);
}

/** Lets a load run once and measures what it costs its target. */
export async function measureRate(target: Target, load: BenchProcess, order: unknown): Promise<Measured> {
  const server = processorSeconds(target.pid).own;
  const database = databaseSeconds(target);
  const report = await load.ask<LoadReport>(order);
  return {
    ...report,
    perSecond: report.calls / report.seconds,
    serverMicros: ((processorSeconds(target.pid).own - server) * 1e6) / report.calls,
    databaseMicros: ((databaseSeconds(target) - database) * 1e6) / report.calls,
  };
}

/** Registers stations with security profile 1 and a password each, and a token that may charge. */
export async function registerStations(csms: CsmsUnderTest, identities: readonly string[]): Promise<void> {
  await csms.call("PUT", "/id-tokens/BENCH", { type: "ISO14443", status: "Accepted" });
  const waiting = [...identities];
  const register = async (): Promise<void> => {
    for (let identity = waiting.pop(); identity !== undefined; identity = waiting.pop()) {
      await csms.call("PUT", `/stations/${identity}`, {});
      await csms.call("PUT", `/stations/${identity}/credentials`, {
        password: passwordOf(identity),
        securityProfile: 1,
      });
    }
  };
  await Promise.all(Array.from({ length: 32 }, register));
}

/** Identities of a fleet. */
export function identities(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

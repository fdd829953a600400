// Stations of OCPP-S that send one kind of request again and again, in a process of their own.
import { givenSetting, serveOrders } from "./child-process.ts";
import { type CallOnce, type LoadOrder, runLoad } from "./closed-loop.ts";
import { SoapClient } from "./soap-client.ts";
import { bootBody, meterBody, type SoapLoadVersion, startBody } from "./soap-envelopes.ts";
import { passwordOf } from "./workloads.ts";

/** What the load is to be. */
export interface SoapLoadSetting {
  readonly port: number;
  readonly version: SoapLoadVersion;
  readonly action: "MeterValues" | "Heartbeat";
  readonly stations: number;
  readonly prefix: string;
  readonly withPassword: boolean;
}

const setting = givenSetting<SoapLoadSetting>();

async function station(index: number): Promise<CallOnce> {
  const { port, version, action, prefix } = setting;
  const identity = `${prefix}${index}`;
  const client = await SoapClient.connect(
    port,
    version,
    identity,
    setting.withPassword ? passwordOf(identity) : undefined,
  );
  await client.call("BootNotification", bootBody);
  if (action === "Heartbeat") return async () => void (await client.call("Heartbeat", ""));
  const started = await client.call("StartTransaction", startBody());
  const transactionId = Number(/transactionId>(\d+)</.exec(started)?.[1]);
  let seqNo = 0;
  return async () => void (await client.call("MeterValues", meterBody(version, transactionId, ++seqNo)));
}

const fleet: CallOnce[] = [];
for (let index = 0; index < setting.stations; index += 50) {
  const size = Math.min(50, setting.stations - index);
  fleet.push(...(await Promise.all(Array.from({ length: size }, (_, offset) => station(index + offset)))));
}
serveOrders<LoadOrder>({ connected: fleet.length }, (order) => runLoad(fleet, order));

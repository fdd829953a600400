import type { Ocpp21 } from "@polyphase/ocpp";
import type { Clock } from "../../clock.ts";
import type { CommandRegistry } from "../../gateway/commands.ts";
import { CommandNotSupportedError, type StationCalls } from "../../gateway/station-messages.ts";
import type { AcceptedValues } from "./accepted-values.ts";
import { keyOfVariable, variableOfKey } from "./configuration-keys.ts";
import { addressOf, type VariableAddress } from "./variable.ts";
import type { TimedValue, VariableRecords } from "./variable-records.ts";
import type { StoredActual } from "./variable-store.ts";

/** What is kept of commands about variables, and what limits them, for stations of either family. */
export function followVariableCommands(
  commands: CommandRegistry,
  calls: StationCalls,
  records: VariableRecords,
  clock: Clock,
  actualValue: StoredActual,
  acceptedValues: AcceptedValues,
): void {
  commands.completed("SetVariables", async (stationId, { setVariableData }, { setVariableResult }) => {
    const now = clock.now();
    const values: TimedValue[] = [];
    const inForce: TimedValue[] = [];
    for (const result of setVariableResult) {
      if (result.attributeStatus !== "Accepted" && result.attributeStatus !== "RebootRequired") continue;
      const data = setVariableData.find((candidate) => isSame(candidate, result));
      if (data === undefined) continue;
      const value = timed(stationId, calls, data, data.attributeValue, now);
      values.push(value);
      // What takes a reboot is told as it was before until then.
      if (result.attributeStatus === "Accepted") inForce.push(value);
    }
    for (const value of values) acceptedValues.forget(stationId, value);
    if (values.length > 0) await records.storeValues(stationId, values, now);
    for (const value of inForce) acceptedValues.accepted(stationId, value);
  });

  commands.completed("GetVariables", async (stationId, _request, { getVariableResult }) => {
    const now = clock.now();
    const values = getVariableResult
      .filter((result) => result.attributeStatus === "Accepted")
      .map((result) => timed(stationId, calls, result, result.attributeValue, now));
    if (values.length > 0) await records.storeValues(stationId, values, now);
  });

  // B05.FR.11, B06.FR.05: a station tells how many it takes at once. Family 1 takes them one by one.
  const refuseTooMany = async (stationId: string, command: string, instance: string, count: number) => {
    if (calls.session(stationId)?.family !== 2) return;
    const most = Number(await actualValue(stationId, "DeviceDataCtrlr", "ItemsPerMessage", instance));
    if (most > 0 && count > most) {
      throw new CommandNotSupportedError(stationId, command, `it takes at most ${most} variables in one message`);
    }
  };
  commands.prepare("SetVariables", async (stationId, request) => {
    await refuseTooMany(stationId, "setVariables", "SetVariables", lengthOf(request.setVariableData));
    return request;
  });
  commands.prepare("GetVariables", async (stationId, request) => {
    await refuseTooMany(stationId, "getVariables", "GetVariables", lengthOf(request.getVariableData));
    return request;
  });
}

/** Requests are not validated when they are prepared. */
const lengthOf = (list: unknown): number => (Array.isArray(list) ? list.length : 0);

type Addressed = Pick<Ocpp21.SetVariableDataType, "component" | "variable" | "attributeType">;

function timed(
  stationId: string,
  calls: StationCalls,
  data: Addressed,
  value: string | undefined,
  timestamp: Date,
): TimedValue {
  const family1 = calls.session(stationId)?.family === 1;
  const address = family1 ? canonicalAddress(data) : addressOf(data.component, data.variable);
  return { ...address, attribute: data.attributeType ?? "Actual", value, timestamp };
}

/** A key of family 1 may be addressed in two ways and is stored in one. */
function canonicalAddress({ component, variable }: Addressed): VariableAddress {
  const key = keyOfVariable(component, variable);
  if (typeof key === "string") return addressOf(component, variable);
  const canonical = variableOfKey(key.key);
  return addressOf(canonical.component, canonical.variable);
}

function isSame(a: Addressed, b: Addressed): boolean {
  const first = addressOf(a.component, a.variable);
  const second = addressOf(b.component, b.variable);
  return (
    (a.attributeType ?? "Actual") === (b.attributeType ?? "Actual") &&
    (Object.keys(first) as (keyof VariableAddress)[]).every((name) => same(first[name], second[name]))
  );
}

/** Names are case-insensitive. */
const same = (a: string | number | undefined, b: string | number | undefined): boolean =>
  typeof a === "string" && typeof b === "string" ? a.toLowerCase() === b.toLowerCase() : a === b;

import { type Ocpp16, type Ocpp21, ValidationError } from "@polyphase/ocpp";
import type { CommandRegistry } from "../../gateway/commands.ts";
import { StationAnsweredError, type StationCallOptions, type StationCalls } from "../../gateway/station-messages.ts";
import { CONFIGURATION_COMPONENT, keyOfVariable } from "./configuration-keys.ts";
import type { Inventory } from "./inventory.ts";
import type { StoredActual } from "./variable-store.ts";

type SetResult = Ocpp21.SetVariableResultType;
type GetResult = Ocpp21.GetVariableResultType;

/** Translates the commands about variables for family 1 (1.6 §5.3, §5.8), where they are configuration keys. */
export function translateVariables(
  commands: CommandRegistry,
  calls: StationCalls,
  inventory: Inventory,
  actualValue: StoredActual,
): void {
  commands.translate("SetVariables", async (stationId, { setVariableData }, options) => {
    const setVariableResult: SetResult[] = [];
    for (const data of setVariableData) {
      setVariableResult.push(await setVariable(calls, stationId, data, options, setVariableResult.length > 0));
    }
    return { setVariableResult };
  });

  commands.translate("GetVariables", async (stationId, { getVariableData }, options) => {
    const most = Number(await actualValue(stationId, CONFIGURATION_COMPONENT, "GetConfigurationMaxKeys"));
    const keys = getVariableData.map(keyOf).filter((key) => typeof key === "object");
    const wanted = [...new Set(keys.map(({ key }) => key))];
    const found = await getKeys(calls, stationId, wanted, most > 0 ? most : Number.POSITIVE_INFINITY, options);
    return { getVariableResult: getVariableData.map((data) => getResult(data, found)) };
  });

  commands.translate("GetBaseReport", async (stationId, { reportBase }, options) => {
    // All keys are configuration; a summary of the station's condition is nothing that family 1 could give.
    if (reportBase === "SummaryInventory") return { status: "NotSupported" };
    const status = await inventory.fetchKeys(calls, stationId, options);
    return { status: status === "Complete" ? "Accepted" : "EmptyResultSet" };
  });
}

type Addressed = Pick<Ocpp21.SetVariableDataType, "component" | "variable" | "attributeType">;

function keyOf(
  data: Addressed,
): { readonly key: string } | Exclude<Ocpp21.GetVariableStatusEnumType, "Accepted" | "Rejected"> {
  if ((data.attributeType ?? "Actual") !== "Actual") return "NotSupportedAttributeType";
  return keyOfVariable(data.component, data.variable);
}

// B05.FR.12 and B06.FR.11: the attribute is Actual where the request named none.
const echo = ({ component, variable, attributeType }: Addressed) => ({
  attributeType: attributeType ?? ("Actual" as const),
  component,
  variable,
});

const statuses = {
  Accepted: "Accepted",
  Rejected: "Rejected",
  RebootRequired: "RebootRequired",
  // 1.6 §5.3: the key does not exist.
  NotSupported: "UnknownVariable",
} as const satisfies Record<Ocpp16.ConfigurationStatus, Ocpp21.SetVariableStatusEnumType>;

/**
 * Sets one key. Once others have been set, an error becomes the result of this one, so that what was done is told;
 * an error of the first is the caller's to see.
 */
async function setVariable(
  calls: StationCalls,
  stationId: string,
  data: Ocpp21.SetVariableDataType,
  options: StationCallOptions,
  othersAreSet: boolean,
): Promise<SetResult> {
  const key = keyOf(data);
  if (typeof key === "string") return { ...echo(data), attributeStatus: key };
  try {
    const payload = { key: key.key, value: data.attributeValue };
    const { status } = await calls.call1(stationId, "ChangeConfiguration", payload, options);
    return { ...echo(data), attributeStatus: statuses[status] };
  } catch (error) {
    const concernsThisOne = error instanceof StationAnsweredError || error instanceof ValidationError;
    if (!concernsThisOne && !othersAreSet) throw error;
    const reasonCode = error instanceof ValidationError ? "InvalidValue" : "Unspecified";
    const additionalInfo = (error instanceof Error ? error.message : String(error)).slice(0, 1024);
    return { ...echo(data), attributeStatus: "Rejected", attributeStatusInfo: { reasonCode, additionalInfo } };
  }
}

/** What a station told of its keys, by key in lower case: keys are CiString. */
type FoundKeys = ReadonlyMap<string, Ocpp16.KeyValue>;

async function getKeys(
  calls: StationCalls,
  stationId: string,
  keys: readonly string[],
  most: number,
  options: StationCallOptions,
): Promise<FoundKeys> {
  const values = new Map<string, Ocpp16.KeyValue>();
  for (let from = 0; from < keys.length; from += most) {
    // 1.6 §9.1.6: not more keys at once than GetConfigurationMaxKeys.
    const key = keys.slice(from, from + most);
    const { configurationKey } = await calls.call1(stationId, "GetConfiguration", { key }, options);
    for (const keyValue of configurationKey ?? []) values.set(keyValue.key.toLowerCase(), keyValue);
  }
  return values;
}

function getResult(data: Ocpp21.GetVariableDataType, values: FoundKeys): GetResult {
  const key = keyOf(data);
  if (typeof key === "string") return { ...echo(data), attributeStatus: key };
  const found = values.get(key.key.toLowerCase());
  if (found === undefined) return { ...echo(data), attributeStatus: "UnknownVariable" };
  // B06.FR.13: a value that is not set is an empty text.
  return { ...echo(data), attributeStatus: "Accepted", attributeValue: found.value ?? "" };
}

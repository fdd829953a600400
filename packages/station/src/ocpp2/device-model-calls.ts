import { type Ocpp21, OcppError } from "@polyphase/ocpp";
import {
  findVariable,
  isPossibleValue,
  type ModelContext,
  type VariableDefinition,
} from "../configuration/device-model.ts";
import { baseReport, customReport, reportOf } from "../configuration/report.ts";
import { allVariables, ITEMS_PER_MESSAGE } from "../configuration/variables.ts";
import type { Family2Calls } from "./calls.ts";
import type { Family2Driver } from "./family2-driver.ts";

/** Variables in one NotifyReport. */
const REPORT_PART = 25;

async function sendReport(
  driver: Family2Driver,
  requestId: number,
  chosen: readonly VariableDefinition[],
  context: ModelContext,
): Promise<void> {
  const parts = Math.ceil(chosen.length / REPORT_PART);
  for (let seqNo = 0; seqNo < parts; seqNo++) {
    const part = chosen.slice(seqNo * REPORT_PART, (seqNo + 1) * REPORT_PART);
    await driver.call("NotifyReport", {
      requestId,
      seqNo,
      generatedAt: driver.now(),
      tbc: seqNo < parts - 1,
      reportData: part.map((definition) => reportOf(definition, context)),
    });
  }
}

function getVariable(
  wanted: Ocpp21.GetVariableDataType,
  variables: readonly VariableDefinition[],
  context: ModelContext,
): Ocpp21.GetVariableResultType {
  const { component, variable, attributeType = "Actual" } = wanted;
  const found = findVariable(variables, component, variable);
  const result = { component, variable, attributeType };
  if (typeof found === "string") return { ...result, attributeStatus: found };
  if (attributeType !== "Actual") return { ...result, attributeStatus: "NotSupportedAttributeType" };
  if (found.mutability === "WriteOnly") return { ...result, attributeStatus: "Rejected" };
  return { ...result, attributeStatus: "Accepted", attributeValue: found.read(context) };
}

function setVariable(
  wanted: Ocpp21.SetVariableDataType,
  variables: readonly VariableDefinition[],
  context: ModelContext,
): Ocpp21.SetVariableResultType {
  const { component, variable, attributeValue, attributeType = "Actual" } = wanted;
  const found = findVariable(variables, component, variable);
  const result = { component, variable, attributeType };
  if (typeof found === "string") return { ...result, attributeStatus: found };
  if (attributeType !== "Actual") return { ...result, attributeStatus: "NotSupportedAttributeType" };
  if (found.write === undefined) {
    return { ...result, attributeStatus: "Rejected", attributeStatusInfo: { reasonCode: "ReadOnly" } };
  }
  if (!isPossibleValue(found, attributeValue)) {
    return { ...result, attributeStatus: "Rejected", attributeStatusInfo: { reasonCode: "InvalidValue" } };
  }
  return { ...result, attributeStatus: found.write(context, attributeValue) };
}

function checkLength(elements: readonly unknown[]): void {
  if (elements.length <= ITEMS_PER_MESSAGE) return;
  // B06.FR.16
  throw new OcppError("OccurrenceConstraintViolation", `at most ${ITEMS_PER_MESSAGE} elements are taken`);
}

/** Calls about the device model (B05 to B08). */
export const deviceModelCalls: Pick<Family2Calls, "GetBaseReport" | "GetReport" | "GetVariables" | "SetVariables"> = {
  GetVariables: (driver, { getVariableData }) => {
    checkLength(getVariableData);
    const context = driver.modelContext;
    const variables = allVariables(context);
    return { getVariableResult: getVariableData.map((wanted) => getVariable(wanted, variables, context)) };
  },

  SetVariables: (driver, { setVariableData }) => {
    checkLength(setVariableData);
    const context = driver.modelContext;
    const variables = allVariables(context);
    return { setVariableResult: setVariableData.map((wanted) => setVariable(wanted, variables, context)) };
  },

  GetBaseReport: (driver, { requestId, reportBase }) => {
    const context = driver.modelContext;
    const chosen = baseReport(allVariables(context), reportBase);
    driver.station.afterAnswer(() => sendReport(driver, requestId, chosen, context));
    return { status: "Accepted" };
  },

  GetReport: (driver, { requestId, componentCriteria = [], componentVariable = [] }) => {
    checkLength(componentVariable);
    const context = driver.modelContext;
    const chosen = customReport(allVariables(context), context, componentCriteria, componentVariable);
    if (chosen.length === 0) return { status: "EmptyResultSet" };
    driver.station.afterAnswer(() => sendReport(driver, requestId, chosen, context));
    return { status: "Accepted" };
  },
};

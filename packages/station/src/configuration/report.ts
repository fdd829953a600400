import type { Ocpp21 } from "@polyphase/ocpp";
import { isSameName, type ModelContext, type VariableDefinition } from "./device-model.ts";

function componentOf(definition: VariableDefinition): Ocpp21.ComponentType {
  const { component, evseId, connectorId } = definition;
  if (evseId === undefined) return { name: component };
  return { name: component, evse: { id: evseId, ...(connectorId === undefined ? {} : { connectorId }) } };
}

/** A variable as NotifyReport shows it; the value of WriteOnly variables is left out. */
export function reportOf(definition: VariableDefinition, context: ModelContext): Ocpp21.ReportDataType {
  const { variable, instance, dataType, unit, minLimit, maxLimit, valuesList, mutability } = definition;
  return {
    component: componentOf(definition),
    variable: { name: variable, ...(instance === undefined ? {} : { instance }) },
    variableAttribute: [
      {
        type: "Actual",
        mutability,
        persistent: true,
        constant: false,
        ...(mutability === "WriteOnly" ? {} : { value: definition.read(context) }),
      },
    ],
    variableCharacteristics: {
      dataType,
      supportsMonitoring: false,
      ...(unit === undefined ? {} : { unit }),
      ...(minLimit === undefined ? {} : { minLimit }),
      ...(maxLimit === undefined ? {} : { maxLimit }),
      ...(valuesList === undefined ? {} : { valuesList }),
    },
  };
}

const summarized: ReadonlySet<string> = new Set(["AvailabilityState", "Problem", "Available"]);

/** The variables of a base report (B07). */
export function baseReport(
  variables: readonly VariableDefinition[],
  base: Ocpp21.ReportBaseEnumType,
): readonly VariableDefinition[] {
  switch (base) {
    case "FullInventory":
      return variables;
    case "ConfigurationInventory":
      return variables.filter((definition) => definition.mutability !== "ReadOnly");
    case "SummaryInventory":
      return variables.filter((definition) => summarized.has(definition.variable));
  }
}

/** A component meets a criterion when its variable of that name is true; Available and Enabled hold without one (B08). */
function meets(
  definition: VariableDefinition,
  criterion: Ocpp21.ComponentCriterionEnumType,
  variables: readonly VariableDefinition[],
  context: ModelContext,
): boolean {
  const flag = variables.find(
    (other) =>
      other.component === definition.component &&
      other.evseId === definition.evseId &&
      other.connectorId === definition.connectorId &&
      other.variable === criterion,
  );
  if (flag === undefined) return criterion === "Available" || criterion === "Enabled";
  return flag.read(context) === "true";
}

function isWanted(definition: VariableDefinition, wanted: Ocpp21.ComponentVariableType): boolean {
  const { component, variable } = wanted;
  if (!isSameName(definition.component, component.name)) return false;
  if (component.instance !== undefined && component.instance !== "") return false;
  if (component.evse !== undefined) {
    if (definition.evseId !== component.evse.id) return false;
    if (component.evse.connectorId !== undefined && definition.connectorId !== component.evse.connectorId) return false;
  }
  if (variable === undefined) return true;
  if (!isSameName(definition.variable, variable.name)) return false;
  return variable.instance === undefined || isSameName(definition.instance, variable.instance);
}

/** The variables of a custom report (B08). */
export function customReport(
  variables: readonly VariableDefinition[],
  context: ModelContext,
  criteria: readonly Ocpp21.ComponentCriterionEnumType[],
  wanted: readonly Ocpp21.ComponentVariableType[],
): readonly VariableDefinition[] {
  return variables.filter(
    (definition) =>
      (wanted.length === 0 || wanted.some((one) => isWanted(definition, one))) &&
      (criteria.length === 0 || criteria.some((one) => meets(definition, one, variables, context))),
  );
}

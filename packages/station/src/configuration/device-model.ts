import type { Ocpp21, OcppVersion } from "@polyphase/ocpp";
import type { StationIdentity } from "../identity.ts";
import type { ConfigurationStore } from "./configuration-store.ts";

/** A version of family 2. */
export type Family2Version = Extract<OcppVersion, "2.0.1" | "2.1">;

/** What variables can show besides the settings. */
export interface ModelContext {
  readonly store: ConfigurationStore;
  readonly version: Family2Version;
  readonly stationId: string;
  readonly identity: StationIdentity;
  readonly securityProfile: number;
  /** The station's time, milliseconds since 1970. */
  stationTime(): number;
  readonly stationOperative: boolean;
  readonly evses: readonly EvseFacts[];
  readonly localListEntries: number;
  readonly profileEntries: number;
  /** Takes a new password for the next connection. */
  changePassword(password: string): void;
}

/** What variables show of an EVSE. */
export interface EvseFacts {
  readonly id: number;
  readonly kind: "AC" | "DC";
  readonly phases: number;
  readonly maxPowerW: number;
  readonly powerW: number;
  readonly availabilityState: string;
}

/** Answer to one element of SetVariables. */
export type WriteStatus = "Accepted" | "Rejected" | "RebootRequired";

/** A variable of a component with its Actual attribute (OCPP 2.x Part 1 §4). */
export interface VariableDefinition {
  readonly component: string;
  readonly evseId?: number;
  readonly connectorId?: number;
  readonly variable: string;
  readonly instance?: string;
  readonly dataType: Ocpp21.DataEnumType;
  readonly unit?: string;
  readonly minLimit?: number;
  readonly maxLimit?: number;
  readonly valuesList?: string;
  readonly mutability: Ocpp21.MutabilityEnumType;
  /** Value of the Actual attribute; never asked for WriteOnly variables. */
  read(context: ModelContext): string;
  /** Absent for ReadOnly variables. */
  readonly write?: (context: ModelContext, value: string) => WriteStatus;
}

/** Names of components and variables are compared without regard to case. */
export function isSameName(left: string | undefined, right: string | undefined): boolean {
  return (left ?? "").toLowerCase() === (right ?? "").toLowerCase();
}

function isComponent(definition: VariableDefinition, component: Ocpp21.ComponentType): boolean {
  return (
    isSameName(definition.component, component.name) &&
    isSameName(undefined, component.instance) &&
    definition.evseId === component.evse?.id &&
    definition.connectorId === component.evse?.connectorId
  );
}

/** Finds a variable, or says what is unknown of it. */
export function findVariable(
  variables: readonly VariableDefinition[],
  component: Ocpp21.ComponentType,
  variable: Ocpp21.VariableType,
): VariableDefinition | "UnknownComponent" | "UnknownVariable" {
  const ofComponent = variables.filter((definition) => isComponent(definition, component));
  if (ofComponent.length === 0) return "UnknownComponent";
  return (
    ofComponent.find(
      (definition) =>
        isSameName(definition.variable, variable.name) && isSameName(definition.instance, variable.instance),
    ) ?? "UnknownVariable"
  );
}

/** Whether a value keeps to the variable's type and limits (B05.FR.07, B05.FR.08). */
export function isPossibleValue(definition: VariableDefinition, value: string): boolean {
  const { dataType, minLimit, maxLimit, valuesList } = definition;
  switch (dataType) {
    case "integer":
    case "decimal": {
      const pattern = dataType === "integer" ? /^[+-]?\d+$/ : /^[+-]?\d+(\.\d+)?$/;
      const number = Number(value);
      return pattern.test(value) && number >= (minLimit ?? -Infinity) && number <= (maxLimit ?? Infinity);
    }
    case "boolean":
      return value === "true" || value === "false";
    case "dateTime":
      return !Number.isNaN(Date.parse(value));
    case "OptionList":
      return valuesList === undefined || valuesList.split(",").includes(value);
    case "SequenceList":
    case "MemberList": {
      const members = splitList(value);
      const known = valuesList?.split(",");
      const repeated = new Set(members).size !== members.length;
      return !repeated && (known === undefined || members.every((member) => known.includes(member)));
    }
    case "string":
      return maxLimit === undefined || value.length <= maxLimit;
  }
}

/** The members of a list value. */
export function splitList(value: string): string[] {
  return value.split(",").flatMap((member) => (member.trim() === "" ? [] : [member.trim()]));
}

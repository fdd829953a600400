import type { Ocpp21 } from "@polyphase/ocpp";

/** Where a variable is: its component, with EVSE and connector where it belongs to one, and its own name. */
export interface VariableAddress {
  readonly component: string;
  readonly componentInstance?: string | undefined;
  readonly evseId?: number | undefined;
  readonly connectorId?: number | undefined;
  readonly variable: string;
  readonly variableInstance?: string | undefined;
}

/** The value of one attribute of a variable, as a station told it. */
export interface VariableValue extends VariableAddress {
  readonly attribute: Ocpp21.AttributeEnumType;
  /** Absent where the station tells none, and for what is secret. */
  readonly value?: string | undefined;
}

/** What a report tells of an attribute besides its value. */
export interface VariableTraits {
  readonly mutability?: Ocpp21.MutabilityEnumType | undefined;
  readonly persistent?: boolean | undefined;
  readonly constant?: boolean | undefined;
  readonly characteristics?: Ocpp21.VariableCharacteristicsType | undefined;
}

/** An attribute as a report describes it. */
export interface ReportedVariable extends VariableValue, VariableTraits {}

/** The address in words of 2.1. */
export function addressOf(component: Ocpp21.ComponentType, variable: Ocpp21.VariableType): VariableAddress {
  return {
    component: component.name,
    componentInstance: component.instance,
    evseId: component.evse?.id,
    connectorId: component.evse?.connectorId,
    variable: variable.name,
    variableInstance: variable.instance,
  };
}

/** Names of variables whose value proves or unlocks something. They are never stored, whatever a station tells. */
const secrets = /password|secret|passphrase|authorizationkey|privatekey|presharedkey|simpin/i;

/** Whether the value of this variable must not be kept. */
export function isSecret({ variable }: Pick<VariableAddress, "variable">): boolean {
  return secrets.test(variable);
}

import { definitionsJson as definitions12 } from "../generated/definitions-1.2.ts";
import { definitionsJson as definitions15 } from "../generated/definitions-1.5.ts";
import { definitionsJson as definitions16 } from "../generated/definitions-1.6.ts";
import { definitionsJson as definitions201 } from "../generated/definitions-2.0.1.ts";
import { definitionsJson as definitions21 } from "../generated/definitions-2.1.ts";
import * as validators12 from "../generated/validators-1.2.ts";
import * as validators15 from "../generated/validators-1.5.ts";
import * as validators16 from "../generated/validators-1.6.ts";
import * as validators201 from "../generated/validators-2.0.1.ts";
import * as validators21 from "../generated/validators-2.1.ts";
import { firstViolation, type GeneratedValidator, type Violation } from "../validation/violation.ts";
import { type ActionRow, actions } from "./actions.ts";
import type { OcppVersion, Role } from "./version.ts";

/** A JSON Schema of the catalogue. References point into the version's {@link definitionsOf}. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly items?: JsonSchema;
  readonly enum?: readonly string[];
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly multipleOf?: number;
  readonly xml?: { readonly nodeType: "attribute" | "text" };
}

/** All that is known of one action of one version. */
export interface CatalogueEntry {
  readonly version: OcppVersion;
  readonly action: string;
  /** Who sends the request. */
  readonly from: Role | "Both";
  readonly kind: "CALL" | "SEND";
  /** Functional block of OCPP 2.x, or feature profile of 1.x. */
  readonly functionalBlock: string;
  /** Whether the security whitepaper added it to 1.6 (OCPP-J only). */
  readonly securityExtension: boolean;
  /** Schema of the request; its references are resolved by {@link definitionsOf}. */
  readonly requestSchema: JsonSchema;
  /** Schema of the response; undefined for SEND. */
  readonly responseSchema: JsonSchema | undefined;
  /** First violation of the request's schema, or undefined. Never changes the payload. */
  validateRequest(payload: unknown): Violation | undefined;
  /** First violation of the response's schema, or undefined. Never changes the payload. */
  validateResponse(payload: unknown): Violation | undefined;
}

const definitionsJson: Readonly<Record<OcppVersion, string>> = {
  "1.2": definitions12,
  "1.5": definitions15,
  "1.6": definitions16,
  "2.0.1": definitions201,
  "2.1": definitions21,
};

const validators: Readonly<Record<OcppVersion, Readonly<Record<string, unknown>>>> = {
  "1.2": validators12,
  "1.5": validators15,
  "1.6": validators16,
  "2.0.1": validators201,
  "2.1": validators21,
};

const parsedDefinitions = new Map<OcppVersion, Readonly<Record<string, JsonSchema>>>();

/** Every type and message schema of a version by its specification name, parsed at the first use. */
export function definitionsOf(version: OcppVersion): Readonly<Record<string, JsonSchema>> {
  let definitions = parsedDefinitions.get(version);
  if (definitions === undefined) {
    definitions = JSON.parse(definitionsJson[version]) as Readonly<Record<string, JsonSchema>>;
    parsedDefinitions.set(version, definitions);
  }
  return definitions;
}

class Entry implements CatalogueEntry {
  readonly version: OcppVersion;
  readonly action: string;
  readonly from: Role | "Both";
  readonly kind: "CALL" | "SEND";
  readonly functionalBlock: string;
  readonly securityExtension: boolean;
  readonly #request: GeneratedValidator;
  readonly #response: GeneratedValidator | undefined;

  constructor(version: OcppVersion, action: string, row: ActionRow) {
    this.version = version;
    this.action = action;
    this.from = row.from;
    this.kind = row.kind ?? "CALL";
    this.functionalBlock = row.functionalBlock;
    this.securityExtension = row.extension === "security";
    this.#request = validators[version][`${action}Request`] as GeneratedValidator;
    this.#response = validators[version][`${action}Response`] as GeneratedValidator | undefined;
  }

  get requestSchema(): JsonSchema {
    return definitionsOf(this.version)[`${this.action}Request`] ?? {};
  }

  get responseSchema(): JsonSchema | undefined {
    return definitionsOf(this.version)[`${this.action}Response`];
  }

  validateRequest(payload: unknown): Violation | undefined {
    return firstViolation(this.#request, payload);
  }

  validateResponse(payload: unknown): Violation | undefined {
    if (this.#response === undefined) throw new TypeError(`${this.action} of OCPP ${this.version} has no response`);
    return firstViolation(this.#response, payload);
  }
}

function entriesOf(version: OcppVersion): ReadonlyMap<string, CatalogueEntry> {
  return new Map(Object.entries(actions[version]).map(([action, row]) => [action, new Entry(version, action, row)]));
}

const catalogues: Readonly<Record<OcppVersion, ReadonlyMap<string, CatalogueEntry>>> = {
  "1.2": entriesOf("1.2"),
  "1.5": entriesOf("1.5"),
  "1.6": entriesOf("1.6"),
  "2.0.1": entriesOf("2.0.1"),
  "2.1": entriesOf("2.1"),
};

/** Every action of a version, by its name on the wire. */
export function catalogue(version: OcppVersion): ReadonlyMap<string, CatalogueEntry> {
  return catalogues[version];
}

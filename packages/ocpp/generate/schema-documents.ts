import { readFile } from "node:fs/promises";
import { followXmlOrder } from "./follow-xml-order.ts";
import { nameInlineTypes } from "./name-inline-types.ts";

/** A JSON Schema as far as the OCPP schemas use the language. */
export interface Schema {
  $ref?: string;
  type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean;
  items?: Schema;
  enum?: string[];
  format?: string;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  minimum?: number;
  maximum?: number;
  multipleOf?: number;
  xml?: { nodeType: "attribute" | "text" };
}

/** Every type and message of one OCPP version, by name. References point at `#/definitions/`. */
export interface SchemaDocument {
  readonly version: string;
  readonly definitions: Record<string, Schema>;
}

type RawSchema = Schema & { definitions?: Record<string, RawSchema> };
type RawModule = Record<string, RawSchema>;

const KEYWORDS = new Set([
  "$ref",
  "type",
  "properties",
  "required",
  "additionalProperties",
  "items",
  "enum",
  "format",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "minimum",
  "maximum",
  "multipleOf",
  "xml",
]);

/** Keeps the keywords that constrain a value and drops prose, defaults and keywords without effect. */
function normalise(schema: RawSchema): Schema {
  const result: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(schema)) {
    if (!KEYWORDS.has(keyword)) continue;
    if (keyword === "properties") {
      result.properties = Object.fromEntries(
        Object.entries(value as Record<string, RawSchema>).map(([name, property]) => [name, normalise(property)]),
      );
    } else if (keyword === "items") {
      result.items = normalise(value as RawSchema);
    } else if (keyword !== "additionalProperties" || schema.type === "object") {
      result[keyword] = value;
    }
  }
  return result;
}

/** typed-ocpp follows proposals in four places of 1.6; the published schemas rule. */
function restorePublished16(definitions: Record<string, Schema>): void {
  const at = (path: string): Schema => {
    let schema: Schema | undefined;
    for (const step of path.split("/")) {
      schema = schema === undefined ? definitions[step] : step === "[]" ? schema.items : schema.properties?.[step];
      if (schema === undefined) throw new Error(`1.6 schema has no ${path}`);
    }
    return schema as Schema;
  };
  at("ChangeConfigurationRequest/value").maxLength = 500;
  at("GetConfigurationResponse/configurationKey/[]/value").maxLength = 500;
  at("StatusNotificationRequest/info").maxLength = 50;
  const units = at("MeterValuesRequest/meterValue/[]/sampledValue/[]/unit").enum;
  if (units) at("StopTransactionRequest/transactionData/[]/sampledValue/[]/unit").enum = units;
}

async function fromModule(version: string, module: RawModule): Promise<SchemaDocument> {
  const definitions: Record<string, Schema> = {};
  for (const [exported, schema] of Object.entries(module)) {
    if (typeof schema !== "object" || (schema.type !== "object" && !schema.properties)) continue;
    for (const [name, definition] of Object.entries(schema.definitions ?? {})) {
      definitions[name] ??= normalise(definition);
    }
    const message = /(Request|Response)$/.test(exported) ? exported : `${exported}Request`;
    definitions[message] = normalise(schema);
  }
  if (version === "1.6") {
    restorePublished16(definitions);
    const order = await readFile(new URL("../schemas/ocpp1.6-xml.json", import.meta.url), "utf8");
    followXmlOrder(definitions, JSON.parse(order) as Record<string, string[]>);
    nameInlineTypes(definitions);
  }
  return { version, definitions };
}

async function ownDocument(version: string): Promise<SchemaDocument> {
  const file = new URL(`../schemas/ocpp${version}.json`, import.meta.url);
  const { definitions } = JSON.parse(await readFile(file, "utf8")) as { definitions: Record<string, RawSchema> };
  return {
    version,
    definitions: Object.fromEntries(Object.entries(definitions).map(([name, schema]) => [name, normalise(schema)])),
  };
}

async function publishedDocument(version: string, folder: string): Promise<SchemaDocument> {
  // The package's index compiles every validator on import, so only its schema module is loaded.
  const file = new URL(import.meta.resolve("typed-ocpp").replace(/index\.js$/, `${folder}/schemas.js`));
  return fromModule(version, (await import(file.href)) as RawModule);
}

/** Loads the five schema documents: 1.2 and 1.5 are our own, the others are OCA's as typed-ocpp ships them. */
export async function schemaDocuments(): Promise<SchemaDocument[]> {
  return [
    await ownDocument("1.2"),
    await ownDocument("1.5"),
    await publishedDocument("1.6", "ocpp16"),
    await publishedDocument("2.0.1", "ocpp20"),
    await publishedDocument("2.1", "ocpp21"),
  ];
}

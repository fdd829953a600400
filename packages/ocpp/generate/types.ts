import type { Schema, SchemaDocument } from "./schema-documents.ts";

const SCALARS = { string: "string", integer: "number", number: "number", boolean: "boolean" } as const;

function typeOf(schema: Schema, indent: string): string {
  if (schema.$ref !== undefined) return schema.$ref.slice("#/definitions/".length);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") {
    const item = typeOf(schema.items ?? {}, indent);
    return item.includes(" | ") ? `(${item})[]` : `${item}[]`;
  }
  if (schema.type === "object" || schema.properties !== undefined) return objectType(schema, indent);
  return schema.type === undefined ? "unknown" : SCALARS[schema.type];
}

function objectType(schema: Schema, indent: string): string {
  const required = new Set(schema.required);
  const lines = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const type = typeOf(property, `${indent}  `);
    return required.has(name) ? `${indent}  ${name}: ${type};` : `${indent}  ${name}?: ${type} | undefined;`;
  });
  if (schema.additionalProperties !== false) lines.push(`${indent}  [property: string]: unknown;`);
  return lines.length === 0 ? "Record<string, never>" : `{\n${lines.join("\n")}\n${indent}}`;
}

/** Writes the TypeScript types of every definition, and the map from action to request and response. */
export function typesModule(document: SchemaDocument, actions: readonly string[]): string {
  const types = Object.entries(document.definitions).map(
    ([name, schema]) => `export type ${name} = ${typeOf(schema, "")};`,
  );
  const rows = actions.map((action) => {
    const response = document.definitions[`${action}Response`] ? `${action}Response` : "undefined";
    return `  ${action}: { request: ${action}Request; response: ${response} };`;
  });
  return `// Generated from the schemas of OCPP ${document.version} by \`npm run generate\`. Do not edit.
${types.join("\n\n")}

/** Request and response of every action of OCPP ${document.version}. */
export interface Messages {
${rows.join("\n")}
}
`;
}

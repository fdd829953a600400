import { _, Ajv } from "ajv";
import standaloneCode from "ajv/dist/standalone/index.js";
import type { SchemaDocument } from "./schema-documents.ts";

const RUNTIME = "../validation/runtime.ts";

/**
 * Writes one module that holds a validation function for every message of a version. Functions of shared
 * types are shared, nothing is mutated, and the first violation ends a validation.
 */
export function validatorsModule(document: SchemaDocument, messages: readonly string[]): string {
  const ajv = new Ajv({
    strict: true,
    strictTypes: false,
    allowUnionTypes: true,
    multipleOfPrecision: 6,
    inlineRefs: false,
    messages: false,
    code: { source: true, esm: true, lines: false, formats: _`require("formats")` },
  });
  ajv.addKeyword({ keyword: "xml", schemaType: "object" });
  ajv.addFormat("date-time", () => true);
  ajv.addFormat("uri", () => true);
  const root = `ocpp${document.version}`;
  ajv.addSchema({ $id: root, definitions: document.definitions });
  const refs = Object.fromEntries(messages.map((name) => [name, `${root}#/definitions/${name}`]));
  const code = standaloneCode
    .default(ajv, refs)
    .replaceAll('require("formats")["date-time"]', "isDateTime")
    .replaceAll('require("formats").uri', "isUri")
    .replaceAll('require("ajv/dist/runtime/ucs2length").default', "characterCount");
  if (code.includes("require(")) {
    throw new Error(`validators of ${root} still need ${/require\([^)]*\)[^;]{0,40}/.exec(code)?.[0]}`);
  }
  return `// @ts-nocheck
// Generated from the schemas of OCPP ${document.version} by \`npm run generate\`. Do not edit.
import { characterCount, isDateTime, isUri } from "${RUNTIME}";
${code.replace(/^"use strict";/, "")}
`;
}

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { actions } from "../src/catalogue/actions.ts";
import type { OcppVersion } from "../src/catalogue/version.ts";
import { type SchemaDocument, schemaDocuments } from "./schema-documents.ts";
import { typesModule } from "./types.ts";
import { validatorsModule } from "./validators.ts";

const target = new URL("../src/generated/", import.meta.url);

async function writeChanged(name: string, text: string): Promise<void> {
  const file = new URL(name, target);
  const present = await readFile(file, "utf8").catch(() => undefined);
  if (present !== text) await writeFile(file, text);
}

function definitionsModule(document: SchemaDocument): string {
  const json = JSON.stringify(JSON.stringify(document.definitions));
  return `// Generated from the schemas of OCPP ${document.version} by \`npm run generate\`. Do not edit.
export const definitionsJson: string = ${json};
`;
}

await mkdir(target, { recursive: true });
for (const document of await schemaDocuments()) {
  const names = Object.keys(actions[document.version as OcppVersion]);
  const messages = names.flatMap((action) =>
    document.definitions[`${action}Response`] ? [`${action}Request`, `${action}Response`] : [`${action}Request`],
  );
  const missing = messages.filter((message) => document.definitions[message] === undefined);
  if (missing.length > 0) throw new Error(`OCPP ${document.version} has no schema for ${missing.join(", ")}`);
  await writeChanged(`types-${document.version}.ts`, typesModule(document, names));
  await writeChanged(`validators-${document.version}.ts`, validatorsModule(document, messages));
  await writeChanged(`definitions-${document.version}.ts`, definitionsModule(document));
}

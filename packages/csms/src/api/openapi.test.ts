import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { pino } from "pino";
import { expect, it } from "vitest";
import { systemClock } from "../clock.ts";
import { EventLog, EventStore } from "../events/index.ts";
import { createAccess } from "./access.ts";
import { eventRoutes } from "./events/routes.ts";
import { Metrics } from "./metrics.ts";
import { createApi } from "./server.ts";
import { WebhookStore, Webhooks, webhookRoutes } from "./webhooks/index.ts";

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[];
  readonly responses: Readonly<Record<string, { readonly description?: string; readonly content?: object }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** The document of everything this folder and the events serve; describing needs no database. */
async function readDocument(): Promise<Document> {
  const log = pino({ level: "silent" });
  const database = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: new pg.Pool() }) });
  const store = new EventStore(database);
  const events = new EventLog({ store, log });
  const access = createAccess({ database, clock: systemClock, log });
  const webhooks = new Webhooks({ store: new WebhookStore(database), events, clock: systemClock, log });
  const server = await createApi({
    log,
    clock: systemClock,
    version: "1.0.0",
    credentials: access.keys,
    audit: access.audit,
    metrics: new Metrics(),
    plugins: [access.api, eventRoutes({ events, store, isStillAllowed: () => true }), webhookRoutes(webhooks)],
    rootPlugins: [access.pages],
  });
  const document = (await server.inject({ url: "/api/openapi.json" })).json<Document>();
  await server.close();
  await database.destroy();
  return document;
}

const document = await readDocument();
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, path, operation })),
);

it("describes every route of the API", () => {
  expect(operations.map(({ name }) => name).sort()).toEqual([
    "delete /api/v1/api-keys/{keyId}",
    "delete /api/v1/webhooks/{webhookId}",
    "get /api/v1/api-keys",
    "get /api/v1/audit",
    "get /api/v1/audit/verification",
    "get /api/v1/events",
    "get /api/v1/webhooks",
    "get /api/v1/webhooks/{webhookId}",
    "get /api/v1/webhooks/{webhookId}/attempts",
    "get /health/live",
    "get /health/ready",
    "patch /api/v1/webhooks/{webhookId}",
    "post /api/v1/api-keys",
    "post /api/v1/setup",
    "post /api/v1/webhooks",
    "post /api/v1/webhooks/{webhookId}/test",
  ]);
});

it.each(operations)("lets a client be generated from $name", ({ path, operation }) => {
  expect(operation.operationId).toMatch(/^[a-z][A-Za-z]+$/);
  expect(operation.summary).toMatch(/\S/);
  expect(operation.tags).toHaveLength(1);
  const success = Object.entries(operation.responses).find(([status]) => status.startsWith("2"));
  expect(success?.[1].description).toEqual(expect.any(String));
  if (success?.[0] !== "204") expect(success?.[1].content).toBeDefined();
  else expect(success[1].content).toBeUndefined();
  expect(operation.responses["4XX"]?.content).toHaveProperty(["application/problem+json"]);
  expect(operation.responses["5XX"]?.content).toHaveProperty(["application/problem+json"]);
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  const declared = operation.parameters?.filter((parameter) => parameter.in === "path") ?? [];
  expect(declared.map(({ name }) => name)).toEqual(inPath);
  for (const parameter of declared) expect(parameter.required).toBe(true);
});

it("refers to nothing that is not there", () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(
    ([, reference]) => reference ?? "",
  );
  expect(references.length).toBeGreaterThan(0);
  for (const reference of new Set(references)) {
    const found = reference
      .slice(2)
      .split("/")
      .reduce<unknown>((part, name) => (part as Record<string, unknown> | undefined)?.[name], document);
    expect(found, reference).toBeDefined();
  }
});

import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance, FastifySchema, RouteOptions } from "fastify";
import { ProblemSchema } from "./problem.ts";
import { defaultRole } from "./roles.ts";

/** The page's own logo; without one the page shows that of its library. */
const LOGO =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 180 40" role="img" aria-label="Polyphase">' +
  '<text x="0" y="29" font-family="sans-serif" font-size="28" font-weight="700" fill="#fff">Polyphase</text></svg>';

/** Path of the OpenAPI document. */
export const OPENAPI_PATH = "/api/openapi.json";

/**
 * Serves the OpenAPI 3.1 document and its page. Call before routes are added: it completes their schemas.
 * Two routes with one operation id are a programming error; adding the second throws.
 */
export async function registerOpenApi(server: FastifyInstance, version: string): Promise<void> {
  server.addSchema(ProblemSchema);
  const operationIds = new Set<string>();
  server.addHook("onRoute", (route) => {
    const schema = completeSchema(route);
    route.schema = schema;
    if (schema.hide === true || schema.operationId === undefined) return;
    if (operationIds.has(schema.operationId))
      throw new TypeError(`two routes have the operation id ${schema.operationId}`);
    operationIds.add(schema.operationId);
  });
  await server.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Polyphase",
        version,
        description:
          "Charging Station Management System for OCPP 1.2, 1.5, 1.6, 2.0.1 and 2.1, in the words of OCPP 2.1. " +
          "Errors are problem documents (RFC 9457); lists are paged by cursor.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: "/" }],
      components: {
        securitySchemes: {
          bearer: { type: "http", scheme: "bearer", description: "An API key, or the configured administrator token" },
        },
      },
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, index) => String(json.$id ?? `schema-${index}`) },
  });
  await server.register(swaggerUi, {
    routePrefix: "/api/docs",
    theme: { title: "Polyphase API" },
    logo: { type: "image/svg+xml", content: Buffer.from(LOGO), href: "/", target: "_self" },
    uiConfig: { docExpansion: "list", deepLinking: true },
  });
  server.get(OPENAPI_PATH, { config: { role: "anyone" }, schema: { hide: true } }, () => server.swagger());
}

type OperationSchema = FastifySchema & { hide?: boolean };

/** Gives a documented route what all have: an operation id, a tag, the security scheme and the problem responses. */
function completeSchema(route: RouteOptions): OperationSchema {
  const schema: OperationSchema | undefined = route.schema;
  if (schema === undefined || schema.hide === true) return { ...schema, hide: true };
  const method = Array.isArray(route.method) ? (route.method[0] ?? "GET") : route.method;
  const role = route.config?.role ?? defaultRole(method);
  return {
    operationId: operationIdOf(method, route.url, isPaged(schema)),
    security: role === "anyone" ? [] : [{ bearer: [] }],
    ...schema,
    tags: (schema.tags ?? [tagOf(route.url)]).map((tag) => tag.toLowerCase().replaceAll(" ", "-")),
    description: describeRole(schema.description, role),
    response: { ...problemResponses(), ...(schema.response as object | undefined) },
    ...(method === "HEAD" ? { hide: true } : {}),
  };
}

function problemResponses(): Record<string, unknown> {
  const content = { "application/problem+json": { schema: { $ref: "Problem#" } } };
  return {
    "4xx": { description: "The request cannot be served as it is", content },
    "5xx": { description: "The server, the database or the station could not do it now", content },
  };
}

function describeRole(description: string | undefined, role: string): string {
  const needs = role === "anyone" ? "Needs no token." : `Needs the role ${role}.`;
  return description === undefined ? needs : `${description}\n\n${needs}`;
}

/** Whether the route answers with a page of a list, as `PageOf` makes it. */
function isPaged(schema: OperationSchema): boolean {
  const { response } = schema as { response?: Record<string, { properties?: object } | undefined> };
  const properties = response?.[200]?.properties;
  return properties !== undefined && "nextCursor" in properties;
}

/**
 * The operation id of a route that does not say its own: `GET /stations` becomes `listStations`,
 * `GET /stations/:stationId` `getStation`, `POST /stations/:stationId/approve` `postStationApprove`.
 */
function operationIdOf(method: string, url: string, isList: boolean): string {
  const parts = pathWords(url);
  const words = parts.flatMap((part, index) => {
    if (part.startsWith(":")) return [];
    return [capital(parts[index + 1]?.startsWith(":") === true ? singular(part) : part)];
  });
  return (isList ? "list" : method.toLowerCase()) + words.join("");
}

function singular(word: string): string {
  return word.replace(/ies$/, "y").replace(/s$/, "");
}

function tagOf(url: string): string {
  return pathWords(url)[0] ?? "server";
}

function pathWords(url: string): string[] {
  return url
    .replace(/^\/api\/v1/, "")
    .split("/")
    .filter((word) => word !== "");
}

function capital(word: string): string {
  return word
    .split(/[^A-Za-z0-9]+/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join("");
}

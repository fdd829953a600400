import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import type { Clock } from "../../clock.ts";
import { decodeCursor, PageOf, PageQuery, pageOfRows } from "../paging.ts";
import { invalid } from "../problem.ts";
import { callerOf } from "../roles.ts";
import type { ApiKey } from "./api-key-store.ts";
import type { ApiKeys } from "./api-keys.ts";

/** Schema of a role. */
export const RoleSchema = Type.Union(
  [Type.Literal("viewer"), Type.Literal("operator"), Type.Literal("administrator")],
  {
    description: "A viewer reads, an operator also commands stations, an administrator may do everything",
  },
);

/** Schema of a key's name. */
export const KeyName = Type.String({
  minLength: 1,
  maxLength: 100,
  pattern: "^[^\\u0000-\\u001f]*$",
  description: "Who or what uses the key",
});

const ApiKeySchema = Type.Object({
  id: Type.String({ format: "uuid" }),
  name: KeyName,
  role: RoleSchema,
  createdAt: Type.String({ format: "date-time" }),
  createdBy: Type.String(),
  expiresAt: Type.Optional(Type.String({ format: "date-time" })),
  lastUsedAt: Type.Optional(Type.String({ format: "date-time", description: "Written about once a minute" })),
});

/** Schema of a key that was just made. */
export const CreatedApiKeySchema = Type.Object({
  ...ApiKeySchema.properties,
  token: Type.String({ description: "The bearer token. It is shown this once only" }),
});

/** The key as the API shows it. */
export function apiKeyJson({ id, name, role, createdAt, createdBy, expiresAt, lastUsedAt }: ApiKey) {
  return {
    id,
    name,
    role,
    createdAt: createdAt.toISOString(),
    createdBy,
    ...(expiresAt === undefined ? {} : { expiresAt: expiresAt.toISOString() }),
    ...(lastUsedAt === undefined ? {} : { lastUsedAt: lastUsedAt.toISOString() }),
  };
}

/** Routes that list, create and delete API keys; for administrators. */
export function apiKeyRoutes(keys: ApiKeys, clock: Clock): FastifyPluginAsyncTypebox {
  const config = { role: "administrator" } as const;
  const tags = ["api-keys"];
  return async (app) => {
    app.get(
      "/api-keys",
      {
        config,
        schema: {
          operationId: "listApiKeys",
          tags,
          summary: "List API keys",
          querystring: PageQuery,
          response: { 200: PageOf(ApiKeySchema) },
        },
      },
      ({ query: { limit, cursor } }) => {
        const position = cursor === undefined ? undefined : decodeCursor(cursor, ["number", "string"]);
        const rows = keys.list().filter((key) => position === undefined || isAfter(key, position));
        return pageOfRows(rows, limit, apiKeyJson, (key) => [key.createdAt.getTime(), key.id]);
      },
    );
    app.post(
      "/api-keys",
      {
        config,
        schema: {
          operationId: "createApiKey",
          tags,
          summary: "Create an API key",
          description: "The token is in this response only; what is stored cannot be turned back into it.",
          body: Type.Object(
            {
              name: KeyName,
              role: RoleSchema,
              expiresAt: Type.Optional(Type.String({ format: "date-time", description: "Absent: it does not expire" })),
            },
            { additionalProperties: false },
          ),
          response: { 201: CreatedApiKeySchema },
        },
      },
      async (request, reply) => {
        const { name, role } = request.body;
        const expiresAt = request.body.expiresAt === undefined ? undefined : new Date(request.body.expiresAt);
        if (expiresAt !== undefined && expiresAt <= clock.now()) {
          throw invalid([{ in: "body", field: "/expiresAt", rule: "future", message: "must lie in the future" }]);
        }
        const { key, token } = await keys.create({ name, role, expiresAt, createdBy: callerOf(request).name });
        request.auditDetail = { keyId: key.id, name, role };
        return reply
          .status(201)
          .header("location", `/api/v1/api-keys/${key.id}`)
          .send({ ...apiKeyJson(key), token });
      },
    );
    app.delete(
      "/api-keys/:keyId",
      {
        config,
        schema: {
          operationId: "deleteApiKey",
          tags,
          summary: "Delete an API key",
          params: Type.Object({ keyId: Type.String({ format: "uuid" }) }),
          response: { 204: Type.Null({ description: "The key is refused from now on" }) },
        },
      },
      async (request, reply) => {
        await keys.delete(request.params.keyId);
        return reply.status(204).send(null);
      },
    );
  };
}

function isAfter(key: ApiKey, [createdAtMs, id]: readonly [number, string]): boolean {
  const difference = key.createdAt.getTime() - createdAtMs;
  return difference > 0 || (difference === 0 && key.id.localeCompare(id) > 0);
}

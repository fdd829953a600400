import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Kysely } from "kysely";
import { type Static, Type } from "typebox";
import { decodeCursor, PageOf, PageQuery, pageOfRows } from "../../api/paging.ts";
import { invalid, notFound } from "../../api/problem.ts";
import { type IdToken, type IdTokenSettings, keyOf } from "./id-token.ts";
import type { AuthorizationService } from "./service.ts";
import { readTokens } from "./store.ts";

const Status = Type.Enum(
  [
    "Accepted",
    "Blocked",
    "ConcurrentTx",
    "Expired",
    "Invalid",
    "NoCredit",
    "NotAllowedTypeEVSE",
    "NotAtThisLocation",
    "NotAtThisTime",
    "Unknown",
  ],
  { description: "AuthorizationStatusEnum of 2.1: Accepted, or why the token may not charge" },
);

// No version lets control characters into an identifier.
const Identifier = Type.String({ minLength: 1, maxLength: 255, pattern: "^[^\\u0000-\\u001f\\u007f]+$" });
const Language = Type.String({ minLength: 2, maxLength: 8, description: "RFC 5646 tag" });

const SettingsProperties = {
  type: Type.Optional(
    Type.String({ minLength: 1, maxLength: 20, description: "IdTokenEnum of 2.1; absent: good for every type" }),
  ),
  status: Status,
  groupIdToken: Type.Optional(
    Type.String({ minLength: 1, maxLength: 255, description: "Tokens of a group may stop each other's transactions" }),
  ),
  expiresAt: Type.Optional(Type.String({ format: "date-time" })),
  maxConcurrentTransactions: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1_000_000, description: "Absent: as the policy of the system says" }),
  ),
  allowedStations: Type.Optional(
    Type.Array(
      Type.Object({
        stationId: Type.String({ minLength: 1, maxLength: 128 }),
        evseIds: Type.Optional(Type.Array(Type.Integer({ minimum: 1 }), { maxItems: 100 })),
      }),
      { maxItems: 10_000, description: "With `allowedSites` absent too: everywhere" },
    ),
  ),
  allowedSites: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { maxItems: 10_000 })),
  language1: Type.Optional(Language),
  language2: Type.Optional(Language),
  personalMessage: Type.Optional(
    Type.Object({
      format: Type.Enum(["ASCII", "HTML", "URI", "UTF8", "QRCODE"]),
      language: Type.Optional(Language),
      content: Type.String({ maxLength: 1024 }),
    }),
  ),
  chargingPriority: Type.Optional(Type.Integer({ minimum: -9, maximum: 9 })),
  note: Type.Optional(Type.String({ maxLength: 1000 })),
};

const SettingsSchema = Type.Object(
  { ...SettingsProperties, status: Type.Optional(Status) },
  { additionalProperties: false },
);
const TokenSchema = Type.Object({
  idToken: Type.String(),
  ...SettingsProperties,
  createdAt: Type.String({ format: "date-time" }),
  updatedAt: Type.String({ format: "date-time" }),
});

const Params = Type.Object({ idToken: Identifier });
const ListQuery = Type.Object({
  ...PageQuery.properties,
  status: Type.Optional(Status),
  type: Type.Optional(Type.String({ maxLength: 20 })),
  groupIdToken: Type.Optional(Type.String({ maxLength: 255 })),
  search: Type.Optional(
    Type.String({ minLength: 1, maxLength: 255, description: "Part of the token or the note, in any case of letters" }),
  ),
});

/** Routes that keep tokens. */
export function tokenRoutes(service: AuthorizationService, database: Kysely<unknown>): FastifyPluginAsyncTypebox {
  const tags = ["Authorization"];
  return async (server) => {
    server.get(
      "/id-tokens",
      {
        schema: {
          tags,
          summary: "List tokens in the order of their names",
          querystring: ListQuery,
          response: { 200: PageOf(TokenSchema) },
        },
      },
      async ({ query }) => {
        const { limit, cursor, ...filter } = query;
        const [afterKey] = cursor === undefined ? [] : decodeCursor(cursor, ["string"]);
        const tokens = await readTokens(database, filter, { limit: limit + 1, afterKey });
        return pageOfRows(tokens, limit, tokenJson, (token) => [keyOf(token.idToken)]);
      },
    );

    server.get(
      "/id-tokens/:idToken",
      { schema: { tags, summary: "Read a token", params: Params, response: { 200: TokenSchema } } },
      async ({ params }) => {
        const token = service.get(params.idToken);
        if (token === undefined) throw notFound("token", params.idToken);
        return tokenJson(token);
      },
    );

    server.put(
      "/id-tokens/:idToken",
      {
        schema: {
          tags,
          summary: "Register a token, or replace what is known of it",
          description: "The letters of a token compare without case. What the body leaves out is no longer set.",
          params: Params,
          body: SettingsSchema,
          response: { 200: TokenSchema, 201: TokenSchema },
        },
      },
      async ({ params, body }, reply) => {
        const { token, isNew } = await service.put(params.idToken, settingsOf(body));
        return reply.status(isNew ? 201 : 200).send(tokenJson(token));
      },
    );

    server.delete(
      "/id-tokens/:idToken",
      { schema: { tags, summary: "Forget a token", params: Params, response: { 204: Type.Null() } } },
      async ({ params }, reply) => {
        if (!(await service.remove(params.idToken))) throw notFound("token", params.idToken);
        return reply.status(204).send(null);
      },
    );
  };
}

function settingsOf(body: Static<typeof SettingsSchema>): IdTokenSettings {
  const { expiresAt, status, language1, language2, ...rest } = body;
  // C01.FR.10, C01.FR.11.
  if (language2 !== undefined && (language1 === undefined || language1 === language2)) {
    const message = "is a second language beside another language1";
    throw invalid([{ in: "body", field: "/language2", rule: "C01.FR.10", message }]);
  }
  return {
    ...(rest as Omit<IdTokenSettings, "status">),
    status: status ?? "Accepted",
    ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt) }),
    ...(language1 === undefined ? {} : { language1 }),
    ...(language2 === undefined ? {} : { language2 }),
  };
}

function tokenJson(token: IdToken): Static<typeof TokenSchema> {
  const { expiresAt, createdAt, updatedAt, allowedStations, allowedSites, personalMessage, ...rest } = token;
  return {
    ...rest,
    ...(expiresAt === undefined ? {} : { expiresAt: expiresAt.toISOString() }),
    ...(allowedSites === undefined ? {} : { allowedSites: [...allowedSites] }),
    ...(allowedStations === undefined
      ? {}
      : {
          allowedStations: allowedStations.map(({ stationId, evseIds }) => ({
            stationId,
            ...(evseIds === undefined ? {} : { evseIds: [...evseIds] }),
          })),
        }),
    ...(personalMessage === undefined ? {} : { personalMessage: messageJson(personalMessage) }),
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}

function messageJson({ format, language, content }: NonNullable<IdToken["personalMessage"]>) {
  return { format, content, ...(language === undefined ? {} : { language }) };
}

import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { decodeCursor, PageOf, PageQuery, pageOfRows } from "../paging.ts";
import { invalid } from "../problem.ts";
import { callerOf } from "../roles.ts";
import { isSecret } from "./signature.ts";
import type { Webhook } from "./webhook.ts";
import type { StoredAttempt } from "./webhook-store.ts";
import type { Webhooks } from "./webhooks.ts";

const Url = Type.String({
  format: "uri",
  maxLength: 2000,
  pattern: "^https?://",
  description: "Where events are posted. Redirects are not followed",
});
const Types = Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
  maxItems: 100,
  description: "Kinds of events, for example `transaction.ended`; empty for all",
});
const Secret = Type.String({ maxLength: 120, description: "`whsec_` and base64 of 24 to 64 bytes" });
const StationId = Type.String({ maxLength: 255, description: "Only events of this station" });
const Description = Type.String({ maxLength: 200 });

const WebhookSchema = Type.Object({
  id: Type.String({ format: "uuid" }),
  url: Url,
  description: Description,
  types: Types,
  stationId: Type.Optional(StationId),
  enabled: Type.Boolean(),
  disabledReason: Type.Optional(Type.String({ description: "Why the system disabled it" })),
  createdAt: Type.String({ format: "date-time" }),
  createdBy: Type.String(),
  lastEventId: Type.Integer({ description: "Events up to this id were delivered or do not fit" }),
  failure: Type.Optional(
    Type.Object({
      attempts: Type.Integer({ description: "Failed attempts for the present event" }),
      since: Type.String({ format: "date-time" }),
      nextAttemptAt: Type.String({ format: "date-time" }),
    }),
  ),
});

const CreatedWebhookSchema = Type.Object({
  ...WebhookSchema.properties,
  secret: Type.String({ description: "Verifies signatures. It is shown this once only" }),
});

const Attempt = Type.Object({
  eventId: Type.Integer(),
  attempt: Type.Integer({ minimum: 1 }),
  at: Type.String({ format: "date-time" }),
  durationMs: Type.Integer(),
  status: Type.Optional(Type.Integer({ description: "HTTP status; absent when there was no answer" })),
  error: Type.Optional(Type.String({ description: "Absent after success" })),
});

const description = `Each event is posted as JSON in the order of ids, each until it is answered with 2xx, so at least once:
know repeats by the header \`webhook-id\`. Deliveries are signed as Standard Webhooks says: \`webhook-signature\` is \`v1,\` and the
base64 of HMAC-SHA256 over \`webhook-id.webhook-timestamp.body\`. After a failure it is tried again with growing waits
up to an hour; after five days of failure, or an answer 410, the webhook is disabled.

The server will call any address given here, also inside its own network: that is why only administrators may.`;

const config = { role: "administrator" } as const;
const tags = ["webhooks"];
const params = Type.Object({ webhookId: Type.String({ format: "uuid" }) });

/** Routes of webhooks; for administrators. */
export function webhookRoutes(webhooks: Webhooks): FastifyPluginAsyncTypebox {
  return async (app) => {
    await app.register(collectionRoutes(webhooks));
    await app.register(itemRoutes(webhooks));
    await app.register(deliveryRoutes(webhooks));
  };
}

function collectionRoutes(webhooks: Webhooks): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      "/webhooks",
      {
        config,
        schema: {
          operationId: "listWebhooks",
          tags,
          summary: "List webhooks",
          querystring: PageQuery,
          response: { 200: PageOf(WebhookSchema) },
        },
      },
      ({ query: { limit, cursor } }) => {
        const position = cursor === undefined ? undefined : decodeCursor(cursor, ["number", "string"]);
        const rows = webhooks.list().filter((webhook) => position === undefined || isAfter(webhook, position));
        return pageOfRows(rows, limit, webhookJson, (row) => [row.createdAt.getTime(), row.id]);
      },
    );
    app.post(
      "/webhooks",
      {
        config,
        schema: {
          operationId: "createWebhook",
          tags,
          summary: "Have events posted to an address, from the next event on",
          description,
          body: Type.Object(
            {
              url: Url,
              description: Type.Optional(Description),
              types: Type.Optional(Types),
              stationId: Type.Optional(StationId),
              enabled: Type.Optional(Type.Boolean({ description: "Default true" })),
              secret: Type.Optional(Secret),
            },
            { additionalProperties: false },
          ),
          response: { 201: CreatedWebhookSchema },
        },
      },
      async (request, reply) => {
        const { url, types = [], stationId, enabled = true, secret } = request.body;
        checkUrl(url);
        checkSecret(secret);
        const createdBy = callerOf(request).name;
        const text = request.body.description ?? "";
        const webhook = await webhooks.create({ url, description: text, types, stationId, enabled, secret, createdBy });
        request.auditDetail = { webhookId: webhook.id, url: withoutQuery(url), types, stationId, enabled };
        return reply
          .status(201)
          .header("location", `/api/v1/webhooks/${webhook.id}`)
          .send({ ...webhookJson(webhook), secret: webhook.secret });
      },
    );
  };
}

function itemRoutes(webhooks: Webhooks): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      "/webhooks/:webhookId",
      {
        config,
        schema: {
          operationId: "getWebhook",
          tags,
          summary: "Show a webhook",
          params,
          response: { 200: WebhookSchema },
        },
      },
      ({ params: { webhookId } }) => webhookJson(webhooks.get(webhookId)),
    );
    app.patch(
      "/webhooks/:webhookId",
      {
        config,
        schema: {
          operationId: "changeWebhook",
          tags,
          summary: "Change a webhook",
          description: "Enabling it, or giving another address, forgets its failures and goes on where it stopped.",
          params,
          body: Type.Object(
            {
              url: Type.Optional(Url),
              description: Type.Optional(Description),
              types: Type.Optional(Types),
              stationId: Type.Optional(Type.Union([StationId, Type.Null()], { description: "Null for every station" })),
              enabled: Type.Optional(Type.Boolean()),
              secret: Type.Optional(Secret),
            },
            { additionalProperties: false },
          ),
          response: { 200: WebhookSchema },
        },
      },
      async (request) => {
        const { secret, ...visible } = request.body;
        if (visible.url !== undefined) checkUrl(visible.url);
        checkSecret(secret);
        const url = visible.url === undefined ? {} : { url: withoutQuery(visible.url) };
        request.auditDetail = { ...visible, ...url, secretChanged: secret !== undefined };
        return webhookJson(await webhooks.change(request.params.webhookId, request.body));
      },
    );
    app.delete(
      "/webhooks/:webhookId",
      {
        config,
        schema: {
          operationId: "deleteWebhook",
          tags,
          summary: "Delete a webhook",
          params,
          response: { 204: Type.Null({ description: "Nothing more is posted" }) },
        },
      },
      async (request, reply) => {
        await webhooks.delete(request.params.webhookId);
        return reply.status(204).send(null);
      },
    );
  };
}

function deliveryRoutes(webhooks: Webhooks): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      "/webhooks/:webhookId/test",
      {
        config,
        schema: {
          operationId: "testWebhook",
          tags,
          summary: "Post an event `webhook.test` once and tell what came of it",
          params,
          response: { 200: Type.Omit(Attempt, ["eventId", "attempt"]) },
        },
      },
      async (request, reply) => {
        const gone = new AbortController();
        reply.raw.once("close", () => gone.abort());
        const { at, durationMs, status, error } = await webhooks.test(request.params.webhookId, gone.signal);
        return outcomeJson({ at, durationMs, status, error });
      },
    );
    app.get(
      "/webhooks/:webhookId/attempts",
      {
        config,
        schema: {
          operationId: "listWebhookAttempts",
          tags,
          summary: "List attempts to deliver, newest first",
          description: "The newest thousand are kept.",
          params,
          querystring: PageQuery,
          response: { 200: PageOf(Attempt) },
        },
      },
      async ({ params: { webhookId }, query: { limit, cursor } }) => {
        const before = cursor === undefined ? undefined : decodeCursor(cursor, ["number"])[0];
        const rows = await webhooks.attempts(webhookId, before, limit + 1);
        return pageOfRows(rows, limit, attemptJson, (row) => [row.id]);
      },
    );
  };
}

function webhookJson(webhook: Webhook) {
  const {
    id,
    url,
    description: text,
    types,
    stationId,
    enabled,
    disabledReason,
    createdAt,
    createdBy,
    cursor,
  } = webhook;
  const { failure } = webhook;
  return {
    id,
    url,
    description: text,
    types: [...types],
    ...(stationId === undefined ? {} : { stationId }),
    enabled,
    ...(disabledReason === undefined ? {} : { disabledReason }),
    createdAt: createdAt.toISOString(),
    createdBy,
    lastEventId: cursor,
    ...(failure === undefined
      ? {}
      : {
          failure: {
            attempts: failure.attempts,
            since: failure.since.toISOString(),
            nextAttemptAt: failure.nextAttemptAt.toISOString(),
          },
        }),
  };
}

function attemptJson({ eventId, attempt, ...outcome }: StoredAttempt) {
  return { eventId, attempt, ...outcomeJson(outcome) };
}

function outcomeJson({ at, durationMs, status, error }: Pick<StoredAttempt, "at" | "durationMs" | "status" | "error">) {
  return {
    at: at.toISOString(),
    durationMs,
    ...(status === undefined ? {} : { status }),
    ...(error === undefined ? {} : { error }),
  };
}

/** Credentials in an address end up in logs and lists. */
function checkUrl(url: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed !== undefined && parsed.username === "" && parsed.password === "") return;
  throw invalid([{ in: "body", field: "/url", rule: "url", message: "must be an address without user and password" }]);
}

function checkSecret(secret: string | undefined): void {
  if (secret === undefined || isSecret(secret)) return;
  throw invalid([
    { in: "body", field: "/secret", rule: "secret", message: "must be whsec_ and base64 of 24 to 64 bytes" },
  ]);
}

function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

function isAfter(webhook: Webhook, [createdAtMs, id]: readonly [number, string]): boolean {
  const difference = webhook.createdAt.getTime() - createdAtMs;
  return difference > 0 || (difference === 0 && webhook.id.localeCompare(id) > 0);
}

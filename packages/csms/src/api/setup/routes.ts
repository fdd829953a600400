import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import type { Clock } from "../../clock.ts";
import type { AuditTrail } from "../audit/audit-hooks.ts";
import { htmlPage } from "../html.ts";
import { apiKeyJson, CreatedApiKeySchema, KeyName } from "../keys/routes.ts";
import type { FirstAdministrator } from "./first-administrator.ts";

const PAGE = htmlPage(
  "Set up Polyphase",
  `<h1>Set up Polyphase</h1>
<p>This creates the first administrator's API key. The link works once, until the server restarts.</p>
<form id="setup" method="post" action="/setup">
<label for="name">Name of the key</label>
<input id="name" name="name" value="first administrator" maxlength="100" required autocomplete="off">
<label for="token">Set-up token (filled in from the link)</label>
<input id="token" name="token" required autocomplete="off" spellcheck="false">
<button type="submit">Create the key</button>
</form>
<div role="status" id="result"></div>
<noscript><p>Without JavaScript, send the token with
<code>curl --json '{"token": "TOKEN", "name": "first administrator"}' http://HOST:8080/api/v1/setup</code>.</p></noscript>
<script src="/setup.js" defer></script>`,
);

const SCRIPT = `const form = document.getElementById("setup");
const result = document.getElementById("result");
form.elements.token.value = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
function show(label, text) {
  const paragraph = document.createElement("p");
  paragraph.textContent = label;
  const code = document.createElement("code");
  code.textContent = text;
  paragraph.append(document.createElement("br"), code);
  result.replaceChildren(paragraph);
}
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify({ token: form.elements.token.value.trim(), name: form.elements.name.value });
  try {
    const response = await fetch("/api/v1/setup", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    const answer = await response.json();
    if (!response.ok) return show(answer.title, answer.detail ?? "");
    form.hidden = true;
    show("Your bearer token. It is not shown again, so keep it now:", answer.token);
  } catch {
    show("The server cannot be reached.", "Try again.");
  }
});
`;

/** The page that the one-time link leads to, at the root of the server. */
export function setupPage(first: FirstAdministrator): FastifyPluginAsyncTypebox {
  const config = { role: "anyone" } as const;
  return async (app) => {
    app.get("/setup", { config, schema: { hide: true } }, (_request, reply) =>
      reply
        .status(first.isOpen ? 200 : 410)
        .header("content-type", "text/html; charset=utf-8")
        .header("cache-control", "no-store")
        .send(first.isOpen ? PAGE : CLOSED_PAGE),
    );
    app.get("/setup.js", { config, schema: { hide: true } }, (_request, reply) =>
      reply.header("content-type", "text/javascript; charset=utf-8").send(SCRIPT),
    );
  };
}

const CLOSED_PAGE = htmlPage(
  "Set up Polyphase",
  `<h1>Set up Polyphase</h1><p>This server is set up already, or the link is of an earlier start: the server prints a
new one when it starts without an administrator.</p><p><a href="/">To the status page</a></p>`,
);

/** The route that the page posts to. */
export function setupRoute(first: FirstAdministrator, audit: AuditTrail, clock: Clock): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      "/setup",
      {
        config: { role: "anyone", rateLimit: { max: 10, timeWindow: 60_000 } },
        schema: {
          operationId: "createFirstAdministrator",
          tags: ["api-keys"],
          summary: "Create the first administrator's API key with the token of the one-time link",
          body: Type.Object(
            { token: Type.String({ minLength: 1, maxLength: 200 }), name: KeyName },
            { additionalProperties: false },
          ),
          response: { 201: CreatedApiKeySchema },
        },
      },
      async (request, reply) => {
        const { key, token } = await first.create(request.body.token, request.body.name);
        await audit.append({
          at: clock.now(),
          actor: "setup",
          role: "administrator",
          action: "createFirstAdministrator",
          target: "/api/v1/setup",
          status: 201,
          requestId: request.id,
          remoteAddress: request.ip,
          detail: { keyId: key.id, name: key.name },
        });
        return reply.status(201).send({ ...apiKeyJson(key), token });
      },
    );
  };
}

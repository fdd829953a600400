import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { UnknownActionError, ValidationError } from "@polyphase/ocpp";
import { pino } from "pino";
import { Type } from "typebox";
import { afterEach, describe, expect, it } from "vitest";
import { DatabaseUnavailableError } from "../database/write-unit.ts";
import { UnknownCommandError } from "../gateway/commands.ts";
import {
  CommandNotSupportedError,
  StationAnsweredError,
  StationOfflineError,
  StationTimeoutError,
} from "../gateway/station-messages.ts";
import { Metrics } from "./metrics.ts";
import { PageOf, PageQuery, pageOfRows } from "./paging.ts";
import { notFound } from "./problem.ts";
import { type ApiOptions, type ApiServer, createApi } from "./server.ts";

const tokens = new Map([
  ["viewer-key", { name: "wall display", role: "viewer", keyId: "1" }],
  ["operator-key", { name: "desk", role: "operator", keyId: "2" }],
  ["administrator-key", { name: "boss", role: "administrator", keyId: "3" }],
] as const);

let server: ApiServer | undefined;
afterEach(() => server?.close());

async function start(options: Partial<ApiOptions> = {}): Promise<ApiServer> {
  server = await createApi({
    log: pino({ level: "silent" }),
    clock: { now: () => new Date("2026-03-01T12:00:00Z") },
    version: "1.2.3",
    credentials: {
      callerOfKey: (token) => (tokens as ReadonlyMap<string, { name: string; role: "viewer" }>).get(token),
      callerOfAdminToken: (token) => (token === "chosen" ? { name: "admin-token", role: "administrator" } : undefined),
    },
    audit: { isBehind: false, append: async () => undefined },
    metrics: new Metrics(),
    plugins: [lamps],
    ...options,
  });
  return server;
}

const as = (token: string) => ({ authorization: `Bearer ${token}` });

let thrown: unknown;
const lamps: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    "/lamps",
    {
      schema: {
        summary: "List lamps",
        querystring: PageQuery,
        response: { 200: PageOf(Type.Object({ id: Type.Integer() })) },
      },
    },
    (request) =>
      pageOfRows(
        Array.from({ length: request.query.limit + 1 }, (_, id) => ({ id })),
        request.query.limit,
        (row) => row,
        (row) => [row.id],
      ),
  );
  app.put(
    "/lamps/:lampId",
    {
      config: { role: "operator" },
      schema: {
        operationId: "putLamp",
        params: Type.Object({ lampId: Type.Integer() }),
        body: Type.Object(
          {
            colour: Type.Union([Type.Literal("red"), Type.Literal("green")]),
            watts: Type.Optional(Type.Integer({ minimum: 1 })),
          },
          { additionalProperties: false },
        ),
        response: { 200: Type.Object({ id: Type.Integer(), by: Type.String() }) },
      },
    },
    (request) => ({ id: request.params.lampId, by: request.caller?.name ?? "" }),
  );
  app.delete("/lamps/:lampId", { config: { role: "administrator" }, schema: {} }, (_request, reply) =>
    reply.status(204).send(),
  );
  app.get("/lamps/throw", { schema: {} }, () => {
    throw thrown;
  });
};

describe("problem documents", () => {
  it("answers an unknown path with 404", async () => {
    const response = await (await start()).inject({ url: "/api/v1/nothing", headers: as("viewer-key") });
    expect(response.statusCode).toBe(404);
    expect(response.headers["content-type"]).toBe("application/problem+json; charset=utf-8");
    expect(response.json()).toMatchObject({ type: "/api/problems/not-found", status: 404, title: "Not found" });
    expect(response.json().requestId).toBe(response.headers["x-request-id"]);
  });

  it("answers a path that has other methods with 405 and names them", async () => {
    const response = await (await start()).inject({
      method: "PATCH",
      url: "/api/v1/lamps/7",
      headers: as("operator-key"),
    });
    expect(response.statusCode).toBe(405);
    expect(response.headers.allow).toBe("DELETE, PUT");
    expect(response.json().type).toBe("/api/problems/method-not-allowed");
  });

  it("answers another media type than JSON with 415", async () => {
    const response = await (await start()).inject({
      method: "PUT",
      url: "/api/v1/lamps/7",
      headers: { ...as("operator-key"), "content-type": "text/csv" },
      payload: "a,b",
    });
    expect(response.statusCode).toBe(415);
    expect(response.json().type).toBe("/api/problems/unsupported-media-type");
  });

  it("answers a body that is no JSON with 400", async () => {
    for (const payload of ["{", "", '{"__proto__": {"colour": "red"}}']) {
      const response = await (await start()).inject({
        method: "PUT",
        url: "/api/v1/lamps/7",
        headers: { ...as("operator-key"), "content-type": "application/json" },
        payload,
      });
      expect(response.statusCode).toBe(400);
      expect(response.json().type).toBe("/api/problems/malformed-body");
    }
  });

  it("answers a body above the limit with 413", async () => {
    const response = await (await start({ bodyLimitBytes: 100 })).inject({
      method: "PUT",
      url: "/api/v1/lamps/7",
      headers: as("operator-key"),
      payload: { colour: "x".repeat(200) },
    });
    expect(response.statusCode).toBe(413);
    expect(response.json().type).toBe("/api/problems/body-too-large");
  });

  it("names each field of a body that breaks a rule, and the rule", async () => {
    const response = await (await start()).inject({
      method: "PUT",
      url: "/api/v1/lamps/7",
      headers: as("operator-key"),
      payload: { colour: "blue", watts: "5", size: 3 },
    });
    expect(response.statusCode).toBe(400);
    expect(response.json().type).toBe("/api/problems/validation");
    const errors = response.json().errors as { in: string; field: string; rule: string; message: string }[];
    expect(errors.map((error) => `${error.in} ${error.field} ${error.rule}`).sort()).toEqual([
      "body /colour enum",
      "body /size additionalProperties",
      "body /watts type",
    ]);
    expect(errors.find((error) => error.rule === "enum")?.message).toBe('must be one of "red", "green"');
  });

  it("names a missing field, and fields of the path and the query", async () => {
    const api = await start();
    const missing = await api.inject({
      method: "PUT",
      url: "/api/v1/lamps/7",
      headers: as("operator-key"),
      payload: {},
    });
    expect(missing.json().errors).toEqual([{ in: "body", field: "/colour", rule: "required", message: "is required" }]);
    const path = await api.inject({
      method: "PUT",
      url: "/api/v1/lamps/seven",
      headers: as("operator-key"),
      payload: { colour: "red" },
    });
    expect(path.json().errors).toMatchObject([{ in: "path", field: "/lampId", rule: "type" }]);
    const query = await api.inject({ url: "/api/v1/lamps?limit=501", headers: as("viewer-key") });
    expect(query.json().errors).toMatchObject([{ in: "query", field: "/limit", rule: "maximum" }]);
  });

  it.each([
    [new StationOfflineError("CS1"), 503, "station-offline", { stationId: "CS1" }],
    [new StationTimeoutError("CS1", 30_000), 504, "station-timeout", { timeoutMs: 30_000 }],
    [new StationAnsweredError("CS1", "NotSupported", "no"), 502, "station-answered-error", { code: "NotSupported" }],
    [new CommandNotSupportedError("CS1", "reserveNow", "1.2"), 422, "command-not-supported", { command: "reserveNow" }],
    [new UnknownCommandError("fly"), 404, "unknown-command", { command: "fly" }],
    [new UnknownActionError("1.6", "Fly"), 422, "unknown-action", { action: "Fly", version: "1.6" }],
    [new DatabaseUnavailableError("no"), 503, "database-unavailable", {}],
    [Object.assign(new Error("connect"), { code: "ECONNREFUSED" }), 503, "database-unavailable", {}],
    [Object.assign(new Error("shutdown"), { code: "57P01" }), 503, "database-unavailable", {}],
    [notFound("lamp", "7"), 404, "not-found", { detail: "there is no lamp 7" }],
    [new Error("the secret of the database"), 500, "internal", {}],
    ["a string", 500, "internal", {}],
  ])("maps %s to %i %s", async (error, status, slug, extras) => {
    thrown = error;
    const response = await (await start()).inject({ url: "/api/v1/lamps/throw", headers: as("viewer-key") });
    expect(response.statusCode).toBe(status);
    expect(response.json()).toMatchObject({ type: `/api/problems/${slug}`, status, ...extras });
    expect(response.body).not.toContain("secret");
  });

  it("names the field of a payload that breaks an OCPP schema", async () => {
    thrown = new ValidationError("2.1", "Reset", "request", {
      path: "/statusInfo",
      rule: "required",
      expected: "reasonCode",
      kind: "object",
    });
    const response = await (await start()).inject({ url: "/api/v1/lamps/throw", headers: as("viewer-key") });
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toMatchObject([{ in: "body", field: "/statusInfo/reasonCode", rule: "required" }]);
  });

  it("explains every problem type under its address", async () => {
    const api = await start();
    const response = await api.inject({ url: "/api/problems/station-offline" });
    expect(response.statusCode).toBe(200);
    expect(response.body).toContain("The station is not connected");
    expect((await api.inject({ url: "/api/problems/fly" })).statusCode).toBe(404);
    expect((await api.inject({ url: "/api/problems" })).body).toContain("station-timeout");
  });
});

describe("roles", () => {
  it("refuses a request without a token and says how to authenticate", async () => {
    const response = await (await start()).inject({ url: "/api/v1/lamps" });
    expect(response.statusCode).toBe(401);
    expect(response.headers["www-authenticate"]).toBe('Bearer realm="polyphase"');
    expect(response.json().type).toBe("/api/problems/unauthorized");
  });

  it.each([
    ["viewer-key", "GET", 200],
    ["viewer-key", "PUT", 403],
    ["viewer-key", "DELETE", 403],
    ["operator-key", "GET", 200],
    ["operator-key", "PUT", 200],
    ["operator-key", "DELETE", 403],
    ["administrator-key", "GET", 200],
    ["administrator-key", "PUT", 200],
    ["administrator-key", "DELETE", 204],
  ] as const)("lets %s %s end in %i", async (token, method, status) => {
    const response = await (await start()).inject({
      method,
      url: method === "GET" ? "/api/v1/lamps" : "/api/v1/lamps/7",
      headers: as(token),
      ...(method === "PUT" ? { payload: { colour: "red" } } : {}),
    });
    expect(response.statusCode).toBe(status);
  });

  it("refuses before it reads the body", async () => {
    const response = await (await start()).inject({ method: "PUT", url: "/api/v1/lamps/7", payload: "{" });
    expect(response.statusCode).toBe(401);
  });

  it("stops comparing the administrator's token of an address that guesses, and lets API keys through", async () => {
    const api = await start();
    expect((await api.inject({ url: "/api/v1/lamps", headers: as("chosen") })).statusCode).toBe(200);
    for (let attempt = 0; attempt < 10; attempt += 1) {
      expect((await api.inject({ url: "/api/v1/lamps", headers: as("guess") })).statusCode).toBe(401);
    }
    const limited = await api.inject({ url: "/api/v1/lamps", headers: as("chosen") });
    expect(limited.statusCode).toBe(429);
    expect(Number(limited.headers["retry-after"])).toBeGreaterThan(0);
    expect(Number(limited.headers["retry-after"])).toBeLessThanOrEqual(60);
    expect((await api.inject({ url: "/api/v1/lamps", headers: as("viewer-key") })).statusCode).toBe(200);
    const elsewhere = await api.inject({ url: "/api/v1/lamps", headers: as("chosen"), remoteAddress: "192.0.2.9" });
    expect(elsewhere.statusCode).toBe(200);
  });
});

describe("paging", () => {
  it("gives the default limit when none is asked for, and a cursor while there is more", async () => {
    const page = (await (await start()).inject({ url: "/api/v1/lamps", headers: as("viewer-key") })).json();
    expect(page.items).toHaveLength(50);
    expect(page.nextCursor).toEqual(expect.any(String));
  });
});

describe("the OpenAPI document", () => {
  it("describes each route with operation id, role, security and problems", async () => {
    const bells: FastifyPluginAsyncTypebox = async (app) => {
      app.post("/bell-towers/:towerId/bells/:bellId/ring", { schema: { tags: ["Bell towers"] } }, () => ({}));
      app.get("/bell-towers/:towerId/bells/:bellId", { schema: {} }, () => ({}));
    };
    const document = (await (await start({ plugins: [lamps, bells] })).inject({ url: "/api/openapi.json" })).json();
    const ring = document.paths["/api/v1/bell-towers/{towerId}/bells/{bellId}/ring"].post;
    expect(ring).toMatchObject({ operationId: "postBellTowerBellRing", tags: ["bell-towers"] });
    const bell = document.paths["/api/v1/bell-towers/{towerId}/bells/{bellId}"].get;
    expect(bell).toMatchObject({ operationId: "getBellTowerBell", tags: ["bell-towers"] });
    expect(document.openapi).toBe("3.1.0");
    expect(document.info.version).toBe("1.2.3");
    expect(document.components.securitySchemes.bearer).toMatchObject({ type: "http", scheme: "bearer" });
    expect(document.components.schemas.Problem.required).toContain("type");
    const put = document.paths["/api/v1/lamps/{lampId}"].put;
    expect(put).toMatchObject({ operationId: "putLamp", tags: ["lamps"], security: [{ bearer: [] }] });
    expect(put.description).toContain("operator");
    expect(put.responses["4XX"].content["application/problem+json"].schema.$ref).toBe("#/components/schemas/Problem");
    expect(document.paths["/api/v1/lamps"].get.operationId).toBe("listLamps");
    expect(document.paths["/api/v1/lamps"].head).toBeUndefined();
    expect(document.paths["/metrics"]).toBeUndefined();
  });

  it("has a page that loads nothing the content security policy forbids", async () => {
    const api = await start();
    const page = await api.inject({ url: "/api/docs/" });
    expect(page.statusCode).toBe(200);
    expect(page.headers["content-security-policy"]).toContain("script-src 'self'");
    expect(page.headers["content-security-policy"]).not.toContain("unsafe");
    expect(page.body).not.toMatch(/<script(?![^>]*\bsrc=")|<style|\son\w+=|style="/);
    for (const [, address] of page.body.matchAll(/(?:src|href)="([^"]+)"/g)) {
      const asset = await api.inject({ url: new URL(address ?? "", "http://host/api/docs/").pathname });
      expect(`${address} ${asset.statusCode}`).toBe(`${address} 200`);
    }
  });
});

describe("pages and probes", () => {
  it("shows version, uptime and figures on a page without scripts", async () => {
    let now = new Date("2026-03-01T00:00:00Z");
    const api = await start({
      clock: { now: () => now },
      figures: () => [{ label: "Stations <connected>", value: 12 }],
    });
    now = new Date("2026-03-02T02:00:00Z");
    const page = await api.inject({ url: "/" });
    expect(page.headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(page.body).toContain("1.2.3");
    expect(page.body).toContain("1 d 2 h");
    expect(page.body).toContain('<th scope="row">Stations &lt;connected&gt;</th><td>12</td>');
    expect(page.body).not.toContain("<script");
    expect(page.headers["x-content-type-options"]).toBe("nosniff");
    expect((await api.inject({ url: "/page.css" })).headers["content-type"]).toContain("text/css");
  });

  it("is ready only while every check passes", async () => {
    let isUp = true;
    const api = await start({
      readiness: {
        database: () => {
          if (!isUp) throw new Error("password of the database is hunter2");
        },
        gateway: async () => undefined,
      },
    });
    expect((await api.inject({ url: "/health/live" })).json()).toEqual({ status: "live" });
    const ready = await api.inject({ url: "/health/ready" });
    expect(ready.statusCode).toBe(200);
    expect(ready.json()).toEqual({ status: "ready", checks: { database: "ok", gateway: "ok" } });
    isUp = false;
    const failed = await api.inject({ url: "/health/ready" });
    expect(failed.statusCode).toBe(503);
    expect(failed.json()).toEqual({
      status: "not-ready",
      checks: { database: "failed", gateway: "ok" },
      reasons: { database: "the check failed; the log tells why" },
    });
  });

  it("counts requests by route pattern for Prometheus", async () => {
    const api = await start();
    await api.inject({
      method: "PUT",
      url: "/api/v1/lamps/7",
      headers: as("operator-key"),
      payload: { colour: "red" },
    });
    const metrics = await api.inject({ url: "/metrics" });
    expect(metrics.headers["content-type"]).toContain("text/plain");
    expect(metrics.body).toContain(
      'polyphase_http_request_duration_seconds_count{method="PUT",route="/api/v1/lamps/:lampId",status="200"} 1',
    );
  });
});

describe("programming errors", () => {
  it("two routes with one operation id do not start", async () => {
    const twice: FastifyPluginAsyncTypebox = async (app) => {
      app.get("/other", { schema: { operationId: "putLamp" } }, () => ({}));
    };
    await expect(start({ plugins: [lamps, twice] })).rejects.toThrow("two routes have the operation id putLamp");
    server = undefined;
  });
});

describe("a client that is slow on purpose", () => {
  const large: FastifyPluginAsyncTypebox = async (app) => {
    app.get("/large", { schema: { operationId: "getLarge" } }, () => ({ text: "x".repeat(32 * 2 ** 20) }));
  };

  /** The server's end of a connection over which a client sends a text and then nothing, reading nothing either. */
  async function connection(text: string): Promise<Socket> {
    const slow = await start({ plugins: [large], patience: { headersMs: 200, idleMs: 300, checkMs: 50 } });
    await slow.listen({ host: "127.0.0.1", port: 0 });
    const accepted = once(slow.server, "connection");
    const client = connect((slow.server.address() as AddressInfo).port, "127.0.0.1");
    client.on("error", () => {}).pause();
    client.write(text);
    const [socket] = (await accepted) as [Socket];
    return socket;
  }

  it.each([
    { what: "whose headers never end", text: "GET /api/v1/large HTTP/1.1\r\nhost: x\r\nx-slow: " },
    {
      what: "that does not read its answer",
      text: "GET /api/v1/large HTTP/1.1\r\nhost: x\r\nauthorization: Bearer viewer-key\r\n\r\n",
    },
  ])("is cut: one $what", async ({ text }) => {
    const socket = await connection(text);
    // Not by `once`: the time-out is an error of the socket too.
    await new Promise<void>((resolve) => {
      socket.once("close", () => resolve());
      if (socket.destroyed) resolve();
    });
    expect(socket.destroyed).toBe(true);
  });
});

describe("clients that connect and ask for nothing", () => {
  it("cannot keep others out, however many they are", async () => {
    const crowded = await start({ unfinished: { perNetwork: 20, total: 100 } });
    await crowded.listen({ host: "127.0.0.1", port: 0 });
    const { port } = crowded.server.address() as AddressInfo;
    let lost = 0;
    const idle = Array.from({ length: 60 }, () => connect(port, "127.0.0.1"));
    for (const socket of idle) {
      socket.on("error", () => {}).on("close", () => lost++);
      socket.resume().write("GET /health/live HTTP/1.1\r\nx-slow: ");
    }
    await expect.poll(() => lost).toBeGreaterThanOrEqual(40);
    expect((await fetch(`http://127.0.0.1:${port}/health/live`)).status).toBe(200);
    expect(lost).toBeLessThanOrEqual(41);
    for (const socket of idle) socket.destroy();
  });
});

describe("a client that offers another protocol", () => {
  it("is answered in this one", async () => {
    const plain = await start();
    await plain.listen({ host: "127.0.0.1", port: 0 });
    const headers = { connection: "Upgrade, HTTP2-Settings", upgrade: "h2c", "http2-settings": "AAMAAABkAAQAAP__" };
    const { port } = plain.server.address() as AddressInfo;
    const asked = request({ host: "127.0.0.1", port, path: "/health/live", headers, agent: false }).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    response.resume();
  });
});

describe("closing", () => {
  it("does not wait for the end of a request that never comes", async () => {
    const closing = await start({ closeGraceMs: 50 });
    await closing.listen({ host: "127.0.0.1", port: 0 });
    const socket = connect((closing.server.address() as AddressInfo).port, "127.0.0.1");
    const cut = once(socket, "close");
    const received = once(closing.server, "request");
    socket.write("PUT /api/v1/lamps/1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer operator-key\r\n");
    socket.write('content-type: application/json\r\ncontent-length: 20\r\n\r\n{"colour":');
    await received;
    await closing.close();
    await cut;
  });
});

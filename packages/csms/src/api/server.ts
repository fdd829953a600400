import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import type { FastifyPluginAsyncTypebox, TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from "fastify";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { UnfinishedConnections, type UnfinishedLimits } from "../gateway/unfinished-connections.ts";
import { allowedMethods } from "./allowed-methods.ts";
import { type AuditTrail, registerAudit } from "./audit/audit-hooks.ts";
import { type Credentials, registerAuthentication } from "./authentication.ts";
import { known, toProblem } from "./error-mapping.ts";
import { type ReadinessCheck, registerHealth } from "./health.ts";
import { lazySerialization } from "./lazy-serialization.ts";
import { type Metrics, registerMetrics } from "./metrics.ts";
import { registerOpenApi } from "./openapi.ts";
import { PROBLEM_MEDIA_TYPE, type ProblemError, ProblemSchema, problemDocument } from "./problem.ts";
import { registerProblemPages } from "./problem-pages.ts";
import { requestValidatorCompiler } from "./request-validation.ts";
import { registerStatusPage, type StatusFigure } from "./status-page.ts";

/** The HTTP server: start it with `listen`, try it without a socket with `inject`, end it with `close`. */
export type ApiServer = FastifyInstance;

/** How long a client may keep a connection busy with nothing; times in milliseconds. */
export interface HttpPatience {
  /** From the connection to the last byte of the headers; default 10 s. */
  readonly headersMs?: number;
  /** Without a byte in either direction, as of a client that does not read its answer; default 120 s. Longer than any answer takes. */
  readonly idleMs?: number;
  /** Every so often it is looked for those that took longer; default 5 s. */
  readonly checkMs?: number;
}

/** What the HTTP server is made of. */
export interface ApiOptions {
  readonly log: Logger;
  readonly clock: Clock;
  /** Version of the product, for the OpenAPI document and the status page. */
  readonly version: string;
  readonly credentials: Credentials;
  /** Where changing requests are recorded. */
  readonly audit: AuditTrail;
  /** Routes of the blocks, each mounted below `/api/v1`. */
  readonly plugins: readonly FastifyPluginAsyncTypebox[];
  /** Routes mounted at the root, for pages. They see to their own access. */
  readonly rootPlugins?: readonly FastifyPluginAsyncTypebox[];
  readonly metrics: Metrics;
  /** What must work for `/health/ready`, by name. */
  readonly readiness?: Readonly<Record<string, ReadinessCheck>>;
  /** Figures of the status page. */
  readonly figures?: () => readonly StatusFigure[];
  /** Largest body of a request in bytes; default 1 MiB. */
  readonly bodyLimitBytes?: number;
  /** How long requests under way may take when the server is closed; default 3 s. */
  readonly closeGraceMs?: number;
  /** How long a client may keep a connection busy with nothing. */
  readonly patience?: HttpPatience;
  /** Connections that may be open without a request; by default 2,000 of one network, 8,000 in all. */
  readonly unfinished?: UnfinishedLimits;
  /** Trust `X-Forwarded-For` of these proxies (addresses or CIDR); default none. */
  readonly trustedProxies?: readonly string[];
}

/** A proxy keeps its connections open between the requests of all who stand behind it. */
const mostUnfinished: UnfinishedLimits = { perNetwork: 2_000, total: 8_000 };

/**
 * Makes the HTTP server with everything that routes share: tokens and roles, validation, problem documents, security
 * headers, metrics, health, the OpenAPI document and the status page. Blocks add routes with `plugins`.
 *
 * @example
 * ```ts
 * const server = await createApi({ log, clock, version, credentials, metrics, plugins: [stations.api] });
 * await server.listen({ host: "127.0.0.1", port: 8080 });
 * ```
 */
export async function createApi(options: ApiOptions): Promise<ApiServer> {
  const server = createServer(options);
  server.setSerializerCompiler(await lazySerialization([ProblemSchema]));
  new UnfinishedConnections(options.unfinished ?? mostUnfinished).watch(server.server);
  const methodsOf = allowedMethods(server);
  cutLateConnections(server, options.closeGraceMs ?? 3_000);
  server.decorateRequest("caller", undefined);
  server.decorateRequest("auditDetail", undefined);
  registerErrors(server, methodsOf);
  await server.register(helmet, securityHeaders);
  await server.register(rateLimit, { global: false, errorResponseBuilder: tooManyAttempts });
  server.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
  });
  registerRequestLog(server);
  await registerOpenApi(server, options.version);
  registerMetrics(server, options.metrics);
  registerHealth(server, options.readiness ?? {}, options.log);
  registerProblemPages(server);
  registerStatusPage(server, {
    version: options.version,
    clock: options.clock,
    startedAt: options.clock.now(),
    figures: options.figures ?? (() => []),
  });
  await server.register(
    async (scope) => {
      registerAuthentication(scope, options.credentials);
      registerAudit(scope, options.audit, options.clock);
      scope.addHook("onSend", async (_request, reply) => {
        if (!reply.hasHeader("cache-control")) reply.header("cache-control", "no-store");
      });
      for (const plugin of options.plugins) await scope.register(plugin);
    },
    { prefix: "/api/v1" },
  );
  for (const plugin of options.rootPlugins ?? []) await server.register(plugin);
  await server.ready();
  return server;
}

function createServer(options: ApiOptions): ApiServer {
  const server = Fastify({
    loggerInstance: options.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: "requestId" }),
    bodyLimit: options.bodyLimitBytes ?? 1_048_576,
    requestTimeout: 30_000,
    connectionTimeout: options.patience?.idleMs ?? 120_000,
    http: {
      headersTimeout: options.patience?.headersMs ?? 10_000,
      connectionsCheckingInterval: options.patience?.checkMs ?? 5_000,
    },
    genReqId: requestId,
    trustProxy: options.trustedProxies === undefined ? false : [...options.trustedProxies],
    routerOptions: { maxParamLength: 512 },
    return503OnClosing: true,
    frameworkErrors: answerWithProblem,
  }).withTypeProvider<TypeBoxTypeProvider>();
  server.setValidatorCompiler(requestValidatorCompiler);
  return server as unknown as ApiServer;
}

/** Once it closes, Node.js watches no request's time any more: one whose end never comes would keep it from stopping. */
function cutLateConnections(server: ApiServer, graceMs: number): void {
  let late: NodeJS.Timeout | undefined;
  server.addHook("preClose", async () => {
    late = setTimeout(() => server.server.closeAllConnections(), graceMs);
  });
  server.addHook("onClose", async () => clearTimeout(late));
}

/** A caller's own request id is kept when it is harmless, so that its logs and ours can be joined. */
function requestId(request: IncomingMessage): string {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}

/** Nothing may be loaded but from here, nothing framed, nothing inline. HSTS belongs to whoever ends TLS. */
const securityHeaders = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'", "data:"],
      fontSrc: ["'self'"],
      connectSrc: ["'self'"],
      formAction: ["'self'"],
      baseUri: ["'none'"],
      frameAncestors: ["'none'"],
    },
  },
  strictTransportSecurity: false,
  referrerPolicy: { policy: "no-referrer" },
} as const;

function registerErrors(server: ApiServer, methodsOf: (path: string) => readonly string[]): void {
  server.setErrorHandler(answerWithProblem);
  server.setNotFoundHandler((request, reply) => {
    const methods = methodsOf(request.url);
    if (methods.length === 0) throw known("not-found", undefined, "there is no such path");
    return answerWithProblem(
      known(
        "method-not-allowed",
        undefined,
        `${request.method} is not allowed here`,
        {},
        { allow: methods.join(", ") },
      ),
      request,
      reply,
    );
  });
}

function answerWithProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = toProblem(error);
  // What a station did or did not do is no failure of this server.
  const isOurs = problem.type === "internal" || problem.type === "database-unavailable";
  if (isOurs) request.log.error({ err: problem.cause ?? problem, problem: problem.type }, "request failed");
  return reply
    .status(problem.status)
    .headers(problem.headers)
    .header("content-type", PROBLEM_MEDIA_TYPE)
    .serializer(String)
    .send(JSON.stringify(problemDocument(problem, request.id)));
}

function tooManyAttempts(_request: FastifyRequest, context: { ttl: number }): ProblemError {
  const waitS = Math.ceil(context.ttl / 1000);
  return known("too-many-attempts", undefined, `wait ${waitS} s`, {}, { "retry-after": String(waitS) });
}

function registerRequestLog(server: ApiServer): void {
  server.addHook("onResponse", async (request, reply) => {
    const isChange = request.method !== "GET" && request.method !== "HEAD";
    const facts = {
      method: request.method,
      path: request.url.split("?", 1)[0],
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime),
      remoteAddress: request.ip,
      ...(request.caller === undefined ? {} : { caller: request.caller.name }),
    };
    if (isChange) request.log.info(facts, "request");
    else request.log.debug(facts, "request");
  });
}

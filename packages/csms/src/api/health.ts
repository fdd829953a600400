import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { Type } from "typebox";

/** Resolves when what it checks can do its work; throws, with a text for the operator, when it cannot. */
export type ReadinessCheck = () => void | Promise<void>;

/** A check that takes longer than this has failed. */
const CHECK_TIMEOUT_MS = 2_000;

const Readiness = Type.Object({
  status: Type.Union([Type.Literal("ready"), Type.Literal("not-ready")]),
  checks: Type.Record(Type.String(), Type.Union([Type.Literal("ok"), Type.Literal("failed")])),
});

/**
 * Serves `/health/live` (the process answers) and `/health/ready` (it can serve stations and users: every check
 * passes, else 503). Reasons of a failure go to the log, not to whoever asks.
 */
export function registerHealth(
  server: FastifyInstance,
  checks: Readonly<Record<string, ReadinessCheck>>,
  log: Logger,
): void {
  const config = { role: "anyone" } as const;
  server.get(
    "/health/live",
    {
      config,
      schema: {
        operationId: "getLiveness",
        tags: ["health"],
        summary: "Whether the process answers",
        response: { 200: Type.Object({ status: Type.Literal("live") }) },
      },
    },
    () => ({ status: "live" }),
  );
  server.get(
    "/health/ready",
    {
      config,
      schema: {
        operationId: "getReadiness",
        tags: ["health"],
        summary: "Whether stations and users can be served",
        response: { 200: Readiness, 503: Readiness },
      },
    },
    async (_request, reply) => {
      const outcomes = await Promise.all(
        Object.entries(checks).map(async ([name, check]) => [name, await outcomeOf(name, check, log)] as const),
      );
      const isReady = outcomes.every(([, outcome]) => outcome === "ok");
      return reply
        .status(isReady ? 200 : 503)
        .header("cache-control", "no-store")
        .send({ status: isReady ? "ready" : "not-ready", checks: Object.fromEntries(outcomes) });
    },
  );
}

async function outcomeOf(name: string, check: ReadinessCheck, log: Logger): Promise<"ok" | "failed"> {
  const { promise, cancel } = deadline();
  try {
    await Promise.race([check(), promise]);
    return "ok";
  } catch (error) {
    log.warn({ check: name, err: error }, "readiness check failed");
    return "failed";
  } finally {
    cancel();
  }
}

function deadline(): { promise: Promise<never>; cancel: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS);
  });
  return { promise, cancel: () => clearTimeout(timer) };
}

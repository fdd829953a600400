import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { Type } from "typebox";

/** What is checked cannot do its work; the message may be read by anybody. */
export class NotReadyError extends Error {
  override readonly name = "NotReadyError";
}

/** Resolves when what it checks can do its work; throws when it cannot, NotReadyError where all may know the reason. */
export type ReadinessCheck = () => void | Promise<void>;

/** A check that takes longer than this has failed. */
const CHECK_TIMEOUT_MS = 2_000;

const Readiness = Type.Object({
  status: Type.Union([Type.Literal("ready"), Type.Literal("not-ready")]),
  checks: Type.Record(Type.String(), Type.Union([Type.Literal("ok"), Type.Literal("failed")])),
  reasons: Type.Optional(Type.Record(Type.String(), Type.String(), { description: "Why each failed check did" })),
});

/**
 * Serves `/health/live` (the process answers) and `/health/ready` (it can serve stations and users: every check
 * passes, else 503). Whoever asks is told a reason that is fit for all; the whole error goes to the log.
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
      const failed = outcomes.flatMap(([name, reason]) => (reason === undefined ? [] : [[name, reason] as const]));
      const states = outcomes.map(([name, reason]) => [name, reason === undefined ? "ok" : "failed"] as const);
      return reply
        .status(failed.length === 0 ? 200 : 503)
        .header("cache-control", "no-store")
        .send({
          status: failed.length === 0 ? "ready" : "not-ready",
          checks: Object.fromEntries(states),
          ...(failed.length === 0 ? {} : { reasons: Object.fromEntries(failed) }),
        });
    },
  );
}

/** Why a check failed; undefined when it did not. */
async function outcomeOf(name: string, check: ReadinessCheck, log: Logger): Promise<string | undefined> {
  const { promise, cancel } = deadline();
  try {
    await Promise.race([check(), promise]);
    return undefined;
  } catch (error) {
    log.warn({ check: name, err: error }, "readiness check failed");
    return error instanceof NotReadyError ? error.message : "the check failed; the log tells why";
  } finally {
    cancel();
  }
}

function deadline(): { promise: Promise<never>; cancel: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new NotReadyError(`no answer within ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS);
  });
  return { promise, cancel: () => clearTimeout(timer) };
}

import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Clock } from "../../clock.ts";
import { known } from "../error-mapping.ts";
import type { AuditEntry } from "./audit-record.ts";

/** Where operator actions are written. */
export interface AuditTrail {
  readonly isBehind: boolean;
  append(entry: AuditEntry): Promise<void>;
}

/** An answer waits this long at most for its audit record; the record is still written later. */
const PATIENCE_MS = 5_000;

/**
 * Writes every changing request of an authenticated caller in this scope to the audit log before it is answered,
 * whatever its outcome, and refuses further changes while the log cannot be written.
 */
export function registerAudit(scope: FastifyInstance, audit: AuditTrail, clock: Clock): void {
  scope.addHook("preHandler", async (request) => {
    if (audit.isBehind && isAudited(request)) {
      throw known("database-unavailable", undefined, "the audit log cannot be written", {}, { "retry-after": "1" });
    }
  });
  scope.addHook("onSend", async (request, reply) => {
    const { caller } = request;
    if (caller === undefined || !isAudited(request)) return;
    const stored = audit.append({
      at: clock.now(),
      actor: caller.name,
      keyId: caller.keyId,
      role: caller.role,
      action: request.routeOptions.schema?.operationId ?? request.method,
      target: request.url.split("?", 1)[0] ?? "",
      status: reply.statusCode,
      requestId: request.id,
      remoteAddress: request.ip,
      detail: request.auditDetail ?? {},
    });
    await within(stored, PATIENCE_MS);
  });
}

function isAudited({ method, routeOptions }: FastifyRequest): boolean {
  return method !== "GET" && method !== "HEAD" && routeOptions.config.audit !== false;
}

async function within(promise: Promise<void>, timeMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeMs);
  });
  await Promise.race([promise, over]);
  clearTimeout(timer);
}

import type { FastifyRequest } from "fastify";
import { ProblemError } from "./problem.ts";

/** Roles from the least to the most powerful; each may do all that the ones before it may. */
export const roles = ["viewer", "operator", "administrator"] as const;

/** What a caller of the API may do. */
export type Role = (typeof roles)[number];

/** Who calls the API. */
export interface Caller {
  /** Name of the API key, or `admin-token`. */
  readonly name: string;
  readonly role: Role;
  /** Absent for the token of the configuration. */
  readonly keyId?: string;
}

/** Whether a caller with role `has` may use a route that asks for `needs`. */
export function isAllowed(has: Role, needs: Role): boolean {
  return roles.indexOf(has) >= roles.indexOf(needs);
}

/** The role a route asks for when it does not say: viewer to read, operator to change. */
export function defaultRole(method: string): Role {
  return method === "GET" || method === "HEAD" ? "viewer" : "operator";
}

/**
 * The authenticated caller of a request below `/api/v1`.
 *
 * @throws ProblemError 401 on a route that is open to anyone
 */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === undefined) throw new ProblemError(401, "unauthorized", "A bearer token is required");
  return request.caller;
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** The least role that may use the route. Default: viewer for GET, operator for others. `anyone` needs no token. */
    role?: Role | "anyone";
    /** `false` keeps a changing route out of the audit log, for one that changes nothing an operator answers for. */
    audit?: boolean;
  }

  interface FastifyRequest {
    /** Set on every authenticated request. */
    caller: Caller | undefined;
    /** Facts that a handler adds to the request's audit record. Never secrets. */
    auditDetail: Record<string, unknown> | undefined;
  }
}

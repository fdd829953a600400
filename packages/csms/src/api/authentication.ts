import type { FastifyInstance, FastifyRequest } from "fastify";
import { CredentialThrottle } from "../gateway/credential-throttle.ts";
import { known } from "./error-mapping.ts";
import type { ProblemError } from "./problem.ts";
import { type Caller, defaultRole, isAllowed, type Role } from "./roles.ts";

/** Knows whom a bearer token belongs to. */
export interface Credentials {
  /** The caller that a random API key belongs to, unless it is unknown or expired. Too long to guess, so never throttled. */
  callerOfKey(token: string): Caller | undefined;
  /** The caller of the token in the configuration. A person chose it, so guessing is slowed down. */
  callerOfAdminToken(token: string): Caller | undefined;
}

/** Wrong tokens of one address before its further attempts with the administrator's token must wait. */
const MAX_FAILURES = 10;

/**
 * Asks for a bearer token on every route of this scope that is not open to anyone, and for the route's role.
 * An API key works always; the administrator's token is not even compared while its address has failed too often,
 * so guessing gains nothing and nobody can lock out the holder of a key.
 */
export function registerAuthentication(scope: FastifyInstance, credentials: Credentials): void {
  const throttle = new CredentialThrottle({ perAddress: MAX_FAILURES, perIdentity: MAX_FAILURES });
  scope.addHook("onRequest", async (request) => {
    const needs: Role | "anyone" = request.routeOptions.config.role ?? defaultRole(request.method);
    if (needs === "anyone") return;
    const caller = authenticate(request, credentials, throttle);
    request.caller = caller;
    if (!isAllowed(caller.role, needs)) {
      throw known("forbidden", undefined, `this needs the role ${needs}; the key has ${caller.role}`, { needs });
    }
  });
}

function authenticate(request: FastifyRequest, credentials: Credentials, throttle: CredentialThrottle): Caller {
  const token = bearerToken(request.headers.authorization);
  if (token === undefined) throw unauthorized("the Authorization header holds no bearer token");
  const byKey = credentials.callerOfKey(token);
  if (byKey !== undefined) return byKey;
  const waitS = throttle.waitS(request.ip, "");
  if (waitS > 0) {
    throw known("too-many-attempts", undefined, `wait ${waitS} s`, {}, { "retry-after": String(waitS) });
  }
  const administrator = credentials.callerOfAdminToken(token);
  if (administrator !== undefined) return administrator;
  throttle.failed(request.ip, "");
  request.log.warn({ remoteAddress: request.ip }, "a wrong bearer token was refused");
  throw unauthorized("the token is unknown, deleted or expired", "invalid_token");
}

/** RFC 6750 §3: the challenge names the scheme, and the error when a token was given. */
function unauthorized(detail: string, error?: string): ProblemError {
  const challenge = `Bearer realm="polyphase"${error === undefined ? "" : `, error="${error}"`}`;
  return known("unauthorized", undefined, detail, {}, { "www-authenticate": challenge });
}

function bearerToken(header: string | undefined): string | undefined {
  // RFC 6750 §2.1: b64token; the scheme is case-insensitive.
  return /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i.exec(header ?? "")?.[1];
}

import { type Ending, type Handshake, type HandshakeDecision, JsonCsms } from "@polyphase/ocpp";
import { type EndpointDeps, proofOf, type SessionProof, sessionProof } from "./endpoint.ts";
import type { AuthenticationDecision, Refusal } from "./station-authentication.ts";
import { pageRefusal } from "./web-page.ts";

/** The WebSocket endpoint `/ocpp/{stationId}` of every version. */
export function createJsonEndpoint(deps: EndpointDeps, limits: JsonEndpointLimits = {}): JsonCsms {
  const { sessions, router } = deps;
  const json = new JsonCsms({
    ...limits,
    path: "/ocpp",
    clock: deps.clock,
    tolerance: deps.tolerance,
    observer: deps.observer,
    authenticate: (handshake) => authenticate(deps, handshake),
    onConnect(connection, accepted) {
      const crossed = sessions.opened(connection, accepted.context as SessionProof);
      void crossed?.close({ reason: "the station connected by WebSocket" });
      if (accepted.isWithoutSubprotocol) deps.withoutSubprotocol(connection.identity, connection.version);
    },
    onDisconnect(connection, ending) {
      const shown = deviationOf(ending);
      if (shown !== undefined) deps.deviations.showed(connection.identity, shown);
      sessions.closed(connection, ending.reason === "" ? `closed with ${ending.code}` : ending.reason);
    },
  });
  json.handleOthers((payload, context) => router.route(payload, context));
  return json;
}

/** What the end of a connection shows of its station. */
function deviationOf({ code, reason, replacedBy }: Ending) {
  if (replacedBy === true) return "second-connection";
  if (code === 1009) return "oversized-frame";
  return reason === "no pong" ? "silent-connection" : undefined;
}

/** Limits of the WebSocket endpoint; the defaults are those of the protocol library. */
export interface JsonEndpointLimits {
  readonly callTimeoutMs?: number;
  readonly maxConnections?: number;
  readonly maxFrameBytes?: number;
  readonly pingIntervalMs?: number;
  readonly pongTimeoutMs?: number;
  readonly handshakeTimeoutMs?: number;
}

function authenticate(deps: EndpointDeps, handshake: Handshake): HandshakeDecision | Promise<HandshakeDecision> {
  const origin = deps.webPages.refusedOrigin(handshake.headers);
  if (origin !== undefined) return handshakeDecision(deps, handshake, pageRefusal(origin));
  const decision = deps.authentication.decide({ ...proofOf(handshake), signal: handshake.signal });
  const answer = (made: AuthenticationDecision) => handshakeDecision(deps, handshake, made);
  return decision instanceof Promise ? decision.then(answer) : answer(decision);
}

function handshakeDecision(
  deps: EndpointDeps,
  handshake: Handshake,
  decision: AuthenticationDecision,
): HandshakeDecision {
  if (!decision.accept) {
    deps.refused(handshake.identity, handshake.remoteAddress, decision);
    return { accept: false, status: decision.status, reason: decision.reason, headers: refusalHeaders(decision) };
  }
  const { station } = decision;
  const versionWithoutSubprotocol = deps.versionWithoutSubprotocol(station);
  const pingIntervalMs = deps.pingIntervalMs?.(station);
  return {
    accept: true,
    context: sessionProof(deps, decision),
    ...(versionWithoutSubprotocol === undefined ? {} : { versionWithoutSubprotocol }),
    ...(pingIntervalMs === undefined ? {} : { pingIntervalMs }),
  };
}

function refusalHeaders(refusal: Refusal): Readonly<Record<string, string>> {
  return refusal.retryAfterS === undefined ? {} : { "Retry-After": String(refusal.retryAfterS) };
}

import {
  type EndpointObserver,
  type Handshake,
  type HandshakeDecision,
  JsonCsms,
  type OcppVersion,
  type ToleranceHook,
} from "@polyphase/ocpp";
import type { Clock } from "../clock.ts";
import { certificateSubject } from "./certificate-subject.ts";
import type { KnownStation, SecurityProfile } from "./known-stations.ts";
import type { AuthenticationDecision, StationAuthentication } from "./station-authentication.ts";
import type { StationRouter } from "./station-router.ts";
import type { StationSessions } from "./station-sessions.ts";

/** What was found out in the handshake, for the session that it opens. */
export interface SessionProof {
  readonly securityProfile: SecurityProfile;
  /** Set when the serial number of the BootNotification must equal it. */
  readonly certificateCommonName?: string | undefined;
}

/** What both endpoints work with. */
export interface EndpointDeps {
  readonly authentication: StationAuthentication;
  readonly sessions: StationSessions;
  readonly router: StationRouter;
  readonly tolerance: ToleranceHook;
  readonly observer: EndpointObserver;
  readonly clock: Clock;
  /** Told of every refused station. */
  refused(identity: string, remoteAddress: string, refusal: Extract<AuthenticationDecision, { accept: false }>): void;
  /** A station was accepted with a higher profile than it must use (A05). */
  upgraded(station: KnownStation, securityProfile: SecurityProfile): void;
  /** Version for a station that offers no subprotocol; undefined refuses it. */
  versionWithoutSubprotocol(station: KnownStation): OcppVersion | undefined;
  /** Milliseconds between pings where a station must not get the usual ones. */
  pingIntervalMs?(station: KnownStation): number | undefined;
  /** Called for each connection that was made without a subprotocol. */
  withoutSubprotocol(stationId: string, version: OcppVersion): void;
}

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
      sessions.closed(connection, ending.reason === "" ? `closed with ${ending.code}` : ending.reason);
    },
  });
  json.handleOthers((payload, context) => router.route(payload, context));
  return json;
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
  const { identity, remoteAddress, secure, authorization, clientCertificate, signal } = handshake;
  const verified = handshake.clientCertificateVerified ? clientCertificate : undefined;
  const decision = deps.authentication.decide({
    identity,
    remoteAddress,
    secure,
    authorization,
    certificateSubject: verified === undefined ? undefined : certificateSubject(verified),
    signal,
  });
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
  const { station, securityProfile } = decision;
  if (securityProfile > station.securityProfile) deps.upgraded(station, securityProfile);
  const versionWithoutSubprotocol = deps.versionWithoutSubprotocol(station);
  const pingIntervalMs = deps.pingIntervalMs?.(station);
  return {
    accept: true,
    context: { securityProfile, certificateCommonName: decision.certificateCommonName } satisfies SessionProof,
    ...(versionWithoutSubprotocol === undefined ? {} : { versionWithoutSubprotocol }),
    ...(pingIntervalMs === undefined ? {} : { pingIntervalMs }),
  };
}

function refusalHeaders(refusal: Extract<AuthenticationDecision, { accept: false }>): Readonly<Record<string, string>> {
  return refusal.retryAfterS === undefined ? {} : { "Retry-After": String(refusal.retryAfterS) };
}

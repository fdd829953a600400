import type { X509Certificate } from "node:crypto";
import type { BasicCredentials, EndpointObserver, OcppVersion, ToleranceHook } from "@polyphase/ocpp";
import type { Clock } from "../clock.ts";
import { certificateSubject } from "./certificate-subject.ts";
import type { KnownStation, SecurityProfile } from "./known-stations.ts";
import type { AuthenticationDecision, Refusal, StationAuthentication, StationProof } from "./station-authentication.ts";
import type { StationRouter } from "./station-router.ts";
import type { StationSessions } from "./station-sessions.ts";
import type { StationDeviations } from "./tolerance/conduct.ts";
import type { WebPages } from "./web-page.ts";

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
  /** Told of what a connection shows of its station. */
  readonly deviations: StationDeviations;
  readonly observer: EndpointObserver;
  readonly clock: Clock;
  /** Which web pages may connect. */
  readonly webPages: WebPages;
  /** Told of every refused station. */
  refused(identity: string, remoteAddress: string, refusal: Refusal): void;
  /** A station was accepted with a higher profile than it must use (A05). */
  upgraded(station: KnownStation, securityProfile: SecurityProfile): void;
  /** Version for a station that offers no subprotocol; undefined refuses it. */
  versionWithoutSubprotocol(station: KnownStation): OcppVersion | undefined;
  /** Milliseconds between pings where a station must not get the usual ones. */
  pingIntervalMs?(station: KnownStation): number | undefined;
  /** Called for each connection that was made without a subprotocol. */
  withoutSubprotocol(stationId: string, version: OcppVersion): void;
}

/** What the endpoints of both transports know of a peer before it is accepted. */
interface PeerCredentials {
  readonly identity: string;
  readonly remoteAddress: string;
  readonly secure: boolean;
  readonly authorization?: BasicCredentials;
  readonly clientCertificate?: X509Certificate;
  readonly clientCertificateVerified: boolean;
}

/** What a peer shows of who it is. A certificate that TLS has not verified shows nothing. */
export function proofOf(peer: PeerCredentials): StationProof {
  const { identity, remoteAddress, secure, authorization, clientCertificate } = peer;
  const verified = peer.clientCertificateVerified ? clientCertificate : undefined;
  const subject = verified === undefined ? undefined : certificateSubject(verified);
  return { identity, remoteAddress, secure, authorization, certificateSubject: subject };
}

/** What the session of an accepted station keeps; a raised security profile is told on the way. */
export function sessionProof(
  deps: EndpointDeps,
  { station, securityProfile, certificateCommonName }: Extract<AuthenticationDecision, { accept: true }>,
): SessionProof {
  if (securityProfile > station.securityProfile) deps.upgraded(station, securityProfile);
  return { securityProfile, certificateCommonName };
}

import { type SoapCredentials, SoapCsms, type SoapDecision } from "@polyphase/ocpp";
import { type EndpointDeps, proofOf, type SessionProof, sessionProof } from "./endpoint.ts";
import type { AuthenticationDecision } from "./station-authentication.ts";

/** Further needs of the SOAP endpoint. */
export interface SoapEndpointOptions {
  /** Our own address as stations know it. */
  readonly publicUrl?: string | undefined;
  readonly callTimeoutMs?: number | undefined;
  /** The address that a station gave last, kept over a restart. */
  stationAddress(identity: string): string | undefined;
  /** A station gave an address for the first time or a new one. */
  addressChanged(identity: string, address: string): void;
}

/**
 * The SOAP endpoint `/ocpp/soap` of 1.2, 1.5 and 1.6. Every request is authenticated on its own; the session of a
 * station lasts until it falls silent or connects another way.
 */
export function createSoapEndpoint(deps: EndpointDeps, options: SoapEndpointOptions): SoapCsms {
  const { sessions, router } = deps;
  const soap = new SoapCsms({
    path: "/ocpp/soap",
    clock: deps.clock,
    tolerance: deps.tolerance,
    observer: deps.observer,
    ...(options.publicUrl === undefined ? {} : { publicUrl: options.publicUrl }),
    ...(options.callTimeoutMs === undefined ? {} : { callTimeoutMs: options.callTimeoutMs }),
    stationAddress: (identity) => options.stationAddress(identity),
    acceptAddress: ({ address, remoteAddress }) => mayBeCalled(address.hostname, remoteAddress),
    authenticate(credentials) {
      const decision = deps.authentication.decide(proofOf(credentials));
      return decision instanceof Promise
        ? decision.then((decided) => soapDecision(deps, credentials, decided))
        : soapDecision(deps, credentials, decision);
    },
    onConnect(connection, accepted) {
      // Without a request, at an address remembered over a restart, nothing was proven yet.
      const proof = (accepted.context ?? { securityProfile: 0 }) as SessionProof;
      const crossed = sessions.opened(connection, proof);
      void crossed?.close({ reason: "the station sent a request by SOAP" });
    },
    onAddress: (connection, address) => options.addressChanged(connection.identity, address),
    onDisconnect: (connection, { reason }) => sessions.closed(connection, reason),
  });
  soap.handleOthers((payload, context) => router.route(payload, context));
  return soap;
}

function soapDecision(
  deps: EndpointDeps,
  { identity, remoteAddress }: SoapCredentials,
  decision: AuthenticationDecision,
): SoapDecision {
  if (!decision.accept) {
    deps.refused(identity, remoteAddress, decision);
    return { accept: false, status: decision.status, reason: decision.reason };
  }
  return { accept: true, context: sessionProof(deps, decision) };
}

/**
 * Whether a station may make us call this host. A station elsewhere must not reach what listens on this machine
 * only, or what a cloud offers on link-local addresses.
 */
export function mayBeCalled(hostname: string, remoteAddress: string): boolean {
  return !isOwnOrLinkLocal(hostname) || isOwnOrLinkLocal(remoteAddress);
}

function isOwnOrLinkLocal(host: string): boolean {
  const address = host
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/^::ffff:/, "");
  return (
    /^(127\.|0\.0\.0\.0$|169\.254\.|fe[89ab][0-9a-f]:)/.test(address) ||
    ["::1", "::", "localhost"].includes(address) ||
    address.endsWith(".localhost") ||
    // An IPv4-mapped address that URL wrote in hexadecimal: 127.* and 169.254.*.
    /^(7f[0-9a-f]{2}|a9fe):/.test(address)
  );
}

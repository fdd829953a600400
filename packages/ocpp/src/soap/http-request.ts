import type { X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { type BasicCredentials, basicCredentials } from "../endpoint/basic-authentication.ts";
import type { RefusalStatus } from "../endpoint/http-endpoint.ts";
import { SoapFault } from "./fault.ts";
import type { SoapVersion } from "./soap-version.ts";

/** What is known of the sender of a request before it is accepted. */
export interface SoapCredentials {
  /** The station that the request is from, or at a station: that it is for. */
  readonly identity: string;
  readonly version: SoapVersion;
  /** The peer's IP address. */
  readonly remoteAddress: string;
  /** Whether the request came over TLS. */
  readonly secure: boolean;
  /** Absent when there is no Authorization header of scheme Basic that can be read. */
  readonly authorization?: BasicCredentials;
  /** The certificate that the peer presented in the TLS handshake. */
  readonly clientCertificate?: X509Certificate;
  /** Whether the TLS server verified {@link clientCertificate} against its authorities. */
  readonly clientCertificateVerified: boolean;
}

/** What becomes of a request. 404 says that the identity is unknown. */
export type SoapDecision =
  | {
      readonly accept: true;
      /** Handed on to `onConnect` when the request opens a connection. */
      readonly context?: unknown;
    }
  | { readonly accept: false; readonly status: RefusalStatus; readonly reason?: string };

/** Collects what a request proves about its sender. */
export function credentialsOf(request: IncomingMessage, identity: string, version: SoapVersion): SoapCredentials {
  const { socket } = request;
  const remoteAddress = socket.remoteAddress ?? "";
  const authorization = basicCredentials(request.headers.authorization);
  if (!(socket instanceof TLSSocket)) {
    const plain = { identity, version, remoteAddress, secure: false, clientCertificateVerified: false };
    return authorization === undefined ? plain : { ...plain, authorization };
  }
  const clientCertificate = socket.getPeerX509Certificate();
  return {
    identity,
    version,
    remoteAddress,
    secure: true,
    ...(authorization && { authorization }),
    ...(clientCertificate && { clientCertificate }),
    clientCertificateVerified: clientCertificate !== undefined && socket.authorized,
  };
}

/** The fault that tells a refused sender why. */
export function refusal(decision: Extract<SoapDecision, { accept: false }>): SoapFault {
  const { status, reason } = decision;
  switch (status) {
    case 401:
      return new SoapFault("Sender", "SecurityError", reason ?? "authentication failed", {
        status,
        headers: { "www-authenticate": 'Basic realm="OCPP", charset="UTF-8"' },
      });
    case 403:
      return new SoapFault("Sender", "SecurityError", reason ?? "not allowed", { status });
    case 404:
      // OCPP-S 1.6 table 1 has this for an identity that is wrong; the address itself was found.
      return new SoapFault("Sender", "IdentityMismatch", reason ?? "unknown chargeBoxIdentity");
    case 429:
    case 503:
      return new SoapFault("Receiver", "InternalError", reason ?? "no capacity at present", {
        status,
        headers: { "retry-after": "30" },
      });
  }
}

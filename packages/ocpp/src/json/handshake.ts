import type { X509Certificate } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { isFamily2, type OcppVersion, ocppVersions } from "../catalogue/version.ts";
import { type BasicCredentials, basicCredentials } from "../endpoint/basic-authentication.ts";
import type { RefusalStatus } from "../endpoint/http-endpoint.ts";

/** What a station says of itself when it connects. */
export interface Handshake {
  /** Last segment of the URL, percent-decoded. */
  readonly identity: string;
  /** Path of the request as it was sent, without query. */
  readonly path: string;
  readonly remoteAddress: string;
  /** The connection is TLS. */
  readonly secure: boolean;
  /** Absent when there is no Authorization header of scheme Basic that can be read. */
  readonly authorization?: BasicCredentials;
  /** The certificate that the station presented in the TLS handshake. */
  readonly clientCertificate?: X509Certificate;
  /** Whether the TLS server verified {@link clientCertificate} against its authorities. */
  readonly clientCertificateVerified: boolean;
  /** Subprotocols in the station's order of preference. */
  readonly offeredSubprotocols: readonly string[];
  readonly headers: IncomingHttpHeaders;
  /** Aborted when the station gives up, or the decision took too long. */
  readonly signal: AbortSignal;
}

/** Whether a station may connect. */
export type HandshakeDecision =
  | {
      readonly accept: true;
      /** Version of a station that offers no subprotocol at all; without it such a station is turned away. */
      readonly versionWithoutSubprotocol?: OcppVersion;
      /** Milliseconds between pings of this station in place of the endpoint's; 0 for a station that a ping breaks. */
      readonly pingIntervalMs?: number;
      /** Handed on to `onConnect`. */
      readonly context?: unknown;
    }
  | {
      readonly accept: false;
      readonly status: RefusalStatus;
      readonly headers?: Readonly<Record<string, string>>;
      /** Body of the response, for whoever reads the station's log. */
      readonly reason?: string;
    };

const SUBPROTOCOL_PREFIX = "ocpp";

/** The registered name of a version, `ocpp1.6`. */
export function subprotocolOf(version: OcppVersion): string {
  return SUBPROTOCOL_PREFIX + version;
}

/** The version that a registered subprotocol names. */
export function versionOf(subprotocol: string): OcppVersion | undefined {
  return ocppVersions.find((version) => subprotocolOf(version) === subprotocol);
}

/** The first version that the client prefers and the server speaks (2.1 Part 4 §3.1.2). */
export function chooseVersion(offered: readonly string[], spoken: ReadonlySet<OcppVersion>): OcppVersion | undefined {
  for (const subprotocol of offered) {
    const version = versionOf(subprotocol);
    if (version !== undefined && spoken.has(version)) return version;
  }
  return undefined;
}

/** The subprotocols of a Sec-WebSocket-Protocol header, in its order. */
export function offeredSubprotocols(header: string | undefined): readonly string[] {
  if (header === undefined) return [];
  return header
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** The path of a request target, which may be a whole URL, without its query. */
export function pathOf(target: string | undefined): string {
  const withoutOrigin = (target ?? "").replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, "");
  return withoutOrigin.replace(/[?#].*$/s, "");
}

// OCPP-J 1.6 sets no limit; what is longer than this is no identity but an attack.
const LONGEST_IDENTITY = 255;
const LONGEST_IDENTITY_2 = 48;

/**
 * The identity in a path `{base}/{identity}`: one segment, percent-decoded. Undefined where it is empty, has broken
 * escapes or is no UTF-8, holds a slash or a control character, or would be another path to a proxy (`.`, `..`).
 */
export function identityOf(path: string, base: string): string | undefined {
  if (!path.startsWith(`${base}/`)) return undefined;
  const segment = path.slice(base.length + 1);
  let identity: string;
  try {
    identity = decodeURIComponent(segment);
  } catch {
    return undefined;
  }
  const isWellFormed =
    identity !== "" &&
    identity.length <= LONGEST_IDENTITY &&
    identity !== "." &&
    identity !== ".." &&
    !/[/\p{Cc}\p{Cs}]/u.test(identity);
  return isWellFormed ? identity : undefined;
}

/** Whether the version allows the identity: 2.x wants at most 48 characters and no colon (Part 4 §3.1.1). */
export function allowsIdentity(version: OcppVersion, identity: string): boolean {
  return !isFamily2(version) || (identity.length <= LONGEST_IDENTITY_2 && !identity.includes(":"));
}

/** Gathers what is known of a station that wants to connect. */
export function readHandshake(
  request: IncomingMessage,
  identity: string,
  path: string,
  signal: AbortSignal,
): Handshake {
  const { socket, headers } = request;
  const authorization = basicCredentials(headers.authorization);
  const isTls = socket instanceof TLSSocket;
  const clientCertificate = isTls ? socket.getPeerX509Certificate() : undefined;
  return {
    identity,
    path,
    remoteAddress: socket.remoteAddress ?? "",
    secure: isTls,
    ...(authorization && { authorization }),
    ...(clientCertificate && { clientCertificate }),
    clientCertificateVerified: isTls && clientCertificate !== undefined && socket.authorized,
    offeredSubprotocols: offeredSubprotocols(headers["sec-websocket-protocol"]),
    headers,
    signal,
  };
}

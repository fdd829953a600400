import type { X509Certificate } from "node:crypto";
import { createServer as createHttpServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { TLSSocket } from "node:tls";
import { type BasicCredentials, basicCredentials } from "../endpoint/basic-authentication.ts";
import type { ListenOptions, RefusalStatus } from "../endpoint/http-endpoint.ts";
import { type Timers, withinMs } from "../endpoint/timers.ts";
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
  const secure = socket instanceof TLSSocket;
  const authorization = basicCredentials(request.headers.authorization);
  const clientCertificate = secure ? socket.getPeerX509Certificate() : undefined;
  return {
    identity,
    version,
    remoteAddress: socket.remoteAddress ?? "",
    secure,
    ...(authorization && { authorization }),
    ...(clientCertificate && { clientCertificate }),
    clientCertificateVerified: secure && clientCertificate !== undefined && socket.authorized,
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

/** An HTTP server of our own that listens, and the port it got. */
export interface Listening {
  readonly server: Server;
  readonly port: number;
}

/** Starts an HTTP or HTTPS server, on the loopback address unless a host is given. @throws the listening error, such as EADDRINUSE */
export async function listenHttp(options: ListenOptions, listener: RequestListener): Promise<Listening> {
  const server = options.tls ? createHttpsServer(options.tls, listener) : createHttpServer(listener);
  server.requestTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host ?? "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
  // A broken connection is the peer's affair; the server goes on.
  server.on("error", () => {});
  const address = server.address();
  return { server, port: typeof address === "object" && address !== null ? address.port : options.port };
}

/** Stops a server: no new connections, idle ones closed, others given `graceMs` and then cut. */
export async function closeHttp(server: Server, graceMs: number, timers: Timers): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  await withinMs(timers, graceMs, closed);
  server.closeAllConnections();
  await closed;
}

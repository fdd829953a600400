import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo } from "node:net";

/** Certificates of the TLS port, as PEM texts. */
export interface StationTls {
  readonly port: number;
  /** Certificate chains, one per key: stations may want RSA or ECDSA (A00.FR.318). */
  readonly certificates: ReadonlyArray<{ readonly certificate: string; readonly privateKey: string }>;
  /** Authorities of client certificates, for security profile 3; without them no client certificate is valid. */
  readonly clientAuthorities?: readonly string[] | undefined;
}

/** Where stations connect. */
export interface StationListenOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly tls?: StationTls | undefined;
}

/** A listener could not be opened; the message says what to do. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly host: string;
  readonly port: number;

  constructor(host: string, port: number, cause: unknown) {
    super(`cannot listen for stations on ${host}:${port}: ${explain(cause)}`, { cause });
    this.host = host;
    this.port = port;
  }
}

function explain(cause: unknown): string {
  switch ((cause as { readonly code?: unknown } | undefined)?.code) {
    case "EADDRINUSE":
      return "another process uses the port; end it or choose another port";
    case "EACCES":
      return "this user may not use the port; choose one above 1023";
    case "EADDRNOTAVAIL":
      return "this machine has no such address";
    default:
      return cause instanceof Error ? cause.message : String(cause);
  }
}

/** A00.FR.318, and the suites of the same strength that newer stations bring. TLS 1.3 has its own. */
const cipherSuites = [
  "TLS_AES_256_GCM_SHA384",
  "TLS_AES_128_GCM_SHA256",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "AES256-GCM-SHA384",
  "AES128-GCM-SHA256",
].join(":");

const httpLimits = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout: 75_000,
  maxHeaderSize: 16_384,
} as const;

/** What shares the ports: both endpoints take the caller's servers. */
export interface StationEndpoints {
  attachWebSockets(server: Server | TlsServer): void;
  /** True when the request was one of OCPP-S. */
  handleRequest(request: IncomingMessage, response: ServerResponse): boolean;
}

/** The HTTP servers that stations connect to: one in the clear, and one with TLS where certificates are configured. */
export class StationListeners {
  readonly #endpoints: StationEndpoints;
  readonly #servers: Array<Server | TlsServer> = [];

  constructor(endpoints: StationEndpoints) {
    this.#endpoints = endpoints;
  }

  /** @throws ListenError when a port cannot be had; then none is open */
  async listen(options: StationListenOptions): Promise<{ readonly port: number; readonly tlsPort?: number }> {
    try {
      const port = await this.#open(createServer(httpLimits), options.host, options.port);
      if (options.tls === undefined) return { port };
      return { port, tlsPort: await this.#open(tlsServer(options.tls), options.host, options.tls.port) };
    } catch (error) {
      await this.close(0);
      throw error;
    }
  }

  /** Accepts nothing more. Requests get `graceMs` to end; WebSockets are their endpoint's to close. */
  async close(graceMs: number): Promise<void> {
    const servers = this.#servers.splice(0);
    const late = setTimeout(() => {
      for (const server of servers) server.closeAllConnections();
    }, graceMs);
    await Promise.all(
      servers.map((server) => {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        server.closeIdleConnections();
        return closed;
      }),
    );
    clearTimeout(late);
  }

  async #open(server: Server | TlsServer, host: string, port: number): Promise<number> {
    // A station that breaks off its TLS handshake must not end the process.
    server.on("tlsClientError", () => {});
    server.on("clientError", (_error, socket) => {
      if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
      else socket.destroy();
    });
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      if (!this.#endpoints.handleRequest(request, response)) refuseRequest(response);
    });
    this.#endpoints.attachWebSockets(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(new ListenError(host, port, error)));
      server.listen(port, host, resolve);
    });
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }
}

function refuseRequest(response: ServerResponse): void {
  response.writeHead(426, { Connection: "Upgrade, close", Upgrade: "websocket", "Content-Type": "text/plain" });
  response.end("Charging stations connect here: WebSocket at /ocpp/{stationId}, SOAP at /ocpp/soap.\n");
}

function tlsServer(tls: StationTls): TlsServer {
  return createTlsServer({
    ...httpLimits,
    cert: tls.certificates.map((pair) => pair.certificate),
    key: tls.certificates.map((pair) => pair.privateKey),
    ...(tls.clientAuthorities === undefined ? {} : { ca: [...tls.clientAuthorities] }),
    // Stations of profile 2 have no certificate: who needs one is decided at the handshake of OCPP.
    requestCert: tls.clientAuthorities !== undefined,
    rejectUnauthorized: false,
    minVersion: "TLSv1.2",
    ciphers: cipherSuites,
    handshakeTimeout: 10_000,
    // A00.FR.321: no TLS compression, which OpenSSL as built into Node does not have.
  });
}

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Logger } from "pino";
import { UnfinishedConnections } from "./unfinished-connections.ts";

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

/** How long a peer may keep a connection busy with nothing, before it is a WebSocket. Times in milliseconds. */
export interface HttpLimits {
  /** From the connection to the end of the handshake of TLS. */
  readonly handshakeTimeout: number;
  /** From the connection to the last byte of the headers. */
  readonly headersTimeout: number;
  /** From the connection, or the answer before, to the last byte of the body. */
  readonly requestTimeout: number;
  /** Every so often it is looked for peers that took longer. */
  readonly connectionsCheckingInterval: number;
  /** Between an answer and the next request of the same connection. */
  readonly keepAliveTimeout: number;
  /** Without any byte in either direction: a peer that does not read its answer. */
  readonly idleTimeout: number;
}

const defaultLimits: HttpLimits = {
  handshakeTimeout: 10_000,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout: 75_000,
  // Longer than any answer may take to be stored.
  idleTimeout: 120_000,
};

const maxHeaderSize = 16_384;

/**
 * More than 5,000 stations of one address that come back at once. A silent connection takes 13 KiB, half a handshake of
 * TLS 51 KiB.
 */
const mostUnfinished = { perNetwork: 6_000, total: 12_000 };

/** What is written to a peer whose request could not be read, by the code of the error. */
function refusalLine(error: Error): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return "408 Request Timeout";
    case "HPE_HEADER_OVERFLOW":
      return "431 Request Header Fields Too Large";
    default:
      return "400 Bad Request";
  }
}

/** Answers what is no request, and ends the connection whether the peer does so too or not. */
function refuseConnection(error: Error, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${refusalLine(error)}\r\nConnection: close\r\n\r\n`);
}

/** What shares the ports. */
export interface StationEndpoints {
  /** Answers every request for a WebSocket, whatever its path. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** True when the request was one of OCPP-S. */
  handleRequest(request: IncomingMessage, response: ServerResponse): boolean;
}

/**
 * Connections that the system may hold until they are taken. With the 511 of Node.js, stations that all come back at
 * once are dropped and try again after one second, then two, then four.
 */
const connectionsInLine = 4_096;

/** The HTTP servers that stations connect to: one in the clear, and one with TLS where certificates are configured. */
export class StationListeners {
  readonly #endpoints: StationEndpoints;
  readonly #log: Logger;
  readonly #limits: HttpLimits;
  readonly #servers: Array<Server | TlsServer> = [];
  readonly #sockets = new Set<Socket>();
  /** Connections on which nobody has said yet who it is, or asks for anything. */
  readonly unfinished: UnfinishedConnections;

  constructor(
    endpoints: StationEndpoints,
    log: Logger,
    limits: Partial<HttpLimits> = {},
    unfinished: UnfinishedConnections = new UnfinishedConnections(mostUnfinished),
  ) {
    this.unfinished = unfinished;
    this.#endpoints = endpoints;
    this.#log = log;
    this.#limits = { ...defaultLimits, ...limits };
  }

  /** TCP connections that are open, also those that have not said yet who they are. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** @throws ListenError when a port cannot be had; then none is open */
  async listen(options: StationListenOptions): Promise<{ readonly port: number; readonly tlsPort?: number }> {
    try {
      const port = await this.#open(createServer({ ...this.#limits, maxHeaderSize }), options.host, options.port);
      if (options.tls === undefined) return { port };
      return { port, tlsPort: await this.#open(tlsServer(options.tls, this.#limits), options.host, options.tls.port) };
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
      // Half a handshake of TLS is no connection to the server yet, and would keep it from closing.
      this.unfinished.cutAll();
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
    server.on("clientError", refuseConnection);
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    this.unfinished.watch(server);
    server.timeout = this.#limits.idleTimeout;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      if (!this.#endpoints.handleRequest(request, response)) refuseRequest(response);
    });
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.unfinished.upgrades(request);
      this.#endpoints.handleUpgrade(request, socket, head);
    });
    await new Promise<void>((resolve, reject) => {
      const failed = (error: Error) => reject(new ListenError(host, port, error));
      server.once("error", failed);
      server.listen({ port, host, backlog: connectionsInLine }, () => {
        server.off("error", failed);
        resolve();
      });
    });
    // A connection that could not be accepted, for want of file descriptors: the next one may be.
    server.on("error", (error) => this.#log.error({ err: error, host, port }, "a connection was not accepted"));
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }
}

function refuseRequest(response: ServerResponse): void {
  response.writeHead(426, { Connection: "Upgrade, close", Upgrade: "websocket", "Content-Type": "text/plain" });
  response.end("Charging stations connect here: WebSocket at /ocpp/{stationId}, SOAP at /ocpp/soap.\n");
}

function tlsServer(tls: StationTls, limits: HttpLimits): TlsServer {
  return createTlsServer({
    ...limits,
    maxHeaderSize,
    cert: tls.certificates.map((pair) => pair.certificate),
    key: tls.certificates.map((pair) => pair.privateKey),
    ...(tls.clientAuthorities === undefined ? {} : { ca: [...tls.clientAuthorities] }),
    // Stations of profile 2 have no certificate: who needs one is decided at the handshake of OCPP.
    requestCert: tls.clientAuthorities !== undefined,
    rejectUnauthorized: false,
    minVersion: "TLSv1.2",
    ciphers: cipherSuites,
    // A00.FR.321: no TLS compression, which OpenSSL as built into Node does not have.
  });
}

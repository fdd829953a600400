import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer, type ServerOptions as TlsOptions } from "node:https";
import { type Timers, withinMs } from "./timers.ts";

/** Where an endpoint listens that makes a server of its own. */
export interface ListenOptions {
  /** 0 lets the system choose. */
  readonly port: number;
  /** Name or address of the interface; 127.0.0.1 when absent, which only this machine reaches. */
  readonly host?: string;
  /** Serves `wss` or `https` with these certificates. */
  readonly tls?: TlsOptions;
}

/** Status codes that refuse a station. */
export type RefusalStatus = 401 | 403 | 404 | 429 | 503;

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

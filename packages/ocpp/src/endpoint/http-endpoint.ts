import type { ServerOptions as TlsOptions } from "node:https";

/** Where an endpoint listens that makes a server of its own. */
export interface ListenOptions {
  /** 0 lets the system choose. */
  readonly port: number;
  readonly host?: string;
  /** Serves `wss` or `https` with these certificates. */
  readonly tls?: TlsOptions;
}

/** Status codes that refuse a station. */
export type RefusalStatus = 401 | 403 | 404 | 429 | 503;

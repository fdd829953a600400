import type { OcppVersion, WireMessage } from "@polyphase/ocpp";

/** What a link tells its station. */
export interface LinkListener {
  /** Answers a call of the CSMS. @throws OcppError to answer with an error */
  answer(action: string, payload: unknown): unknown;
  /** The CSMS can be reached (again). */
  online(): void;
  /** The CSMS cannot be reached any more. */
  offline(): void;
  /** A message crossed the wire. */
  message(message: WireMessage): void;
  /** An attempt to reach the CSMS failed. */
  connectFailed(error: Error): void;
}

/** How a link reaches its CSMS. */
export interface LinkOptions {
  readonly url: string;
  readonly identity: string;
  readonly version: OcppVersion;
  readonly password?: string | Buffer;
  /** TLS settings: trusted roots, own certificate. */
  readonly tls?: LinkTls;
  readonly backOff?: BackOff;
  readonly pingIntervalMs?: number;
  /** Where a station of OCPP-S listens; a free port of the loopback interface by default. */
  readonly listen?: { readonly port: number; readonly host?: string };
  /** Our address as the CSMS reaches it (OCPP-S). */
  readonly publicUrl?: string;
  random(): number;
}

/** Waits between attempts to connect: the first, its random part, and how often it is doubled. */
export interface BackOff {
  readonly waitMinimumMs: number;
  readonly randomRangeMs: number;
  readonly repeatTimes: number;
}

/** TLS settings in PEM. */
export interface LinkTls {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly rejectUnauthorized?: boolean;
}

/** The way to the CSMS, whatever the transport. */
export interface Link {
  /** Whether the CSMS is believed to be reachable. */
  readonly isOnline: boolean;
  /** Starts to reach for the CSMS and keeps doing so; `online` of the listener tells when it is reached. */
  start(): Promise<void>;
  /** Lets go of the CSMS; {@link start} may follow. */
  stop(): Promise<void>;
  /** Sends a request and waits so long for the response. @throws NotConnectedError, CallTimeoutError, PeerError, ValidationError, UnknownActionError */
  call(action: string, payload: unknown, timeoutMs: number): Promise<unknown>;
  updatePingInterval(pingIntervalMs: number): void;
  updateBackOff(backOff: BackOff): void;
  /** Takes another password from the next {@link start} on. */
  updatePassword(password: string | Buffer): void;
}

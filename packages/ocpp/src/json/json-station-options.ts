import type { ConnectionOptions } from "node:tls";
import type { OcppVersion } from "../catalogue/version.ts";
import type { AnyConnection } from "../connection.ts";
import type { BackOffOptions } from "./back-off.ts";
import type { CompressionOptions } from "./compression.ts";
import type { ConnectError } from "./connect-error.ts";
import type { PeerOptions } from "./peer/peer-settings.ts";
import type { Ending } from "./peer/transport.ts";

/** A connection to the CSMS, as a station sees it. */
export type StationConnection<V extends OcppVersion = OcppVersion> = AnyConnection<"ChargingStation", V>;

/** How a JsonStation behaves. */
export interface JsonStationOptions<V extends OcppVersion = OcppVersion> extends PeerOptions {
  /** Endpoint of the CSMS, `ws://host/ocpp`; the identity is appended, percent-encoded. */
  readonly url: string;
  readonly identity: string;
  /** Versions that the station speaks, the one it prefers first. */
  readonly versions: readonly V[];
  /** Password of HTTP Basic authentication: the text of 2.x, or the decoded bytes of the AuthorizationKey of 1.6. */
  readonly password?: string | Buffer;
  /** For `wss`: authorities, and the station's own certificate in security profile 3. */
  readonly tls?: ConnectionOptions;
  /** Further headers of the handshake. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Waits between attempts; 10 s and up to 10 s at random, doubled 3 times, when absent. */
  readonly backOff?: BackOffOptions;
  /** Called for every connection before the first message of the CSMS is handled. */
  onConnect?(connection: StationConnection<V>, occasion: { readonly first: boolean }): void;
  onDisconnect?(connection: StationConnection<V>, ending: Ending): void;
  /** Called for every attempt that failed, with the milliseconds until the next one. */
  onConnectFailed?(error: ConnectError, retryInMs: number): void;
  /** Milliseconds that an attempt may take; 30 000 when absent. */
  readonly handshakeTimeoutMs?: number;
  /** Messages from 1 024 bytes on when absent; false asks for no compression. */
  readonly compression?: CompressionOptions | false;
  /** WebSocketPingInterval in milliseconds; 0, which is no ping, when absent. */
  readonly pingIntervalMs?: number;
  /** Milliseconds to wait for a pong, or any other sign of life; 15 000 when absent. */
  readonly pongTimeoutMs?: number;
  /** Random part of the back-off, from 0 to 1. */
  random?(): number;
}

import type { OcppVersion } from "../catalogue/version.ts";
import type { AnyConnection } from "../connection.ts";
import type { CompressionOptions } from "./compression.ts";
import type { Handshake, HandshakeDecision } from "./handshake.ts";
import type { PeerOptions } from "./peer/peer-settings.ts";
import type { Ending } from "./peer/transport.ts";
import type { AcceptedHandshake } from "./upgrade-gate.ts";

/** How a JsonCsms behaves. */
export interface JsonCsmsOptions extends PeerOptions {
  /** Path in front of the identity, `/ocpp` when absent. */
  readonly path?: string;
  /** Versions that stations may choose from; all when absent. */
  readonly versions?: readonly OcppVersion[];
  /** Decides who may connect; everybody when absent. */
  authenticate?(handshake: Handshake): HandshakeDecision | Promise<HandshakeDecision>;
  /** Called before the first message of the connection is handled. */
  onConnect?(connection: AnyConnection<"CSMS">, accepted: AcceptedHandshake): void;
  onDisconnect?(connection: AnyConnection<"CSMS">, ending: Ending): void;
  /** Milliseconds that {@link authenticate} may take; 10 000 when absent. Then the station gets 503. */
  readonly handshakeTimeoutMs?: number;
  /** Connections at a time, and as many again that are being authenticated; no limit when absent. Beyond it stations get 503. */
  readonly maxConnections?: number;
  /** Messages from 1 024 bytes on when absent; false offers no compression. */
  readonly compression?: CompressionOptions | false;
  /** Milliseconds of silence before a ping; 30 000 when absent, 0 for none. */
  readonly pingIntervalMs?: number;
  /** Milliseconds to wait for a pong, or any other sign of life; 15 000 when absent. */
  readonly pongTimeoutMs?: number;
  /** Source of the moments at which first pings go out, from 0 to 1. */
  random?(): number;
}

/** What is open and under way at an endpoint at one moment. */
export interface JsonCsmsLoad {
  /** WebSockets, also those that are being closed. */
  readonly sockets: number;
  /** Stations that are being authenticated. */
  readonly handshakes: number;
  /** Requests of stations that handlers have not answered yet, also those whose connection is gone. */
  readonly requests: number;
}

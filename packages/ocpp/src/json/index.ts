export type { BackOffOptions } from "./back-off.ts";
export type { CompressionOptions } from "./compression.ts";
export type { BasicCredentials, Handshake, HandshakeDecision, RefusalStatus } from "./handshake.ts";
export { JsonCsms, type JsonCsmsOptions, type ListenOptions } from "./json-csms.ts";
export { ConnectError, JsonStation, type JsonStationOptions, type StationConnection } from "./json-station.ts";
export { ManualTimers } from "./manual-timers.ts";
export type { PeerOptions } from "./peer-settings.ts";
export type {
  FlattenedJws,
  SignableMessage,
  SignedMessagesOptions,
  Signer,
  SigningAlgorithm,
  SigningKey,
} from "./signed-messages.ts";
export type { Cancel, Timers, WallClock } from "./timers.ts";
export { ConnectionEndedError, type Ending } from "./transport.ts";
export type { AcceptedHandshake } from "./upgrade-gate.ts";

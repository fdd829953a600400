export type { BasicCredentials } from "../endpoint/basic-authentication.ts";
export type { ListenOptions, RefusalStatus } from "../endpoint/http-endpoint.ts";
export { ManualTimers } from "../endpoint/manual-timers.ts";
export type { Cancel, Timers, WallClock } from "../endpoint/timers.ts";
export type { BackOffOptions } from "./back-off.ts";
export type { CompressionOptions } from "./compression.ts";
export { ConnectError } from "./connect-error.ts";
export type { Handshake, HandshakeDecision } from "./handshake.ts";
export { JsonCsms } from "./json-csms.ts";
export type { JsonCsmsLoad, JsonCsmsOptions } from "./json-csms-options.ts";
export { JsonStation } from "./json-station.ts";
export type { JsonStationOptions, StationConnection } from "./json-station-options.ts";
export type { PeerOptions } from "./peer/peer-settings.ts";
export type {
  FlattenedJws,
  SignableMessage,
  SignedMessagesOptions,
  Signer,
  SigningAlgorithm,
  SigningKey,
} from "./peer/signed-messages.ts";
export { ConnectionEndedError, type Ending } from "./peer/transport.ts";
export type { AcceptedHandshake } from "./upgrade-gate.ts";

export type { Family1Command } from "./commands.ts";
export { type CommandRegistry, UnknownCommandError } from "./commands.ts";
export { createGateway, type Gateway, type GatewayDeps } from "./gateway.ts";
export type * from "./known-stations.ts";
export { messageLogTable } from "./message-log/message-log.ts";
export { migrations } from "./migrations.ts";
export { ListenError, type StationListenOptions, type StationTls } from "./station-listeners.ts";
export * from "./station-messages.ts";
export { readLastSeen } from "./station-presence.ts";

export type { VendorAnswer, VendorHandler, VendorMessage } from "./blocks/data-transfer/index.ts";
export type { Clock } from "./clock.ts";
export type { Parts } from "./compose.ts";
export {
  type Config,
  ConfigError,
  type ConfigOverrides,
  loadConfig,
  type SettingDescription,
  settingDescriptions,
  settingsTable,
} from "./config.ts";
export { type Csms, StartError, type StartOptions, startCsms } from "./csms.ts";
export { DatabaseConnectionError } from "./database/connection.ts";
export { DatabaseInUseError } from "./database/database-claim.ts";
export { EmbeddedDatabaseError } from "./database/embedded-database-error.ts";
export { DatabaseTooNewError, MigrationError } from "./database/migrate.ts";
export type { DomainEvent, DomainEventType, StoredEvent } from "./events/index.ts";
export { ListenError } from "./gateway/index.ts";
export { createLog, type LogLevel } from "./log.ts";
export { maintainDatabase } from "./maintenance.ts";

import type { CommandRegistry } from "../../gateway/commands.ts";
import type { StationCalls, StationMessageRoutes } from "../../gateway/station-messages.ts";
import { translateFamily1 } from "./ocpp1.ts";
import { registerFamily2 } from "./ocpp2.ts";

export { chargingProfileOfFamily1 } from "./ocpp1.ts";

/** Block K, smart charging: profiles by command, and answers to what stations tell of limits and needs. */
export interface SmartCharging {
  registerRoutes(routes: StationMessageRoutes): void;
  registerCommands(commands: CommandRegistry, calls: StationCalls): void;
}

/** Makes the block. */
export function createSmartCharging(): SmartCharging {
  return { registerRoutes: registerFamily2, registerCommands: translateFamily1 };
}

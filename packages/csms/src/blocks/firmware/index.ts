import type { CommandRegistry } from "../../gateway/commands.ts";
import type { StationCalls, StationMessageRoutes } from "../../gateway/station-messages.ts";
import { registerFamily1, translateFamily1 } from "./ocpp1.ts";

/** Block L, firmware management: updates by command. */
export interface Firmware {
  registerRoutes(routes: StationMessageRoutes): void;
  registerCommands(commands: CommandRegistry, calls: StationCalls): void;
}

/** Makes the block. */
export function createFirmware(): Firmware {
  return {
    registerRoutes(routes) {
      registerFamily1(routes);
      // L01.FR.01 and L03: progress, which the message log keeps.
      routes.on2("FirmwareStatusNotification", () => ({}));
      routes.on2("PublishFirmwareStatusNotification", () => ({}));
    },
    registerCommands: translateFamily1,
  };
}

import type { CommandRegistry } from "../../gateway/commands.ts";
import type { StationCalls, StationMessageRoutes } from "../../gateway/station-messages.ts";
import type { Provisioning } from "../provisioning/index.ts";
import { registerFamily1, translateFamily1 } from "./ocpp1.ts";
import { registerFamily2 } from "./ocpp2.ts";

/** Block N, diagnostics: events of stations, logs by command. */
export interface Diagnostics {
  registerRoutes(routes: StationMessageRoutes): void;
  registerCommands(commands: CommandRegistry, calls: StationCalls): void;
}

/** Makes the block. */
export function createDiagnostics(dependencies: {
  readonly provisioning: Pick<Provisioning, "storeValues" | "noteStationTime">;
}): Diagnostics {
  return {
    registerRoutes(routes) {
      registerFamily1(routes);
      registerFamily2(routes, dependencies.provisioning);
    },
    registerCommands: translateFamily1,
  };
}

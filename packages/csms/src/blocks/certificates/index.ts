import type { Clock } from "../../clock.ts";
import type { CommandRegistry } from "../../gateway/commands.ts";
import type { StationCalls, StationMessageRoutes } from "../../gateway/station-messages.ts";
import { registerFamily1, translateFamily1 } from "./ocpp1.ts";
import { registerFamily2 } from "./ocpp2.ts";

/** Block M, and A02 with it: certificates by command, and answers to stations that ask for one. */
export interface Certificates {
  registerRoutes(routes: StationMessageRoutes): void;
  registerCommands(commands: CommandRegistry, calls: StationCalls): void;
}

/** Makes the block. */
export function createCertificates(dependencies: { readonly clock: Clock }): Certificates {
  return {
    registerRoutes(routes) {
      registerFamily1(routes);
      registerFamily2(routes, dependencies.clock);
    },
    registerCommands: translateFamily1,
  };
}

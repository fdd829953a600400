import type { CommandRegistry } from "../../gateway/commands.ts";
import type { StationCalls } from "../../gateway/station-messages.ts";
import { translateFamily1 } from "./ocpp1.ts";

/** Block D, and C11 with it: what a station knows of tokens by itself, its local list and its cache, by command. */
export interface LocalAuthorizationList {
  registerCommands(commands: CommandRegistry, calls: StationCalls): void;
}

/** Makes the block. */
export function createLocalAuthorizationList(): LocalAuthorizationList {
  return { registerCommands: translateFamily1 };
}

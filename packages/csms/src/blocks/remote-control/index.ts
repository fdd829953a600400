import { randomInt } from "node:crypto";
import type { CommandRegistry } from "../../gateway/commands.ts";
import type { StationCalls } from "../../gateway/station-messages.ts";
import { translateFamily1 } from "./ocpp1.ts";

export { transactionIdOfFamily1 } from "./ocpp1.ts";

const MAX_REMOTE_START_ID = 2 ** 31 - 1;

/** What remote control works with. */
export interface RemoteControlDependencies {
  /** Gives an id for a remote start: 1 to 2^31 - 1. Default: random, so that ids of a restarted process do not repeat. */
  readonly remoteStartId?: () => number;
}

/** Block F, remote control: start, stop, unlock, trigger. */
export interface RemoteControl {
  registerCommands(commands: CommandRegistry, calls: StationCalls): void;
}

/** Makes the block. Register it before blocks that look at a remoteStartId. */
export function createRemoteControl(dependencies: RemoteControlDependencies = {}): RemoteControl {
  const nextId = dependencies.remoteStartId ?? (() => randomInt(1, MAX_REMOTE_START_ID + 1));
  return {
    registerCommands(commands, calls) {
      // Not validated yet: the caller may have left the id out (F01.FR.25 and F02.FR.01 need one).
      commands.prepare("RequestStartTransaction", (_stationId, request) =>
        request.remoteStartId === undefined ? { ...request, remoteStartId: nextId() } : request,
      );
      translateFamily1(commands, calls);
    },
  };
}

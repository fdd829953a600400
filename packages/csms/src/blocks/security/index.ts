import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Kysely } from "kysely";
import type { Logger } from "pino";
import type { Clock } from "../../clock.ts";
import type { GroupCommit, WriteUnit } from "../../database/write-unit.ts";
import type { CommandRegistry } from "../../gateway/commands.ts";
import type { KnownStations, StationCredentials } from "../../gateway/known-stations.ts";
import type { StationMessageRoutes } from "../../gateway/station-messages.ts";
import { securityApi } from "./api.ts";
import { StoredCredentials } from "./credentials.ts";
import { registerFamily1 } from "./ocpp1.ts";
import { registerFamily2 } from "./ocpp2.ts";
import { followPasswordCommands } from "./password-commands.ts";
import { SecurityEvents } from "./service.ts";
import { deleteSecurityEventsBefore } from "./store.ts";

export { migrations } from "./migrations.ts";

/** What the security block works with. */
export interface SecurityDeps {
  readonly database: Kysely<unknown>;
  readonly groupCommit: GroupCommit;
  readonly clock: Clock;
  /** By which it is judged what is too old. Default: `clock`. */
  readonly retentionClock?: Clock | undefined;
  readonly log: Logger;
  /** Provisioning's directory. */
  readonly stations: KnownStations;
  /** Days for which security events are kept; default 400. */
  readonly eventRetentionDays?: number;
}

/** Block A: how stations prove who they are, and what they report of their security. */
export interface Security {
  /** For the gateway. */
  readonly credentials: StationCredentials;
  /** Reads the credentials. Must be done before the first station connects. */
  load(): Promise<void>;
  registerRoutes(routes: StationMessageRoutes): void;
  registerCommands(commands: CommandRegistry): void;
  readonly api: FastifyPluginAsyncTypebox;
  /** Removes a station's credentials in the unit that removes the station; returns what to do after the commit. */
  removeStation(stationId: string, unit: WriteUnit): () => void;
  close(): void;
}

const dayMs = 86_400_000;

/** Makes the block. */
export function createSecurity(deps: SecurityDeps): Security {
  const { database, groupCommit, clock, log, stations, retentionClock = clock } = deps;
  const credentials = new StoredCredentials({ database, groupCommit, clock });
  const events = new SecurityEvents(groupCommit);
  const retentionMs = (deps.eventRetentionDays ?? 400) * dayMs;
  const sweep = setInterval(() => {
    const before = new Date(retentionClock.now().getTime() - retentionMs);
    deleteSecurityEventsBefore(database, before).catch((error: unknown) => {
      log.warn({ err: error }, "old security events were not removed; it is tried again");
    });
  }, dayMs / 4);
  sweep.unref();
  return {
    credentials,
    load: () => credentials.load(),
    registerRoutes(routes) {
      registerFamily1(routes, events);
      registerFamily2(routes, events);
    },
    registerCommands: (commands) => followPasswordCommands(commands, credentials, log),
    api: securityApi({ database, stations, credentials }),
    removeStation: (stationId, unit) => credentials.removeIn(stationId, unit),
    close: () => clearInterval(sweep),
  };
}

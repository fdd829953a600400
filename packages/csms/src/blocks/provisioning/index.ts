import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Kysely } from "kysely";
import type { Logger } from "pino";
import type { Clock } from "../../clock.ts";
import type { GroupCommit } from "../../database/write-unit.ts";
import type { CommandRegistry } from "../../gateway/commands.ts";
import type { KnownStations } from "../../gateway/known-stations.ts";
import type { StationCalls, StationMessageRoutes } from "../../gateway/station-messages.ts";
import { type LastSeen, stationRoutes } from "./api.ts";
import { ClockOffsets } from "./clock-offsets.ts";
import { registerFamily1 } from "./ocpp1.ts";
import { registerFamily2 } from "./ocpp2.ts";
import { RegistrationFollowUp } from "./registration-follow-up.ts";
import {
  type BootListener,
  type DeletionStep,
  defaultRules,
  type ProvisioningRules,
  ProvisioningService,
} from "./service.ts";
import type { Station } from "./station.ts";
import { StationDirectory } from "./station-directory.ts";
import { readStations } from "./station-store.ts";

export type { LastSeen } from "./api.ts";
export { migrations } from "./migrations.ts";
export type { BootListener, DeletionStep, ProvisioningRules, UnknownStationPolicy } from "./service.ts";
export type { BootFacts, Station, StationSettings } from "./station.ts";

/** What provisioning works with. */
export interface ProvisioningDependencies {
  readonly database: Kysely<unknown>;
  readonly groupCommit: GroupCommit;
  readonly clock: Clock;
  readonly log: Logger;
  /** Uniform in [0, 1). Default: Math.random. */
  readonly random?: () => number;
  readonly rules?: Partial<ProvisioningRules>;
  /** Tells of stations that are not connected. */
  readonly lastSeen?: LastSeen;
}

/** Block B, provisioning: the directory of stations, their boot, their variables. */
export interface Provisioning {
  /** The directory as the gateway sees it. */
  readonly knownStations: KnownStations;
  /** Reads the directory. Must be done before the first message. */
  load(): Promise<void>;
  registerRoutes(routes: StationMessageRoutes): void;
  registerCommands(commands: CommandRegistry, calls: StationCalls): void;
  readonly api: FastifyPluginAsyncTypebox;
  station(stationId: string): Station | undefined;
  /** Tells of every accepted boot. */
  onBoot(listener: BootListener): void;
  /** Lets a block remove what it keeps of a station together with the station. */
  onDeletion(step: DeletionStep): void;
  /** Notes what a message shows of a station's clock. */
  noteStationTime(stationId: string, stationTime: Date, receivedAt: Date): void;
}

/** Makes the block. */
export function createProvisioning(dependencies: ProvisioningDependencies): Provisioning {
  const { database, groupCommit, clock, log, lastSeen } = dependencies;
  const directory = new StationDirectory();
  const offsets = new ClockOffsets();
  let calls: StationCalls | undefined;
  const service = new ProvisioningService({
    groupCommit,
    directory,
    clock,
    log,
    random: dependencies.random ?? Math.random,
    rules: { ...defaultRules, ...dependencies.rules },
  });
  service.onBoot((stationId) => offsets.forget(stationId));
  service.onDeletion((stationId) => () => offsets.forget(stationId));
  const followUp = new RegistrationFollowUp(() => calls, log);
  const api = stationRoutes({
    service,
    directory,
    followUp,
    calls: () => calls,
    lastSeen,
    clockOffsetS: (stationId) => offsets.offsetS(stationId),
  });

  return {
    knownStations: service,
    async load() {
      directory.clear();
      for (const station of await readStations(database)) directory.put(station);
    },
    registerRoutes(routes) {
      registerFamily1(routes, service, clock);
      registerFamily2(routes, service, clock);
    },
    registerCommands(_commands, stationCalls) {
      calls = stationCalls;
    },
    api,
    station: (stationId) => service.station(stationId),
    onBoot: (listener) => service.onBoot(listener),
    onDeletion: (step) => service.onDeletion(step),
    noteStationTime: (stationId, stationTime, receivedAt) => offsets.note(stationId, stationTime, receivedAt),
  };
}

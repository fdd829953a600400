import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Kysely } from "kysely";
import type { Logger } from "pino";
import type { Metrics } from "../../api/metrics.ts";
import type { Clock } from "../../clock.ts";
import type { GroupCommit, WriteUnit } from "../../database/write-unit.ts";
import type { CommandRegistry } from "../../gateway/commands.ts";
import type { KnownStations } from "../../gateway/known-stations.ts";
import type { StationCalls, StationMessageRoutes } from "../../gateway/station-messages.ts";
import { type StationDeviations, unwatchedDeviations } from "../../gateway/tolerance/conduct.ts";
import { AcceptedValues } from "./accepted-values.ts";
import { stationRoutes } from "./api.ts";
import { ClockOffsets } from "./clock-offsets.ts";
import { defaultInventoryRules, Inventory, type InventoryRules } from "./inventory.ts";
import { registerFamily1, translateReset } from "./ocpp1.ts";
import { translateVariables } from "./ocpp1-variables.ts";
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
import type { LastSeen } from "./station-json.ts";
import { readStations } from "./station-store.ts";
import { systemTimers, type Timers } from "./timers.ts";
import { registerUnknownStations } from "./unknown-station-metrics.ts";
import { followVariableCommands } from "./variable-commands.ts";
import { type TimedValue, type ValueObserver, VariableRecords } from "./variable-records.ts";
import { deleteVariables, readActual, type StoredActual } from "./variable-store.ts";
import { variableRoutes } from "./variables-api.ts";

export { migrations } from "./migrations.ts";
export type { BootListener, DeletionStep, ProvisioningRules, UnknownStationPolicy } from "./service.ts";
export type { BootFacts, Station, StationSettings } from "./station.ts";
export type { LastSeen } from "./station-json.ts";
export type { Timers } from "./timers.ts";
export type { VariableAddress, VariableValue } from "./variable.ts";
export type { TimedValue, ValueObserver } from "./variable-records.ts";

/** What provisioning works with. */
export interface ProvisioningDependencies {
  readonly database: Kysely<unknown>;
  readonly groupCommit: GroupCommit;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of what stations do that breaks no schema. Default: everything is tolerated and nothing told. */
  readonly deviations?: StationDeviations;
  /** Uniform in [0, 1). Default: Math.random. */
  readonly random?: () => number;
  readonly rules?: Partial<ProvisioningRules>;
  readonly inventoryRules?: Partial<InventoryRules>;
  readonly timers?: Timers;
  /** Where it is shown what becomes of unknown stations. */
  readonly metrics?: Metrics;
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
  /** Lets a block see the values of variables that stations tell, in the commit that stores them. */
  onValues(observer: ValueObserver): void;
  /** Stores values that a station told, for example in an event (N07). */
  storeValues(
    stationId: string,
    values: readonly TimedValue[],
    receivedAt: Date,
    addition?: (unit: WriteUnit) => void,
  ): Promise<void>;
  /** Ends what is planned. */
  close(): void;
}

/** What the block is made of. */
interface Parts {
  readonly directory: StationDirectory;
  readonly offsets: ClockOffsets;
  readonly records: VariableRecords;
  readonly acceptedValues: AcceptedValues;
  readonly service: ProvisioningService;
  readonly inventory: Inventory;
}

function assemble(dependencies: ProvisioningDependencies, calls: () => StationCalls | undefined): Parts {
  const { groupCommit, clock, log } = dependencies;
  const random = dependencies.random ?? Math.random;
  const deviations = dependencies.deviations ?? unwatchedDeviations;
  const directory = new StationDirectory();
  const records = new VariableRecords(groupCommit);
  const rules = { ...defaultRules, ...dependencies.rules };
  const inventoryRules = { ...defaultInventoryRules, ...dependencies.inventoryRules };
  const timers = dependencies.timers ?? systemTimers;
  return {
    directory,
    offsets: new ClockOffsets(),
    records,
    acceptedValues: new AcceptedValues(deviations),
    service: new ProvisioningService({
      ...{ groupCommit, directory, clock, log, random, rules, deviations },
      connections: {
        has: (stationId) => calls()?.session(stationId) !== undefined,
        end: async (stationId, reason) => calls()?.disconnect(stationId, reason),
      },
    }),
    inventory: new Inventory({
      ...{ directory, records, clock, timers, log, calls, random },
      ...{ rules: inventoryRules, deviations },
    }),
  };
}

/** Lets what is known of a station follow its boots, its values and its deletion. */
function connect({ offsets, records, acceptedValues, service, inventory }: Parts): void {
  records.observe((stationId, values) => {
    for (const value of values) acceptedValues.told(stationId, value);
    return undefined;
  });
  service.onBoot((stationId) => {
    offsets.forget(stationId);
    inventory.plan(stationId);
  });
  service.onDeletion((stationId, unit) => {
    unit.add(deleteVariables, { station_id: stationId });
    return () => {
      offsets.forget(stationId);
      inventory.forget(stationId);
    };
  });
}

/** Makes the block. */
export function createProvisioning(dependencies: ProvisioningDependencies): Provisioning {
  const { database, clock, log, lastSeen, metrics } = dependencies;
  let stationCalls: StationCalls | undefined;
  const calls = () => stationCalls;
  const parts = assemble(dependencies, calls);
  connect(parts);
  if (metrics !== undefined) registerUnknownStations(metrics, () => parts.service.unknownStations);
  const { directory, offsets, records, acceptedValues, service, inventory } = parts;
  const noteStationTime = (stationId: string, stationTime: Date, receivedAt: Date) =>
    offsets.note(stationId, stationTime, receivedAt);
  const actualValue: StoredActual = (stationId, ...address) => readActual(database, stationId, ...address);
  const followUp = new RegistrationFollowUp(calls, log);
  const clockOffsetS = (stationId: string) => offsets.offsetS(stationId);
  const routesOfStations = stationRoutes({ service, directory, followUp, calls, lastSeen, clockOffsetS });
  const routesOfVariables = variableRoutes(database, directory);

  return {
    knownStations: service,
    async load() {
      directory.clear();
      for (const station of await readStations(database)) directory.put(station);
      service.placeUnknown((await lastSeen?.addresses()) ?? new Map());
    },
    registerRoutes(routes) {
      registerFamily1(routes, service, clock);
      registerFamily2(routes, service, inventory, noteStationTime, clock);
    },
    registerCommands(commands, newCalls) {
      stationCalls = newCalls;
      translateReset(commands, newCalls);
      translateVariables(commands, newCalls, inventory, actualValue);
      followVariableCommands(commands, newCalls, records, clock, actualValue, acceptedValues);
    },
    async api(server) {
      await server.register(routesOfStations);
      await server.register(routesOfVariables);
    },
    station: (stationId) => service.station(stationId),
    onBoot: (listener) => service.onBoot(listener),
    onDeletion: (step) => service.onDeletion(step),
    noteStationTime,
    onValues: (observer) => records.observe(observer),
    storeValues: (...stored) => records.storeValues(...stored),
    close: () => inventory.close(),
  };
}

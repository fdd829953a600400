import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Kysely } from "kysely";
import type { Logger } from "pino";
import type { GroupCommit, WriteUnit } from "../../database/write-unit.ts";
import type { CommandRegistry } from "../../gateway/commands.ts";
import type { StationCalls, StationMessageRoutes } from "../../gateway/station-messages.ts";
import type { Provisioning } from "../provisioning/index.ts";
import { availabilityRoutes } from "./api.ts";
import type { ConnectorState, ReportedStatus } from "./connector-status.ts";
import { registerFamily1, translateFamily1 } from "./ocpp1.ts";
import { registerFamily2 } from "./ocpp2.ts";
import { statusOfValue } from "./reported-values.ts";
import { AvailabilityService } from "./service.ts";
import { readConnectors } from "./store.ts";

export type { ConnectorState, ConnectorStatus, ReportedStatus } from "./connector-status.ts";
export { migrations } from "./migrations.ts";

/** What availability works with. */
export interface AvailabilityDependencies {
  readonly database: Kysely<unknown>;
  readonly groupCommit: GroupCommit;
  readonly log: Logger;
  readonly provisioning: Pick<Provisioning, "station" | "onBoot" | "onDeletion" | "onValues" | "noteStationTime">;
  /** Is told what stations of family 1 show, stored already, and at {@link Availability.load} what is known. */
  readonly connectorShown?: (stationId: string, shown: ConnectorShown) => void;
}

/** What a station shows of a connector, with times in milliseconds since 1970. */
interface ConnectorShown extends Pick<ReportedStatus, "evseId" | "status" | "detail"> {
  readonly timestampMs?: number | undefined;
  readonly receivedAtMs: number;
}

/** Block G, availability: the state of stations, EVSEs and connectors. */
export interface Availability {
  /** Reads the last known states. Must be done before the first message. */
  load(): Promise<void>;
  registerRoutes(routes: StationMessageRoutes): void;
  registerCommands(commands: CommandRegistry, calls: StationCalls): void;
  readonly api: FastifyPluginAsyncTypebox;
  /** The states of a station's connectors. EVSE 0 with connector 0 is the station itself. */
  states(stationId: string): readonly ConnectorState[];
  state(stationId: string, evseId: number, connectorId: number): ConnectorState | undefined;
}

/** Makes the block. */
export function createAvailability(dependencies: AvailabilityDependencies): Availability {
  const { database, groupCommit, log, provisioning, connectorShown } = dependencies;
  const service = new AvailabilityService(groupCommit, log);
  provisioning.onBoot((stationId) => service.booted(stationId));
  provisioning.onDeletion((stationId: string, unit: WriteUnit) => service.stageDeletion(stationId, unit));
  provisioning.onValues((stationId, values, receivedAt, unit) => {
    const reported = values.map(statusOfValue).filter((status) => status !== undefined);
    const staged = reported.map((status) => service.stage(stationId, status, receivedAt, unit));
    return () => {
      for (const step of staged.reverse()) step?.undo();
    };
  });
  return {
    async load() {
      service.clear();
      for (const { stationId, state } of await readConnectors(database)) {
        service.restore(stationId, state);
        const { since, receivedAt } = state;
        connectorShown?.(stationId, { ...state, timestampMs: since.getTime(), receivedAtMs: receivedAt.getTime() });
      }
    },
    registerRoutes(routes) {
      registerFamily1(routes, service, provisioning.noteStationTime, (stationId, reported, receivedAt) => {
        const timestampMs = reported.timestamp?.getTime();
        connectorShown?.(stationId, { ...reported, timestampMs, receivedAtMs: receivedAt.getTime() });
      });
      registerFamily2(routes, service, provisioning.noteStationTime);
    },
    registerCommands: translateFamily1,
    api: availabilityRoutes(service, database, (stationId) => provisioning.station(stationId) !== undefined),
    states: (stationId) => service.states(stationId),
    state: (stationId, evseId, connectorId) => service.state(stationId, evseId, connectorId),
  };
}

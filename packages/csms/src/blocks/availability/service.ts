import type { Logger } from "pino";
import type { GroupCommit, WriteUnit } from "../../database/write-unit.ts";
import { type ConnectorState, orderingTime, type ReportedStatus, tellsTheSame } from "./connector-status.ts";
import { changeRow, connectorRow, deleteChanges, deleteConnectors, saveChange, saveConnector } from "./store.ts";

interface StationConnectors {
  readonly connectors: Map<string, ConnectorState>;
  /** The latest time of a notification of each connector, whether it was news or not; what is earlier comes late. */
  readonly latestMs: Map<string, number>;
}

/** What {@link AvailabilityService.stage} did to memory, to be undone when the commit fails. */
export interface StagedStatus {
  undo(): void;
}

/** A station that names more invents them. */
const MOST_CONNECTORS = 2_000;

const keyOf = (evseId: number, connectorId: number) => `${evseId}/${connectorId}`;

/** The state of stations, EVSEs and connectors (block G). */
export class AvailabilityService {
  readonly #groupCommit: GroupCommit;
  readonly #log: Logger;
  readonly #stations = new Map<string, StationConnectors>();

  constructor(groupCommit: GroupCommit, log: Logger) {
    this.#groupCommit = groupCommit;
    this.#log = log;
  }

  /** States of a station's connectors in the order of EVSE and connector; the station itself comes first. */
  states(stationId: string): readonly ConnectorState[] {
    const connectors = this.#stations.get(stationId)?.connectors.values() ?? [];
    return [...connectors].sort((a, b) => a.evseId - b.evseId || a.connectorId - b.connectorId);
  }

  state(stationId: string, evseId: number, connectorId: number): ConnectorState | undefined {
    return this.#stations.get(stationId)?.connectors.get(keyOf(evseId, connectorId));
  }

  /** Puts a state that was read from the database into memory. */
  restore(stationId: string, state: ConnectorState): void {
    const { connectors, latestMs } = this.#connectorsOf(stationId);
    const key = keyOf(state.evseId, state.connectorId);
    connectors.set(key, state);
    latestMs.set(key, state.since.getTime());
  }

  clear(): void {
    this.#stations.clear();
  }

  /** A station has booted, which may have set its clock back: what comes next is newer whatever it says. */
  booted(stationId: string): void {
    this.#stations.get(stationId)?.latestMs.clear();
  }

  /** Stores what a station says of a connector. Nothing is written when it is not news. */
  report(stationId: string, reported: ReportedStatus, receivedAt: Date): Promise<void> | undefined {
    const unit = this.#groupCommit.unit();
    const staged = this.stage(stationId, reported, receivedAt, unit);
    return staged === undefined ? undefined : commit(unit, staged);
  }

  /**
   * Adds what a station says of a connector to a unit and shows it at once, so that the next message sees it.
   * Undefined when nothing is to be written: it is late, or says what is known.
   */
  stage(stationId: string, reported: ReportedStatus, receivedAt: Date, unit: WriteUnit): StagedStatus | undefined {
    const station = this.#connectorsOf(stationId);
    const key = keyOf(reported.evseId, reported.connectorId);
    const before = station.connectors.get(key);
    const { timestamp, ...told } = reported;
    if (before === undefined && station.connectors.size >= MOST_CONNECTORS) {
      this.#log.warn({ stationId, evseId: told.evseId }, "a station names more connectors than any has");
      return undefined;
    }
    const since = orderingTime(timestamp, receivedAt);
    if (since.getTime() < (station.latestMs.get(key) ?? 0)) {
      this.#log.debug({ stationId, evseId: told.evseId, since }, "a late status changes nothing");
      return undefined;
    }
    station.latestMs.set(key, since.getTime());
    if (before !== undefined && tellsTheSame(before, told)) return undefined;
    const state: ConnectorState = { ...told, since, receivedAt, changes: (before?.changes ?? 0) + 1 };
    station.connectors.set(key, state);
    unit.add(saveConnector, connectorRow(stationId, state)).add(saveChange, changeRow(stationId, state));
    publish(stationId, before, state, unit);
    return {
      undo: () => {
        if (station.connectors.get(key) !== state) return;
        if (before === undefined) station.connectors.delete(key);
        else station.connectors.set(key, before);
      },
    };
  }

  /** Adds the removal of a station to a unit; returns what to do after its commit. */
  stageDeletion(stationId: string, unit: WriteUnit): () => void {
    unit.add(deleteConnectors, { station_id: stationId }).add(deleteChanges, { station_id: stationId });
    return () => this.#stations.delete(stationId);
  }

  #connectorsOf(stationId: string): StationConnectors {
    let station = this.#stations.get(stationId);
    if (station === undefined) {
      station = { connectors: new Map(), latestMs: new Map() };
      this.#stations.set(stationId, station);
    }
    return station;
  }
}

async function commit(unit: WriteUnit, staged: StagedStatus): Promise<void> {
  try {
    await unit.commit();
  } catch (error) {
    staged.undo();
    throw error;
  }
}

function publish(stationId: string, before: ConnectorState | undefined, state: ConnectorState, unit: WriteUnit): void {
  const { evseId, connectorId, status, errorCode, info, since } = state;
  if (before?.status !== status || before.detail !== state.detail || before.errorCode !== errorCode) {
    unit.publish({
      type: "connector.status-changed",
      stationId,
      timestamp: since,
      data: { evseId, connectorId, status, ...(errorCode === undefined ? {} : { errorCode }) },
    });
  }
  if (errorCode !== undefined && errorCode !== before?.errorCode) {
    const data = { evseId, errorCode, ...(info === undefined ? {} : { info }) };
    unit.publish({ type: "station.fault-reported", stationId, timestamp: since, data });
  }
}

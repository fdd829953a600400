import type { KnownStation } from "../../gateway/known-stations.ts";
import type { Station } from "./station.ts";

interface Entry {
  readonly station: Station;
  /** What the gateway sees; the same object until something changes, since it is asked for on every message. */
  readonly known: KnownStation;
  /** The last BootNotification was put off, so the station believes that it is Pending. */
  readonly deferred: boolean;
}

/** All stations, in memory. The truth is the table `station`; entries change after their commit. */
export class StationDirectory {
  readonly #entries = new Map<string, Entry>();
  #sortedIds: readonly string[] | undefined;
  #pending = 0;

  /** Number of stations. */
  get size(): number {
    return this.#entries.size;
  }

  /** Number of stations that wait for approval. */
  get pending(): number {
    return this.#pending;
  }

  /** The station as the gateway sees it: Pending as well while its boot is put off (B02.FR.09). */
  known(stationId: string): KnownStation | undefined {
    return this.#entries.get(stationId)?.known;
  }

  find(stationId: string): Station | undefined {
    return this.#entries.get(stationId)?.station;
  }

  /** Stations in the order of their ids, from the one after `after`. */
  *after(after: string | undefined): Generator<Station> {
    const ids = this.#ids();
    for (let index = after === undefined ? 0 : firstAfter(ids, after); index < ids.length; index += 1) {
      const entry = this.#entries.get(ids[index] ?? "");
      if (entry !== undefined) yield entry.station;
    }
  }

  /** Puts a station in, or in place of the one with its id. */
  put(station: Station): void {
    const before = this.#entries.get(station.stationId);
    if (before === undefined) this.#sortedIds = undefined;
    this.#pending += waits(station) - waits(before?.station);
    this.#set(station, before?.deferred ?? false);
  }

  /** Changes the station as it is now. Nothing happens when it has been deleted meanwhile. */
  change(stationId: string, change: Partial<Station>): void {
    const entry = this.#entries.get(stationId);
    if (entry !== undefined) this.put({ ...entry.station, ...change });
  }

  /** Notes whether the station's last BootNotification was put off. */
  defer(stationId: string, deferred: boolean): void {
    const entry = this.#entries.get(stationId);
    if (entry !== undefined && entry.deferred !== deferred) this.#set(entry.station, deferred);
  }

  delete(stationId: string): void {
    const entry = this.#entries.get(stationId);
    if (entry === undefined) return;
    this.#pending -= waits(entry.station);
    this.#entries.delete(stationId);
    this.#sortedIds = undefined;
  }

  clear(): void {
    this.#entries.clear();
    this.#sortedIds = undefined;
    this.#pending = 0;
  }

  #ids(): readonly string[] {
    this.#sortedIds ??= [...this.#entries.keys()].sort(compare);
    return this.#sortedIds;
  }

  #set(station: Station, deferred: boolean): void {
    const { registrationStatus } = station;
    const known: KnownStation = {
      stationId: station.stationId,
      registrationStatus: deferred && registrationStatus === "Accepted" ? "Pending" : registrationStatus,
      securityProfile: station.securityProfile,
      configuredVersion: station.configuredVersion,
      serialNumber: station.serialNumber,
      vendorName: station.vendorName,
      model: station.model,
    };
    this.#entries.set(station.stationId, { station, known, deferred });
  }
}

const waits = (station: Station | undefined): number => (station?.registrationStatus === "Pending" ? 1 : 0);

/** Order by code units: the same on every machine, and the order of cursors. */
export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function firstAfter(ids: readonly string[], after: string): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(ids[middle] ?? "", after) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

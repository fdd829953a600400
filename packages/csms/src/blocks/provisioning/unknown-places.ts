import type { ElapsedMs } from "../../clock.ts";
import type { Station } from "./station.ts";

/** What {@link UnknownPlaces} works with. */
export interface UnknownPlacesOptions {
  /** Passing time. */
  readonly elapsedMs: ElapsedMs;
  /** Whether the station is connected now. */
  isConnected(stationId: string): boolean;
}

/** A station that somebody looked at keeps its place for this long. */
const LOOK_SERVES_MS = 3_600_000;

/**
 * Whether a station has a place among those that nobody knows: it waits for approval, and nobody has told anything of it
 * or asked anything of it.
 */
export function isUndescribed(station: Station | undefined): station is Station {
  return (
    station?.registrationStatus === "Pending" &&
    station.securityProfile === 0 &&
    station.site === undefined &&
    station.notes === undefined &&
    station.configuredVersion === undefined &&
    station.tags.length === 0
  );
}

/**
 * From which networks the stations came that wait for approval. When no place is free, a network that has fewer than
 * another may have one of the other's, so that no network can keep all others out. While places are free any network
 * may take as many as it likes: hundreds of honest stations stand behind one address.
 */
export class UnknownPlaces {
  readonly #options: UnknownPlacesOptions;
  readonly #networks = new Map<string, string>();
  /** Stations of a network, the oldest first. */
  readonly #stations = new Map<string, Set<string>>();
  readonly #looks = new Map<string, number>();

  constructor(options: UnknownPlacesOptions) {
    this.#options = options;
  }

  /** A station took a place. */
  take(stationId: string, network: string): void {
    this.leave(stationId);
    this.#networks.set(stationId, network);
    const stations = this.#stations.get(network) ?? new Set();
    this.#stations.set(network, stations.add(stationId));
  }

  /** The station is approved, rejected, described or gone. */
  leave(stationId: string): void {
    const network = this.#networks.get(stationId);
    if (network === undefined) return;
    this.#networks.delete(stationId);
    this.#looks.delete(stationId);
    const stations = this.#stations.get(network);
    stations?.delete(stationId);
    if (stations?.size === 0) this.#stations.delete(network);
  }

  /** Somebody looks at the station, and may be about to approve it. */
  look(stationId: string): void {
    if (this.#networks.has(stationId)) this.#looks.set(stationId, this.#options.elapsedMs());
  }

  clear(): void {
    this.#networks.clear();
    this.#stations.clear();
    this.#looks.clear();
  }

  /** Networks that have a place. */
  get networks(): number {
    return this.#stations.size;
  }

  /** Places of the network that has most. */
  get most(): number {
    return this.#largest().length;
  }

  /**
   * The station whose place a newcomer of this network may have, and which has lost it when this returns: of the network
   * that has most, the oldest that is not connected, or else the oldest. Undefined when no network has at least two more
   * places than the newcomer's, since then nothing would be fairer.
   */
  yield(network: string): string | undefined {
    const own = this.#stations.get(network)?.size ?? 0;
    const largest = this.#largest();
    if (largest.length < own + 2) return undefined;
    const free = largest.filter((stationId) => !this.#isLookedAt(stationId));
    const yielding = free.find((stationId) => !this.#options.isConnected(stationId)) ?? free[0];
    if (yielding !== undefined) this.leave(yielding);
    return yielding;
  }

  #largest(): readonly string[] {
    let largest: ReadonlySet<string> = new Set();
    for (const stations of this.#stations.values()) if (stations.size > largest.size) largest = stations;
    return [...largest];
  }

  #isLookedAt(stationId: string): boolean {
    const at = this.#looks.get(stationId);
    return at !== undefined && this.#options.elapsedMs() - at < LOOK_SERVES_MS;
  }
}

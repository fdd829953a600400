import type { OcppVersion } from "@polyphase/ocpp";
import type { Logger } from "pino";
import { type Clock, type ElapsedMs, systemElapsedMs } from "../../clock.ts";
import { DatabaseUnavailableError, type GroupCommit, type WriteUnit } from "../../database/write-unit.ts";
import type { KnownStation, KnownStations, RegistrationStatus, SecurityProfile } from "../../gateway/known-stations.ts";
import { peerNetwork } from "../../gateway/peer-network.ts";
import type { StationDeviations } from "../../gateway/tolerance/conduct.ts";
import { SerialTasks } from "../../serial-tasks.ts";
import { BootAdmission, withJitter } from "./boot-admission.ts";
import { type BootFacts, bootFactNames, newStation, type Station, type StationSettings } from "./station.ts";
import type { StationDirectory } from "./station-directory.ts";
import { bootRow, deleteStation, insertStation, settingsRow, updateBoot, updateSettings } from "./station-store.ts";
import { isUndescribed, UnknownPlaces } from "./unknown-places.ts";

/** What to do with a station that nobody has registered. */
export type UnknownStationPolicy = "reject" | "pending" | "accept";

/** Rules of provisioning that the operator of the system sets; all times in seconds. */
export interface ProvisioningRules {
  readonly unknownStations: UnknownStationPolicy;
  /** Given to accepted stations (B01.FR.04). */
  readonly heartbeatIntervalS: number;
  /** When a Pending station asks again. */
  readonly pendingRetryS: number;
  /** When a Rejected station asks again. */
  readonly rejectedRetryS: number;
  /** Boots in progress at once; more wait in line. */
  readonly bootsAtOnce: number;
  /** Boots in line; more are put off. */
  readonly bootsInLine: number;
  /** How long a boot stands in line at most. */
  readonly bootPatienceS: number;
  /** Boots that were put off and are asked back in one second. */
  readonly bootsBackPerS: number;
  /** Unknown stations that may wait for approval; beyond it a newcomer takes a place of the network that has most, or is turned away. */
  readonly mostPendingStations: number;
}

/** Rules that serve most. */
export const defaultRules: ProvisioningRules = {
  unknownStations: "pending",
  heartbeatIntervalS: 300,
  pendingRetryS: 60,
  rejectedRetryS: 600,
  bootsAtOnce: 100,
  bootsInLine: 10_000,
  bootPatienceS: 10,
  bootsBackPerS: 500,
  mostPendingStations: 10_000,
};

/** The answer to a BootNotification. */
export interface BootAnswer {
  readonly status: RegistrationStatus;
  readonly currentTime: Date;
  readonly intervalS: number;
}

/** Told of every boot that was accepted, after its commit. */
export type BootListener = (stationId: string, at: Date) => void;

/** Removes what a block keeps of a station, in the unit that removes the station; returns what to do after the commit. */
export type DeletionStep = (stationId: string, unit: WriteUnit) => () => void;

/** What {@link ProvisioningService} works with. */
export interface ProvisioningServiceOptions {
  readonly groupCommit: GroupCommit;
  readonly directory: StationDirectory;
  readonly clock: Clock;
  /** Passing time. Default: the machine's. */
  readonly elapsedMs?: ElapsedMs;
  readonly log: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly rules: ProvisioningRules;
  readonly deviations: StationDeviations;
  /** Connections of stations. */
  readonly connections: StationConnections;
}

/** Who is connected, and how that is ended. */
export interface StationConnections {
  has(stationId: string): boolean;
  end(stationId: string, reason: string): Promise<void>;
}

/** What became of stations that nobody knows. */
export interface UnknownStationCounts {
  /** They wait for approval. */
  readonly waiting: number;
  /** Networks that those are from of which nobody has said anything. */
  readonly networks: number;
  /** As many of them are from one network. */
  readonly mostOfOneNetwork: number;
  /** They were turned away since the start, for want of a place. */
  readonly turnedAway: number;
  /** They lost their places to newcomers of other networks since the start. */
  readonly displaced: number;
}

/** Which stations there are, which of them may do business, and what they told when they booted (block B). */
export class ProvisioningService implements KnownStations {
  readonly #options: ProvisioningServiceOptions;
  readonly #admission: BootAdmission;
  /** Changes of one station follow each other, so that each starts from the one before. */
  readonly #changes = new SerialTasks();
  readonly #bootListeners: BootListener[] = [];
  readonly #deletionSteps: DeletionStep[] = [];
  readonly #places: UnknownPlaces;
  /** Unknown stations that have a place, and whose record is being made; and those whose record is being removed for them. */
  #arriving = 0;
  #leaving = 0;
  #turnedAway = 0;
  #displaced = 0;

  constructor(options: ProvisioningServiceOptions) {
    const { random, rules } = options;
    this.#options = options;
    const limits = {
      concurrent: rules.bootsAtOnce,
      waiting: rules.bootsInLine,
      patienceMs: rules.bootPatienceS * 1_000,
      retryS: 5,
      returningPerS: rules.bootsBackPerS,
    };
    const elapsedMs = options.elapsedMs ?? systemElapsedMs;
    this.#admission = new BootAdmission(limits, random, elapsedMs);
    this.#places = new UnknownPlaces({ elapsedMs, isConnected: (stationId) => options.connections.has(stationId) });
  }

  /** What became of stations that nobody knows. */
  get unknownStations(): UnknownStationCounts {
    return {
      waiting: this.#options.directory.pending,
      networks: this.#places.networks,
      mostOfOneNetwork: this.#places.most,
      turnedAway: this.#turnedAway,
      displaced: this.#displaced,
    };
  }

  /** Notes from which addresses stations that wait came last, after the directory was read. */
  placeUnknown(addresses: ReadonlyMap<string, string>): void {
    this.#places.clear();
    const waiting = [...this.#options.directory.after(undefined)].filter(isUndescribed);
    for (const { stationId } of waiting.sort((one, other) => one.createdAt.getTime() - other.createdAt.getTime())) {
      this.#places.take(stationId, peerNetwork(addresses.get(stationId) ?? ""));
    }
  }

  /** Somebody looks at one station: it keeps its place for a while although nobody knows it yet. */
  lookedAt(stationId: string): void {
    this.#places.look(stationId);
  }

  find(stationId: string): KnownStation | undefined {
    return this.#options.directory.known(stationId);
  }

  /** The station, or undefined. */
  station(stationId: string): Station | undefined {
    return this.#options.directory.find(stationId);
  }

  onBoot(listener: BootListener): void {
    this.#bootListeners.push(listener);
  }

  onDeletion(step: DeletionStep): void {
    this.#deletionSteps.push(step);
  }

  async handleUnknown(stationId: string, facts: { readonly remoteAddress: string }): Promise<KnownStation | undefined> {
    const { directory, rules } = this.#options;
    if (rules.unknownStations === "reject") return undefined;
    return this.#changes.run(stationId, async () => {
      const known = directory.known(stationId);
      if (known !== undefined) return known;
      if (rules.unknownStations === "accept") return this.#register(stationId, facts, "Accepted");
      const network = peerNetwork(facts.remoteAddress);
      if (!(await this.#reservePlace(stationId, network))) return undefined;
      try {
        return await this.#register(stationId, facts, "Pending");
      } finally {
        this.#arriving -= 1;
        if (this.station(stationId) === undefined) this.#places.leave(stationId);
      }
    });
  }

  async #register(
    stationId: string,
    facts: { readonly remoteAddress: string },
    registrationStatus: RegistrationStatus,
  ): Promise<KnownStation | undefined> {
    await this.#create(newStation(stationId, this.#options.clock.now(), { registrationStatus }));
    this.#options.log.info({ stationId, ...facts, registrationStatus }, "unknown station registered");
    return this.#options.directory.known(stationId);
  }

  /** Reserves a place for a station that arrives, be it that of another. */
  async #reservePlace(stationId: string, network: string): Promise<boolean> {
    const { directory, rules, log } = this.#options;
    while (directory.pending - this.#leaving + this.#arriving >= rules.mostPendingStations) {
      const yielding = this.#places.yield(network);
      if (yielding === undefined) {
        this.#turnedAway += 1;
        log.warn({ stationId, network, limit: rules.mostPendingStations }, "too many stations wait for approval");
        return false;
      }
      if (await this.#displace(yielding, stationId, network)) return true;
    }
    this.#arriving += 1;
    this.#places.take(stationId, network);
    return true;
  }

  /** Gives the place of a station to another. False when it has been described meanwhile, and stays. */
  async #displace(stationId: string, by: string, network: string): Promise<boolean> {
    const { log, connections } = this.#options;
    this.#leaving += 1;
    this.#arriving += 1;
    // At once, so that others who arrive meanwhile count with it.
    this.#places.take(by, network);
    let isDeleted = false;
    try {
      isDeleted = await this.#changes.run(
        stationId,
        async () => isUndescribed(this.station(stationId)) && (await this.#delete(stationId)),
      );
    } finally {
      this.#leaving -= 1;
      if (!isDeleted) {
        this.#arriving -= 1;
        this.#places.leave(by);
      }
    }
    if (!isDeleted) return false;
    this.#displaced += 1;
    log.info({ stationId, by, network }, "an unknown station lost its place to another");
    // Not awaited: it may take its time, and the newcomer has its place.
    connections.end(stationId, "too many stations wait for approval").catch((error: unknown) => {
      log.warn({ err: error, stationId }, "a station that lost its place was not disconnected");
    });
    return true;
  }

  async setSecurityProfile(stationId: string, securityProfile: SecurityProfile): Promise<void> {
    await this.change(stationId, { securityProfile });
  }

  /** Answers a BootNotification (B01 to B03; 1.6 §4.2). */
  async boot(stationId: string, version: OcppVersion, facts: BootFacts, reason: string): Promise<BootAnswer> {
    const turn = await this.#admission.enter();
    // Without a word to the database: it is what this protects.
    if (!("end" in turn)) return this.#putOff(stationId, turn.retryS);
    try {
      return await this.#boot(stationId, version, facts, reason);
    } catch (error) {
      // An error would leave it to the station when it asks again, and all would ask at once.
      if (!(error instanceof DatabaseUnavailableError)) throw error;
      this.#options.log.warn({ stationId, err: error }, "a boot was put off: the database takes no writes");
      return this.#putOff(stationId, this.#admission.retryS());
    } finally {
      turn.end();
    }
  }

  #putOff(stationId: string, intervalS: number): BootAnswer {
    this.#options.directory.defer(stationId, true);
    this.#options.deviations.showed(stationId, "boot-put-off");
    return { status: "Pending", currentTime: this.#options.clock.now(), intervalS };
  }

  async #boot(stationId: string, version: OcppVersion, facts: BootFacts, reason: string): Promise<BootAnswer> {
    const { directory, clock, log, groupCommit } = this.#options;
    const station = directory.find(stationId);
    if (station === undefined) return this.#answer("Rejected");
    const at = clock.now();
    // A station that waits repeats its boot every minute; only news is worth a write.
    if (station.registrationStatus === "Accepted" || tellsNews(station, version, facts)) {
      const { vendorName, model } = facts;
      await groupCommit
        .unit()
        .add(updateBoot, bootRow(stationId, version, facts, at, reason))
        .publish({ type: "station.booted", stationId, timestamp: at, data: { reason, vendorName, model } })
        .commit();
      const cleared = Object.fromEntries(bootFactNames.map((name) => [name, facts[name]]));
      directory.change(stationId, { ...cleared, version, lastBootAt: at, lastBootReason: reason });
    }
    directory.defer(stationId, false);
    const status = directory.find(stationId)?.registrationStatus ?? "Rejected";
    log.info({ stationId, version, status, reason }, "station booted");
    if (status === "Accepted") for (const listener of this.#bootListeners) listener(stationId, at);
    return this.#answer(status);
  }

  #answer(status: RegistrationStatus): BootAnswer {
    const { rules, random, clock } = this.#options;
    const intervalS = {
      Accepted: rules.heartbeatIntervalS,
      Pending: withJitter(rules.pendingRetryS, random),
      Rejected: withJitter(rules.rejectedRetryS, random),
    }[status];
    return { status, currentTime: clock.now(), intervalS };
  }

  /**
   * Registers a station, or gives it the settings that follow from those it has; returns it and whether it is new.
   */
  async put(
    stationId: string,
    settingsOf: (existing: Station | undefined) => StationSettings,
  ): Promise<{ station: Station; created: boolean }> {
    return this.#changes.run(stationId, async () => {
      const existing = this.station(stationId);
      const settings = settingsOf(existing);
      if (existing !== undefined) return { station: await this.#store(existing, settings), created: false };
      const station = newStation(stationId, this.#options.clock.now(), settings);
      await this.#create(station);
      return { station, created: true };
    });
  }

  /** Changes some settings. Undefined when there is no such station. */
  async change(stationId: string, change: Partial<StationSettings>): Promise<Station | undefined> {
    return this.#changes.run(stationId, async () => {
      const station = this.station(stationId);
      return station === undefined ? undefined : this.#store(station, change);
    });
  }

  /** Lets a station do business; `by` names who decided. Undefined when there is no such station. */
  async approve(stationId: string, by: string): Promise<Station | undefined> {
    return this.#changes.run(stationId, async () => {
      const station = this.station(stationId);
      if (station === undefined || station.registrationStatus === "Accepted") return station;
      return this.#store(station, { registrationStatus: "Accepted" }, by);
    });
  }

  /** Forgets a station and what the blocks keep of it. False when there is no such station. */
  async delete(stationId: string): Promise<boolean> {
    return this.#changes.run(stationId, () => this.#delete(stationId));
  }

  async #delete(stationId: string): Promise<boolean> {
    if (this.station(stationId) === undefined) return false;
    const unit = this.#options.groupCommit.unit().add(deleteStation, { station_id: stationId });
    const afterCommit = this.#deletionSteps.map((step) => step(stationId, unit));
    unit.publish({ type: "station.deleted", stationId, timestamp: this.#options.clock.now(), data: {} });
    await unit.commit();
    this.#options.directory.delete(stationId);
    this.#places.leave(stationId);
    for (const step of afterCommit) step();
    return true;
  }

  async #create(station: Station): Promise<void> {
    const { stationId, createdAt, registrationStatus } = station;
    await this.#options.groupCommit
      .unit()
      .add(insertStation, { ...settingsRow(stationId, station), created_at: createdAt.toISOString() })
      .publish({ type: "station.registered", stationId, timestamp: createdAt, data: { registrationStatus } })
      .commit();
    this.#options.directory.put(station);
  }

  async #store(station: Station, change: Partial<StationSettings>, by?: string): Promise<Station> {
    const { stationId } = station;
    const unit = this.#options.groupCommit
      .unit()
      .add(updateSettings, settingsRow(stationId, { ...station, ...change }));
    if (by !== undefined) {
      unit.publish({ type: "station.approved", stationId, timestamp: this.#options.clock.now(), data: { by } });
    }
    await unit.commit();
    this.#options.directory.change(stationId, change);
    if (!isUndescribed(this.station(stationId))) this.#places.leave(stationId);
    return this.station(stationId) ?? { ...station, ...change };
  }
}

function tellsNews(station: Station, version: OcppVersion, facts: BootFacts): boolean {
  return station.version !== version || bootFactNames.some((name) => station[name] !== facts[name]);
}

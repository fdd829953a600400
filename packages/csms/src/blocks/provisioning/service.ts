import type { OcppVersion } from "@polyphase/ocpp";
import type { Logger } from "pino";
import { type Clock, type ElapsedMs, systemElapsedMs } from "../../clock.ts";
import { DatabaseUnavailableError, type GroupCommit, type WriteUnit } from "../../database/write-unit.ts";
import type { KnownStation, KnownStations, RegistrationStatus, SecurityProfile } from "../../gateway/known-stations.ts";
import type { StationDeviations } from "../../gateway/tolerance/conduct.ts";
import { SerialTasks } from "../../serial-tasks.ts";
import { BootAdmission, withJitter } from "./boot-admission.ts";
import { type BootFacts, bootFactNames, newStation, type Station, type StationSettings } from "./station.ts";
import type { StationDirectory } from "./station-directory.ts";
import { bootRow, deleteStation, insertStation, settingsRow, updateBoot, updateSettings } from "./station-store.ts";

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
  /** Unknown stations that may wait for approval; more are turned away. */
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
}

/** Which stations there are, which of them may do business, and what they told when they booted (block B). */
export class ProvisioningService implements KnownStations {
  readonly #options: ProvisioningServiceOptions;
  readonly #admission: BootAdmission;
  /** Changes of one station follow each other, so that each starts from the one before. */
  readonly #changes = new SerialTasks();
  readonly #bootListeners: BootListener[] = [];
  readonly #deletionSteps: DeletionStep[] = [];

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
    this.#admission = new BootAdmission(limits, random, options.elapsedMs ?? systemElapsedMs);
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
    const { directory, rules, log } = this.#options;
    if (rules.unknownStations === "reject") return undefined;
    return this.#changes.run(stationId, async () => {
      const known = directory.known(stationId);
      if (known !== undefined) return known;
      if (rules.unknownStations === "pending" && directory.pending >= rules.mostPendingStations) {
        log.warn({ stationId, ...facts, limit: rules.mostPendingStations }, "too many stations wait for approval");
        return undefined;
      }
      const registrationStatus = rules.unknownStations === "accept" ? "Accepted" : "Pending";
      await this.#create(newStation(stationId, this.#options.clock.now(), { registrationStatus }));
      log.info({ stationId, ...facts, registrationStatus }, "unknown station registered");
      return directory.known(stationId);
    });
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
    return this.#changes.run(stationId, async () => {
      if (this.station(stationId) === undefined) return false;
      const unit = this.#options.groupCommit.unit().add(deleteStation, { station_id: stationId });
      const afterCommit = this.#deletionSteps.map((step) => step(stationId, unit));
      unit.publish({ type: "station.deleted", stationId, timestamp: this.#options.clock.now(), data: {} });
      await unit.commit();
      this.#options.directory.delete(stationId);
      for (const step of afterCommit) step();
      return true;
    });
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
    return this.station(stationId) ?? { ...station, ...change };
  }
}

function tellsNews(station: Station, version: OcppVersion, facts: BootFacts): boolean {
  return station.version !== version || bootFactNames.some((name) => station[name] !== facts[name]);
}

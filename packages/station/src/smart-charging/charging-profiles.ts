import type { Clock, Timer } from "../clock.ts";
import { NOMINAL_VOLTAGE_V, type PowerLimit } from "../evse/electrical.ts";
import type { Journal } from "../storage/journal.ts";
import type { Session } from "../transactions/session.ts";
import { asPowerLimit, type ChargingProfile, limitAt, nextChange, stricter } from "./charging-profile.ts";

/** Which profiles are meant by ClearChargingProfile or GetChargingProfiles; absent fields match all. */
export interface ProfileFilter {
  readonly id?: number;
  readonly evseId?: number;
  readonly purpose?: string;
  readonly stackLevel?: number;
}

/** An installed profile; EVSE 0 is the whole station. */
export interface InstalledProfile {
  readonly evseId: number;
  readonly profile: ChargingProfile;
}

/** What profiles need from their station. */
export interface ProfileHost {
  readonly clock: Clock;
  stationTime(): number;
  readonly sessions: readonly Session[];
}

/** A composite schedule: what the profiles together allow over a stretch of time. */
export interface CompositeSchedule {
  readonly startAt: number;
  readonly durationS: number;
  readonly unit: "W" | "A";
  readonly periods: readonly {
    readonly startPeriodS: number;
    readonly limit: number;
    readonly numberPhases?: number;
  }[];
}

/** Keeps charging profiles and applies the limit that they give to each EVSE (K01 to K10; OCPP 1.6 §3.13). */
export class ChargingProfiles {
  static readonly maxStackLevel = 9;
  static readonly maxPeriods = 48;
  static readonly maxProfiles = 40;
  readonly #journal: Journal;
  readonly #host: ProfileHost;
  #installed: InstalledProfile[];
  #timer: Timer | undefined;

  constructor(journal: Journal, host: ProfileHost) {
    this.#journal = journal;
    this.#host = host;
    // A TxProfile belongs to a transaction that ended with the power.
    const stored = (journal.get("profiles") as InstalledProfile[] | undefined) ?? [];
    this.#installed = stored.filter(({ profile }) => profile.purpose !== "TxProfile");
  }

  get installed(): readonly InstalledProfile[] {
    return this.#installed;
  }

  /** Installs a profile in place of one with the same id, or the same level and purpose at the same EVSE. */
  install(evseId: number, profile: ChargingProfile): "Accepted" | "Rejected" {
    if (!this.#isPossible(evseId, profile)) return "Rejected";
    this.#installed = this.#installed.filter(
      (other) =>
        other.profile.id !== profile.id &&
        !(
          other.evseId === evseId &&
          other.profile.purpose === profile.purpose &&
          other.profile.stackLevel === profile.stackLevel
        ),
    );
    if (this.#installed.length >= ChargingProfiles.maxProfiles) return "Rejected";
    this.#installed.push({ evseId, profile });
    this.#changed();
    return "Accepted";
  }

  #isPossible(evseId: number, profile: ChargingProfile): boolean {
    const { schedule, stackLevel, purpose } = profile;
    if (stackLevel > ChargingProfiles.maxStackLevel || stackLevel < 0) return false;
    if (schedule.periods.length > ChargingProfiles.maxPeriods || schedule.periods[0]?.startPeriodS !== 0) return false;
    if (purpose === "ChargingStationMaxProfile") return evseId === 0 && profile.kind !== "Relative";
    if (evseId !== 0 && !this.#host.sessions.some((session) => session.evse.id === evseId)) return false;
    if (purpose !== "TxProfile") return true;
    const transaction = this.#host.sessions.find((session) => session.evse.id === evseId)?.transaction;
    if (transaction === undefined) return false;
    return profile.transactionId === undefined || profile.transactionId === transaction.id;
  }

  find(filter: ProfileFilter): readonly InstalledProfile[] {
    return this.#installed.filter(
      ({ evseId, profile }) =>
        (filter.id === undefined || filter.id === profile.id) &&
        (filter.evseId === undefined || filter.evseId === evseId) &&
        (filter.purpose === undefined || filter.purpose === profile.purpose) &&
        (filter.stackLevel === undefined || filter.stackLevel === profile.stackLevel),
    );
  }

  /** Removes profiles; returns whether there were any. */
  clear(filter: ProfileFilter): boolean {
    const gone = new Set(this.find(filter));
    if (gone.size === 0) return false;
    this.#installed = this.#installed.filter((installed) => !gone.has(installed));
    this.#changed();
    return true;
  }

  /** A transaction ended: its TxProfiles go with it. */
  transactionEnded(evseId: number): void {
    this.clear({ evseId, purpose: "TxProfile" });
  }

  /** Lets every EVSE take the limit that holds now. */
  #apply(): void {
    for (const session of this.#host.sessions) session.refresh();
    this.watch();
  }

  /** Sets the timer for the next moment at which a limit changes; call when a transaction started or ended too. */
  watch(): void {
    this.halt();
    if (this.#installed.length === 0) return;
    const at = this.#host.stationTime();
    let next = Number.POSITIVE_INFINITY;
    for (const session of this.#host.sessions) {
      const startedAt = session.transaction?.startedAt;
      for (const { profile } of this.#installed) next = Math.min(next, nextChange(profile, at, startedAt));
    }
    if (Number.isFinite(next)) this.#timer = this.#host.clock.setTimer(next - at, () => this.#apply());
  }

  halt(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** What an EVSE may draw at a moment: TxProfile before TxDefaultProfile, never more than the station's maximum. */
  limitOf(session: Session, at: number): PowerLimit {
    if (this.#installed.length === 0) return {};
    const evseId = session.evse.id;
    const startedAt = session.transaction?.startedAt;
    const own =
      this.#highest("TxProfile", [evseId], at, startedAt) ??
      this.#highest("TxDefaultProfile", [evseId], at, startedAt) ??
      this.#highest("TxDefaultProfile", [0], at, startedAt);
    const station = this.#highest("ChargingStationMaxProfile", [0], at, startedAt);
    return stricter(asPowerLimit(own), asPowerLimit(station));
  }

  #highest(purpose: string, evseIds: readonly number[], at: number, startedAt: number | undefined) {
    const candidates = this.#installed
      .filter(({ evseId, profile }) => profile.purpose === purpose && evseIds.includes(evseId))
      .sort((a, b) => b.profile.stackLevel - a.profile.stackLevel);
    for (const { profile } of candidates) {
      const limit = limitAt(profile, at, startedAt);
      if (limit !== undefined) return limit;
    }
    return undefined;
  }

  /** What the profiles allow at an EVSE from now on, in steps; the hardware's limit where they say nothing. */
  composite(session: Session, durationS: number, unit: "W" | "A"): CompositeSchedule {
    const startAt = this.#host.stationTime();
    const endAt = startAt + durationS * 1000;
    const periods: { startPeriodS: number; limit: number; numberPhases?: number }[] = [];
    const startedAt = session.transaction?.startedAt ?? startAt;
    for (let at = startAt; at < endAt && periods.length < 200; ) {
      const limit = this.#inUnit(session, this.limitOf(session, at), unit);
      if (periods.at(-1)?.limit !== limit) periods.push({ startPeriodS: Math.round((at - startAt) / 1000), limit });
      at = Math.min(...this.#installed.map(({ profile }) => nextChange(profile, at, startedAt)), endAt);
    }
    return { startAt, durationS, unit, periods };
  }

  #inUnit(session: Session, limit: PowerLimit, unit: "W" | "A"): number {
    const { supply } = session.evse;
    const phases = Math.min(supply.phases, limit.phases ?? supply.phases);
    const perPhaseW = NOMINAL_VOLTAGE_V * phases;
    const currentA = Math.min(supply.maxPowerW / perPhaseW, limit.currentA ?? Number.POSITIVE_INFINITY);
    const powerW = Math.min(supply.maxPowerW, limit.powerW ?? Number.POSITIVE_INFINITY, currentA * perPhaseW);
    return Math.round((unit === "W" ? powerW : powerW / perPhaseW) * 10) / 10;
  }

  #changed(): void {
    this.#journal.write({ set: { profiles: this.#installed } });
    this.#apply();
  }
}

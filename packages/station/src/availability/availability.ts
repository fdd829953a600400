import type { Journal } from "../storage/journal.ts";
import type { Session } from "../transactions/session.ts";

/** Answer to ChangeAvailability; the same words in every version. */
export type AvailabilityStatus = "Accepted" | "Rejected" | "Scheduled";

interface Stored {
  readonly station: boolean;
  readonly inoperative: readonly number[];
}

/** What ChangeAvailability has set, for the station and each EVSE, kept across restarts (G03, G04; OCPP 1.6 §5.2). */
export class Availability {
  readonly #journal: Journal;
  readonly #sessions: readonly Session[];
  readonly #changed: (session: Session) => void;
  #stationOperative = true;
  #stationInoperativeWhenIdle = false;

  constructor(journal: Journal, sessions: readonly Session[], changed: (session: Session) => void) {
    this.#journal = journal;
    this.#sessions = sessions;
    this.#changed = changed;
  }

  /** Whether the station as a whole is operative. */
  get stationOperative(): boolean {
    return this.#stationOperative;
  }

  /** Takes up what the journal remembers. */
  restore(): void {
    const stored = this.#journal.get("availability") as Stored | undefined;
    if (stored === undefined) return;
    this.#stationOperative = stored.station;
    for (const session of this.#sessions) session.evse.operative = !stored.inoperative.includes(session.evse.id);
    for (const session of this.#sessions) this.#changed(session);
  }

  /** Changes one EVSE; while it charges, switching off waits for the end of the transaction (G03.FR.05). */
  changeEvse(session: Session, operative: boolean): AvailabilityStatus {
    if (!operative && session.evse.operative && session.transaction !== undefined) {
      session.inoperativeWhenIdle = true;
      return "Scheduled";
    }
    session.inoperativeWhenIdle = false;
    session.evse.operative = operative;
    this.save();
    this.#changed(session);
    return "Accepted";
  }

  /** Changes the station; EVSEs keep their own setting and show it again later (G04.FR.08). */
  changeStation(operative: boolean): AvailabilityStatus {
    const charging = this.#sessions.some((session) => session.transaction !== undefined);
    if (!operative && this.#stationOperative && charging) {
      this.#stationInoperativeWhenIdle = true;
      return "Scheduled";
    }
    this.#stationInoperativeWhenIdle = false;
    this.#setStation(operative);
    return "Accepted";
  }

  #setStation(operative: boolean): void {
    this.#stationOperative = operative;
    this.save();
    for (const session of this.#sessions) this.#changed(session);
  }

  /** Carries out what waited for the end of a transaction, and remembers. */
  save(): void {
    const charging = this.#sessions.some((session) => session.transaction !== undefined);
    if (this.#stationInoperativeWhenIdle && !charging) {
      this.#stationInoperativeWhenIdle = false;
      this.#setStation(false);
      return;
    }
    const inoperative = this.#sessions.filter(({ evse }) => !evse.operative).map(({ evse }) => evse.id);
    const stored: Stored = { station: this.#stationOperative, inoperative };
    if (
      JSON.stringify(this.#journal.get("availability") ?? { station: true, inoperative: [] }) === JSON.stringify(stored)
    )
      return;
    this.#journal.write({ set: { availability: stored } });
  }
}

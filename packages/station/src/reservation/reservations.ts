import { type IdToken, isSameToken, type TokenStanding } from "../authorization/id-token.ts";
import type { Clock, Timer } from "../clock.ts";
import type { Journal } from "../storage/journal.ts";
import type { Session } from "../transactions/session.ts";

/** A held EVSE. */
export interface Reservation {
  readonly id: number;
  readonly evseId: number;
  readonly token: IdToken;
  readonly groupToken?: IdToken;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Answer to ReserveNow; the same words in every version. */
export type ReserveStatus = "Accepted" | "Faulted" | "Occupied" | "Rejected" | "Unavailable";

/** What reservations need from their station. */
export interface ReservationHost {
  readonly clock: Clock;
  stationTime(): number;
  session(evseId: number): Session | undefined;
  statusChanged(session: Session): void;
  /** A reservation ended without being used. */
  ended(reservation: Reservation, how: "Expired" | "Removed"): void;
}

/** Reservations of single EVSEs, kept across restarts (H01 to H04; OCPP 1.6 §3.11). */
export class Reservations {
  readonly #journal: Journal;
  readonly #host: ReservationHost;
  readonly #byId = new Map<number, { readonly reservation: Reservation; readonly timer: Timer }>();

  constructor(journal: Journal, host: ReservationHost) {
    this.#journal = journal;
    this.#host = host;
  }

  /** Takes up what the journal remembers; call once the sessions exist. */
  restore(): void {
    for (const reservation of (this.#journal.get("reservations") as Reservation[] | undefined) ?? []) {
      const session = this.#host.session(reservation.evseId);
      if (session === undefined || reservation.expiresAt <= this.#host.stationTime()) continue;
      this.#add(reservation, session);
    }
  }

  /** Reserves an EVSE, or changes the reservation with the same id (H01.FR.02). */
  reserve(reservation: Reservation): ReserveStatus {
    const session = this.#host.session(reservation.evseId);
    if (session === undefined || reservation.expiresAt <= this.#host.stationTime()) return "Rejected";
    if (session.evse.fault !== undefined) return "Faulted";
    if (!session.usable) return "Unavailable";
    const busy = session.evse.plugged || session.authorization !== undefined || session.transaction !== undefined;
    if (busy || (session.reservationId !== undefined && session.reservationId !== reservation.id)) return "Occupied";
    this.#remove(reservation.id);
    this.#add(reservation, session);
    this.#save();
    return "Accepted";
  }

  /** Whether there was such a reservation. */
  cancel(id: number): boolean {
    const found = this.#remove(id);
    if (found) this.#save();
    return found;
  }

  /** The reservation that holds an EVSE. */
  of(evseId: number): Reservation | undefined {
    for (const { reservation } of this.#byId.values()) if (reservation.evseId === evseId) return reservation;
    return undefined;
  }

  /** Whether a token may use the EVSE as far as reservations go (H03). */
  allows(evseId: number, token: IdToken, standing: TokenStanding | undefined): boolean {
    const reservation = this.of(evseId);
    if (reservation === undefined || isSameToken(reservation.token, token)) return true;
    const group = standing?.groupIdToken;
    return reservation.groupToken !== undefined && group !== undefined && isSameToken(reservation.groupToken, group);
  }

  /** The driver for whom the EVSE was held has come; returns the id to report. */
  use(evseId: number): number | undefined {
    const reservation = this.of(evseId);
    if (reservation === undefined) return undefined;
    this.#remove(reservation.id);
    this.#save();
    return reservation.id;
  }

  /** The EVSE cannot be used any more: its reservation ends (H01.FR.16, H01.FR.17). */
  drop(evseId: number): void {
    const reservation = this.of(evseId);
    if (reservation === undefined) return;
    this.#remove(reservation.id);
    this.#save();
    this.#host.ended(reservation, "Removed");
  }

  /** Ends the timers; the reservations stay in the journal. */
  halt(): void {
    for (const { timer } of this.#byId.values()) timer.cancel();
    this.#byId.clear();
  }

  #add(reservation: Reservation, session: Session): void {
    const remainingMs = reservation.expiresAt - this.#host.stationTime();
    const timer = this.#host.clock.setTimer(remainingMs, () => {
      this.#remove(reservation.id);
      this.#save();
      this.#host.ended(reservation, "Expired");
    });
    this.#byId.set(reservation.id, { reservation, timer });
    session.reservationId = reservation.id;
    this.#host.statusChanged(session);
  }

  #remove(id: number): boolean {
    const found = this.#byId.get(id);
    if (found === undefined) return false;
    found.timer.cancel();
    this.#byId.delete(id);
    const session = this.#host.session(found.reservation.evseId);
    if (session !== undefined) {
      session.reservationId = undefined;
      this.#host.statusChanged(session);
    }
    return true;
  }

  #save(): void {
    this.#journal.write({ set: { reservations: [...this.#byId.values()].map(({ reservation }) => reservation) } });
  }
}

import type { Timer } from "./clock.ts";
import { nextArrival } from "./electric-vehicle/arrivals.ts";
import { ElectricVehicle } from "./electric-vehicle/electric-vehicle.ts";
import type { SiteKind } from "./electric-vehicle/site-profiles.ts";
import { pickVehicleModel } from "./electric-vehicle/vehicle-model.ts";
import { type Random, seededRandom } from "./random.ts";
import type { SimulatedStation } from "./simulated-station.ts";

/** Who comes to a station, when, and with which tokens. */
export interface Visitors {
  readonly site: SiteKind;
  /** Tokens that drivers present; each visit takes one of them. At least one. */
  readonly tokens: readonly string[];
  /** Multiplies the arrivals of the site; 1 by default. */
  readonly busyness?: number;
  /** Hours of the day follow UTC plus these minutes; 0 by default. */
  readonly utcOffsetMinutes?: number;
  readonly seed?: string | number;
}

/** How long a driver takes between parking, plugging in and presenting the token, in seconds. */
const HANDLING_S = { least: 5, most: 40 } as const;

/** Share of drivers who present the token before they plug in. */
const TOKEN_FIRST = 0.3;

/** Lets drivers come to every EVSE of a station as on a believable day: park, plug in, charge, stop and leave. */
export class VisitorTraffic {
  readonly #station: SimulatedStation;
  readonly #visitors: Visitors;
  readonly #random: Random;
  readonly #timers = new Map<number, Timer>();
  #running = false;

  /** @throws RangeError when there are no tokens */
  constructor(station: SimulatedStation, visitors: Visitors) {
    if (visitors.tokens.length === 0) throw new RangeError("drivers need at least one token");
    this.#station = station;
    this.#visitors = visitors;
    this.#random = seededRandom(`${visitors.seed ?? station.id}/visitors of ${station.id}`);
  }

  /** The first drivers are on their way. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    for (const evseId of this.#station.evseIds) this.#awaitNext(evseId);
  }

  /** Nobody comes or leaves any more. */
  stop(): void {
    this.#running = false;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #after(evseId: number, delayMs: number, next: () => void | Promise<void>): void {
    if (!this.#running) return;
    const timer = this.#station.clock.setTimer(delayMs, () => {
      if (!this.#running) return;
      // What a driver cannot do (an EVSE just taken, a station just switched off) ends the visit.
      (async () => next())().catch(() => this.#awaitNext(evseId));
    });
    this.#timers.set(evseId, timer);
  }

  #awaitNext(evseId: number): void {
    const now = this.#station.clock.now();
    const { site, busyness, utcOffsetMinutes } = this.#visitors;
    const arrival = nextArrival(this.#random, site, now, {
      ...(busyness === undefined ? {} : { busyness }),
      ...(utcOffsetMinutes === undefined ? {} : { utcOffsetMinutes }),
    });
    this.#after(evseId, arrival.at - now, () => {
      if (this.#station.evse(evseId).plugged) return this.#awaitNext(evseId);
      const vehicle = new ElectricVehicle({
        model: pickVehicleModel(this.#random),
        socPercent: arrival.socPercent,
        targetSocPercent: this.#random.next() < 0.6 ? 100 : Math.max(arrival.socPercent, 80),
      });
      this.#visit(evseId, vehicle, this.#random.pick(this.#visitors.tokens), arrival.stayS);
    });
  }

  #handlingMs(): number {
    return this.#random.between(HANDLING_S.least, HANDLING_S.most) * 1000;
  }

  #visit(evseId: number, vehicle: ElectricVehicle, token: string, stayS: number): void {
    const stay = () => this.#after(evseId, stayS * 1000, () => this.#leave(evseId, token));
    const present = () => this.#station.presentIdToken(evseId, token);
    if (this.#random.next() < TOKEN_FIRST) {
      this.#after(evseId, this.#handlingMs(), async () => {
        if ((await present()) === "Refused") return this.#awaitNext(evseId);
        this.#after(evseId, this.#handlingMs(), () => {
          this.#station.plugIn(evseId, vehicle);
          stay();
        });
      });
      return;
    }
    this.#station.plugIn(evseId, vehicle);
    this.#after(evseId, this.#handlingMs(), async () => {
      const outcome = await present();
      // A driver whose token is refused looks for another place.
      if (outcome === "Refused") return this.#depart(evseId);
      stay();
    });
  }

  async #leave(evseId: number, token: string): Promise<void> {
    if (this.#station.evse(evseId).authorizedToken?.idToken === token) {
      await this.#station.presentIdToken(evseId, token);
    }
    this.#after(evseId, this.#handlingMs(), () => this.#depart(evseId));
  }

  #depart(evseId: number): void {
    this.#station.unplug(evseId);
    this.#awaitNext(evseId);
  }
}

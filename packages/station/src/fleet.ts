import { setMaxListeners } from "node:events";
import { ScaledClock } from "./clock.ts";
import { seededRandom } from "./random.ts";
import { SimulatedStation } from "./simulated-station.ts";
import type { SimulatedStationOptions } from "./simulated-station-options.ts";
import { type Visitors, VisitorTraffic } from "./visitor-traffic.ts";

/** A number of stations that are alike. */
export interface FleetOptions extends Omit<SimulatedStationOptions, "id" | "clock" | "storage"> {
  /** Identity of a single station; of many, the part before the number: CS-1, CS-2 … */
  readonly id: string;
  readonly count: number;
  /** Simulated time of all stations; an own {@link ScaledClock} with `timeScale` by default. */
  readonly clock?: ScaledClock;
  /** Drivers who come by themselves. */
  readonly visitors?: Visitors;
  /** Stations that connect and boot at the same time; 50 by default. */
  readonly concurrentStarts?: number;
}

/** Many simulated stations in one process: one clock, one set of timers, a start in step. */
export class Fleet {
  readonly stations: readonly SimulatedStation[];
  readonly clock: ScaledClock;
  readonly #ownsClock: boolean;
  readonly #traffic: readonly VisitorTraffic[];
  readonly #concurrentStarts: number;
  readonly #stopping = new AbortController();

  /** @throws RangeError when `count` is not a whole number above 0 */
  constructor(options: FleetOptions) {
    const { id, count, clock, visitors, concurrentStarts, timeScale, ...station } = options;
    if (!Number.isInteger(count) || count < 1) throw new RangeError(`a fleet has at least one station, not ${count}`);
    this.#ownsClock = clock === undefined;
    this.clock = clock ?? new ScaledClock({ scale: timeScale ?? 1 });
    this.#concurrentStarts = concurrentStarts ?? 50;
    this.stations = Array.from({ length: count }, (_, index) => {
      return new SimulatedStation({
        synchronizeClock: this.#ownsClock && this.clock.scale === 1,
        ledgerSize: 0,
        ...station,
        clock: this.clock,
        id: count === 1 ? id : `${id}-${index + 1}`,
      });
    });
    this.#traffic =
      visitors === undefined
        ? []
        : this.stations.map(
            (each) => new VisitorTraffic(each, { seed: options.seed ?? seededRandom(id).next(), ...visitors }),
          );
  }

  /**
   * Starts all stations, a few at a time, and resolves when all are registered.
   *
   * @param options.signal ends the wait; stations that were started stay so until {@link stop}
   * @throws the signal's reason
   */
  async start(
    options: { readonly signal?: AbortSignal; readonly onRegistered?: (station: SimulatedStation) => void } = {},
  ): Promise<void> {
    const waiting = [...this.stations.entries()];
    const signal = AbortSignal.any([this.#stopping.signal, ...(options.signal === undefined ? [] : [options.signal])]);
    // Every station that is waiting listens; that is no leak.
    setMaxListeners(0, signal);
    const worker = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [index, station] = next;
        await station.start({ signal });
        options.onRegistered?.(station);
        this.#traffic[index]?.start();
      }
    };
    const workers = Math.min(this.#concurrentStarts, waiting.length);
    await Promise.all(Array.from({ length: workers }, worker));
  }

  /** Stops the drivers and switches all stations off. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the fleet was stopped"));
    for (const traffic of this.#traffic) traffic.stop();
    await Promise.all(this.stations.map((station) => station.stop()));
    if (this.#ownsClock) this.clock.stop();
  }
}

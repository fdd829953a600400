import type { ChargingFleet } from "./charging-fleet.ts";
import type { CuttableRelay } from "./cuttable-relay.ts";
import type { SoakedCsms } from "./soaked-csms.ts";

/** What faults happen to. */
export interface FaultTargets {
  readonly csms: SoakedCsms;
  readonly relay: CuttableRelay;
  readonly fleet: ChargingFleet;
  readonly random: () => number;
}

/** How often each fault came. */
export type FaultCounts = Readonly<Record<string, number>>;

interface Fault {
  readonly name: string;
  /** How often it comes in proportion to others. */
  readonly weight: number;
  happen(targets: FaultTargets): Promise<unknown>;
}

const wait = (timeMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, timeMs));

const faults: readonly Fault[] = [
  {
    name: "connections cut",
    weight: 6,
    happen: ({ relay, random }) => Promise.resolve(relay.cut(0.3, random)),
  },
  {
    // The CSMS stores what the station believes unanswered, and sends again: duplicates.
    name: "answers withheld",
    weight: 6,
    happen: ({ relay, random }) => relay.deafen(0.3, random, 1_000 + random() * 7_000),
  },
  {
    name: "reconnect storm",
    weight: 2,
    happen: async ({ relay, random }) => {
      relay.shut();
      await wait(500 + random() * 3_000);
      relay.open();
    },
  },
  {
    name: "station offline, late delivery",
    weight: 5,
    happen: ({ fleet, random }) => fleet.disconnectOne(2_000 + random() * 20_000),
  },
  { name: "CSMS killed", weight: 3, happen: ({ csms }) => csms.killAndStart() },
  { name: "PostgreSQL killed", weight: 2, happen: ({ csms }) => csms.killDatabase() },
];

/** Lets faults happen one after the other, with pauses, until it is ended. */
export class FaultSchedule {
  readonly #targets: FaultTargets;
  readonly #counts = new Map<string, number>();
  readonly #under = new Set<Promise<unknown>>();
  #isOver = false;

  constructor(targets: FaultTargets) {
    this.#targets = targets;
  }

  get counts(): FaultCounts {
    return Object.fromEntries([...this.#counts].sort());
  }

  /** Resolves when the last fault is over. @throws what a fault throws: the CSMS did not come back */
  async run(): Promise<void> {
    const { random } = this.#targets;
    while (!this.#isOver) {
      await this.#pause(1_500 + random() * 6_000);
      if (this.#isOver) break;
      const fault = this.#choose();
      this.#counts.set(fault.name, (this.#counts.get(fault.name) ?? 0) + 1);
      // A slow fault may be under way while the next one comes, but the CSMS is started by one at a time.
      const happening = fault.happen(this.#targets);
      if (fault.name === "CSMS killed") await happening;
      else this.#keep(happening);
    }
    await Promise.all(this.#under);
  }

  end(): void {
    this.#isOver = true;
  }

  #keep(happening: Promise<unknown>): void {
    this.#under.add(happening);
    void happening.finally(() => this.#under.delete(happening)).catch(() => undefined);
  }

  #choose(): Fault {
    let die = this.#targets.random() * faults.reduce((sum, { weight }) => sum + weight, 0);
    for (const fault of faults) {
      die -= fault.weight;
      if (die < 0) return fault;
    }
    throw new RangeError("a random number was not below 1");
  }

  async #pause(timeMs: number): Promise<void> {
    const until = performance.now() + timeMs;
    while (performance.now() < until && !this.#isOver) await wait(100);
  }
}

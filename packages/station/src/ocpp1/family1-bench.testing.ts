import { Bench } from "../counterpart-csms.testing.ts";
import type { SimulatedStationOptions } from "../simulated-station-options.ts";

/** A bench whose station speaks 1.6 and has two connectors. */
export class Family1Bench extends Bench {
  constructor(options: Partial<SimulatedStationOptions> = {}) {
    super("1.6", { evses: 2, ...options });
  }

  /** Every status that connector 1 had, once the station has nothing more to say. */
  async statuses(): Promise<unknown[]> {
    await this.station.settled();
    return this.csms
      .all("StatusNotification")
      .filter((payload) => payload.connectorId === 1)
      .map((payload) => payload.status);
  }

  /** A vehicle is plugged in at connector 1 and takes energy. */
  async charge(): Promise<void> {
    this.station.plugIn(1, { socPercent: 20 });
    await this.station.presentIdToken(1, "TAG1");
    await this.station.settled();
  }

  /** Moves the clock without waiting for the station to settle. */
  async tick(durationMs: number): Promise<void> {
    const { station } = this;
    const settled = station.settled.bind(station);
    station.settled = () =>
      new Promise((resolve) => {
        setTimeout(resolve, 1);
      });
    await this.clock.advance(durationMs);
    station.settled = settled;
  }
}

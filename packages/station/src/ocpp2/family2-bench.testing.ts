import { Bench } from "../counterpart-csms.testing.ts";
import type { SimulatedStationOptions } from "../simulated-station-options.ts";

/** A TransactionEvent, as far as tests look at it. */
export interface SentEvent {
  readonly eventType: string;
  readonly triggerReason: string;
  readonly seqNo: number;
  readonly offline?: boolean;
  readonly evse?: { readonly id: number; readonly connectorId?: number };
  readonly idToken?: { readonly idToken: string };
  readonly transactionInfo: {
    readonly transactionId: string;
    readonly chargingState: string;
    readonly stoppedReason?: string;
    readonly remoteStartId?: number;
  };
  readonly meterValue?: readonly { readonly sampledValue: readonly { readonly context: string }[] }[];
}

/** A bench whose station speaks 2.x. */
export class Family2Bench extends Bench {
  constructor(version: "2.0.1" | "2.1" = "2.0.1", options: Partial<SimulatedStationOptions> = {}) {
    super(version, { evses: 2, ...options });
  }

  /** The transaction events that were sent, once the station has nothing more to say. */
  async events(): Promise<SentEvent[]> {
    await this.station.settled();
    return this.csms.all("TransactionEvent") as unknown as SentEvent[];
  }

  /** Type, trigger and charging state of every event. */
  async outline(): Promise<string[]> {
    return (await this.events()).map(
      (event) => `${event.eventType} ${event.triggerReason} ${event.transactionInfo.chargingState}`,
    );
  }

  /** A whole visit: plug in, token, some energy, token, unplug. */
  async visit(): Promise<void> {
    this.station.arrive(1);
    this.station.plugIn(1, { socPercent: 20 });
    await this.station.presentIdToken(1, "TAG1");
    await this.clock.advance(20_000);
    await this.station.presentIdToken(1, "TAG1");
    this.station.unplug(1);
  }
}

/** A variable as messages name it. */
export const actual = (component: string, variable: string, instance?: string) => ({
  component: { name: component },
  variable: { name: variable, ...(instance === undefined ? {} : { instance }) },
});

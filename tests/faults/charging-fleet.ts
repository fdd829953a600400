import {
  type Random,
  ScaledClock,
  SimulatedStation,
  type StationVersion,
  stationVersions,
  type TransactionEvent,
} from "@polyphase/station";
import { expect } from "vitest";
import { callApi, eventually, type Item, listAll, stationUrl } from "../system/running-csms.ts";

/** Where a fleet finds its CSMS. */
export interface CsmsAddress {
  readonly httpUrl: string;
  readonly ocppPort: number;
}

/** A charge as its station saw it. */
interface Charge {
  readonly startedAtMs: number;
  readonly meterStartWh: number;
  meterStopWh: number;
}

interface Member {
  readonly station: SimulatedStation;
  readonly version: StationVersion;
  /** By the station's own transaction id, in the order of their beginning. */
  readonly charges: Map<string, Charge>;
}

/** Simulated seconds per second. */
const SCALE = 60;

/** Stations of every version that charge all the time, and books of what they saw to compare a CSMS with. */
export class ChargingFleet {
  readonly #clock = new ScaledClock({ scale: SCALE, startAt: Date.UTC(2026, 2, 1, 12) });
  readonly #members: Member[] = [];
  readonly #csms: CsmsAddress;
  readonly #random: Random;
  #beginning: Promise<unknown> | undefined;

  /** @param each how many stations of each version */
  constructor(csms: CsmsAddress, random: Random, each: number) {
    this.#csms = csms;
    this.#random = random;
    for (const version of stationVersions) {
      for (let number = 1; number <= each; number++) this.#members.push(this.#member(`${version}-${number}`, version));
    }
  }

  #member(id: string, version: StationVersion): Member {
    const station = new SimulatedStation({
      id,
      version,
      csmsUrl: stationUrl(version, this.#csms.ocppPort),
      clock: this.#clock,
      synchronizeClock: false,
      callTimeoutMs: 10_000,
      backOff: { waitMinimumMs: 50, randomRangeMs: 100, repeatTimes: 1 },
      // What fails is tried again until it is taken. Clock-aligned values are no transaction messages in 1.x, so the
      // books would not have them.
      settings: { txUpdatedIntervalS: 20, alignedIntervalS: 0, messageAttempts: 1_000, messageAttemptIntervalS: 3 },
    });
    const charges = new Map<string, Charge>();
    const told = ({ transactionId, meterWh }: TransactionEvent) => {
      const charge = charges.get(transactionId);
      if (charge !== undefined) charge.meterStopWh = meterWh;
    };
    station.on("transactionStarted", ({ transactionId, at, meterWh }) => {
      charges.set(transactionId, { startedAtMs: at, meterStartWh: meterWh, meterStopWh: meterWh });
    });
    station.on("transactionUpdated", told).on("transactionEnded", told);
    return { station, version, charges };
  }

  /** Registers the token and lets every station boot and begin to charge. */
  async start(): Promise<void> {
    await callApi(this.#csms.httpUrl, "PUT", "/id-tokens/TAG1", { type: "ISO14443", status: "Accepted" });
    await Promise.all(this.#members.map(({ station }) => station.start()));
    await Promise.all(this.#members.map(({ station }) => begin(station)));
  }

  /** Messages that the CSMS answered as taken. */
  get acknowledged(): number {
    return this.#members.reduce(
      (sum, { station }) => sum + station.ledger.filter(({ outcome }) => outcome === "acknowledged").length,
      0,
    );
  }

  /** Resolves while a message has been sent that nobody has answered yet. */
  async underWay(): Promise<void> {
    await eventually("a message that waits for its answer", () => {
      this.#chargeSomewhere();
      return this.#members.some(({ station }) =>
        station.ledger.some(({ outcome, attempts }) => outcome === "pending" && attempts > 0),
      )
        ? true
        : undefined;
    });
  }

  /** Resolves when so many more messages were acknowledged. */
  async progress(messages: number): Promise<void> {
    const before = this.acknowledged;
    // One station alone may be charging, which tells three messages a second at most.
    const patienceMs = 180_000;
    const isReached = () => {
      this.#chargeSomewhere();
      return this.acknowledged >= before + messages ? true : undefined;
    };
    await eventually(`${messages} more acknowledged messages`, isReached, patienceMs);
  }

  /** Drivers who left, or were refused while nothing could be judged, may have left every station idle. */
  #chargeSomewhere(): void {
    if (this.#members.some(({ station }) => station.evse(1).transaction !== undefined)) return;
    this.#beginning ??= Promise.all(
      this.#members.map(({ station }) => {
        station.unplug(1);
        return begin(station);
      }),
    ).finally(() => {
      this.#beginning = undefined;
    });
  }

  /** Drivers come and go at some stations, so that not only meter values are under way. */
  stir(): void {
    for (const { station } of this.#members) {
      if (this.#random.next() < 0.75) continue;
      // A token that cannot be judged now is refused, which is a driver's trouble and not an account's.
      if (station.evse(1).plugged) station.unplug(1);
      else void begin(station);
    }
  }

  /** Ends all charges and resolves when every message was taken. */
  async settle(): Promise<void> {
    for (const { station } of this.#members) station.unplug(1);
    await Promise.all(this.#members.map(({ station }) => station.drained()));
  }

  /** Compares the books of all stations with those of the CSMS, charge by charge and message by message. */
  async expectKept(): Promise<void> {
    for (const { station, charges } of this.#members) {
      expect(station.ledger.filter(({ outcome }) => outcome !== "acknowledged")).toEqual([]);
      const listed = await listAll(this.#csms.httpUrl, `/transactions?stationId=${station.id}`);
      listed.sort((first, second) => Date.parse(String(first.startedAt)) - Date.parse(String(second.startedAt)));
      const kept = listed.map(({ startedAt, status, energyWh }) => ({ startedAt, status, energyWh }));
      expect(kept, station.id).toEqual(
        [...charges.values()].map(({ startedAtMs, meterStartWh, meterStopWh }) => ({
          startedAt: new Date(startedAtMs).toISOString(),
          status: "Ended",
          energyWh: meterStopWh - meterStartWh,
        })),
      );
      for (const [index, transactionId] of [...charges.keys()].entries()) {
        const sent = station.ledger.filter((entry) => entry.transactionId === transactionId);
        const events = await listAll(this.#csms.httpUrl, `/transactions/${listed[index]?.id}/events`);
        expect(events.map(momentOf).sort(), station.id).toEqual(sent.map(({ payload }) => sentMoment(payload)).sort());
      }
      await this.#expectToldOnce(station.id, charges.size);
    }
  }

  /** Subscribers heard of each start and end once. */
  async #expectToldOnce(stationId: string, charges: number): Promise<void> {
    for (const type of ["transaction.started", "transaction.ended"]) {
      const told = await listAll(this.#csms.httpUrl, `/events?type=${type}&stationId=${stationId}`);
      expect(told.length, `${type} of ${stationId}`).toBe(charges);
    }
  }

  /** Switches every station off. */
  async stop(): Promise<void> {
    await Promise.all(this.#members.map(({ station }) => station.stop()));
    this.#clock.stop();
  }
}

async function begin(station: SimulatedStation): Promise<void> {
  station.plugIn(1, { socPercent: 5 });
  await station.presentIdToken(1, "TAG1");
}

/** Time and number of an event in the API. */
function momentOf({ timestamp, seqNo }: Item): string {
  return `${Date.parse(String(timestamp))} ${seqNo ?? ""}`;
}

interface SentPayload {
  readonly timestamp?: string;
  readonly seqNo?: number;
  /** 1.5 and 1.6 name them differently. */
  readonly meterValue?: readonly { readonly timestamp: string }[];
  readonly values?: readonly { readonly timestamp: string }[];
}

/** Time and number of the event that a message of any version tells. */
function sentMoment(payload: unknown): string {
  const { timestamp, seqNo, meterValue, values } = payload as SentPayload;
  const measured = (meterValue ?? values ?? []).map((value) => Date.parse(value.timestamp));
  return `${timestamp === undefined ? Math.max(...measured) : Date.parse(timestamp)} ${seqNo ?? ""}`;
}

import { ScaledClock, SimulatedStation, stationVersions } from "@polyphase/station";
import { stationUrl } from "../../tests/system/running-csms.ts";
import { balanceMessages, type ChargeBalance, type SentMessage } from "./ledger.ts";
import type { SoakedCsms } from "./soaked-csms.ts";

/** Simulated seconds in a real one. */
const TIME_SCALE = 60;
const TOKEN = "SOAK";

/** A charge as it happened at the station. */
interface Charge {
  readonly station: SimulatedStation;
  /** The station's own id of the transaction. */
  readonly ownId: string;
  readonly trueWh: number;
}

interface LedgerPayload {
  readonly timestamp?: string;
  readonly seqNo?: number;
  readonly meterValue?: readonly { readonly timestamp?: string }[];
  readonly values?: readonly { readonly timestamp?: string }[];
}

interface ShownTransaction {
  readonly id: string;
  readonly transactionId: string;
  readonly energyWh?: number;
}

interface ShownEvent {
  readonly eventType: string;
  readonly timestamp: string;
  readonly seqNo?: number;
}

/** Waits, in real time. */
const wait = (timeMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, timeMs));

/** Simulated stations of every version whose drivers come and go until they are told to stop. */
export class ChargingFleet {
  readonly stations: readonly SimulatedStation[];
  readonly #clock: ScaledClock;
  readonly #random: () => number;
  readonly #charges: Charge[] = [];
  #isOver = false;

  constructor(port: number, count: number, seed: number, random: () => number) {
    this.#random = random;
    this.#clock = new ScaledClock({ scale: TIME_SCALE, startAt: Date.UTC(2026, 2, 1, 12) });
    this.stations = Array.from({ length: count }, (_, index) => {
      const version = stationVersions[index % stationVersions.length] ?? "1.6";
      return new SimulatedStation({
        id: `SOAK-${version}-${index}`,
        version,
        seed,
        csmsUrl: stationUrl(version, port),
        clock: this.#clock,
        synchronizeClock: false,
        callTimeoutMs: 5_000,
        backOff: { waitMinimumMs: 200, randomRangeMs: 800, repeatTimes: 2 },
        ledgerSize: 1_000_000,
        // What fails for want of a CSMS is tried again until there is one. Clock-aligned values are no transaction
        // messages in 1.x, so the station's books would not have them.
        settings: {
          txUpdatedIntervalS: 120,
          alignedIntervalS: 0,
          messageAttempts: 1_000_000,
          messageAttemptIntervalS: 30,
        },
      });
    });
  }

  /** Identity of the token that all drivers have. */
  get idToken(): string {
    return TOKEN;
  }

  get finishedCharges(): number {
    return this.#charges.length;
  }

  /** Messages that were handed to the stations' queues, and those that the CSMS has answered. */
  get messages(): { readonly sent: number; readonly acknowledged: number } {
    const all = this.stations.flatMap(({ ledger }) => ledger);
    return { sent: all.length, acknowledged: all.filter(({ outcome }) => outcome === "acknowledged").length };
  }

  async start(): Promise<void> {
    await Promise.all(this.stations.map((station) => station.start()));
  }

  /** Lets drivers come until `end` is called; resolves when the last of them has left. */
  async drive(): Promise<void> {
    await Promise.all(this.stations.map((station) => this.#drive(station)));
  }

  /** No more drivers come. */
  end(): void {
    this.#isOver = true;
  }

  /** A station that is offline for a while and goes on charging: its messages come late. */
  async disconnectOne(timeMs: number): Promise<void> {
    const station = this.stations[Math.floor(this.#random() * this.stations.length)];
    if (station === undefined) return;
    await station.goOffline();
    await wait(timeMs);
    await station.goOnline();
  }

  /** Waits until the CSMS has answered every message. @throws Error when it does not in time */
  async drained(timeMs: number): Promise<void> {
    const late = wait(timeMs).then(() => {
      const waiting = this.stations.filter(({ queuedMessages }) => queuedMessages > 0).map(({ id }) => id);
      throw new Error(`messages still wait at ${waiting.join(", ")}`);
    });
    await Promise.race([Promise.all(this.stations.map((station) => station.drained())), late]);
  }

  async stop(): Promise<void> {
    await Promise.all(this.stations.map((station) => station.stop()));
    this.#clock.stop();
  }

  /** Compares all finished charges with what the CSMS has. */
  async balances(csms: SoakedCsms): Promise<readonly ChargeBalance[]> {
    const balances: ChargeBalance[] = [];
    for (const station of this.stations) {
      const shown = (await listAll(csms, `/transactions?stationId=${station.id}`)) as unknown as ShownTransaction[];
      const charges = this.#charges.filter((charge) => charge.station === station);
      const matched = new Set<string>();
      for (const charge of charges) balances.push(await balanceOf(csms, charge, shown, matched));
      for (const extra of shown.filter(({ id }) => !matched.has(id))) {
        balances.push({
          ...{ stationId: station.id, transactionId: extra.transactionId, trueWh: 0, accountedWh: extra.energyWh ?? 0 },
          ...{ sent: 0, acknowledged: 0, stored: 1, lost: 0, doubled: 1 },
        });
      }
    }
    return balances;
  }

  async #drive(station: SimulatedStation): Promise<void> {
    while (!this.#isOver) {
      await this.#charge(station);
      await this.#pause(1_000 + this.#random() * 4_000);
    }
  }

  async #charge(station: SimulatedStation): Promise<void> {
    const evse = () => station.evse(1);
    const beginWh = evse().meterWh;
    station.plugIn(1, { socPercent: Math.floor(this.#random() * 60) });
    let outcome = await station.presentIdToken(1, TOKEN);
    // Without a CSMS that knows the token the driver tries again.
    while (outcome !== "Authorized") {
      await wait(1_000);
      outcome = await station.presentIdToken(1, TOKEN);
    }
    const begun = async (): Promise<string> => {
      for (;;) {
        const { transaction } = evse();
        if (transaction !== undefined) return transaction.id;
        await wait(20);
      }
    };
    const ownId = await begun();
    await this.#pause(5_000 + this.#random() * 30_000);
    if (evse().transaction !== undefined) await station.presentIdToken(1, TOKEN);
    station.unplug(1);
    while (evse().transaction !== undefined) await wait(20);
    this.#charges.push({ station, ownId, trueWh: evse().meterWh - beginWh });
  }

  /** Waits, though not long once it is over. */
  async #pause(timeMs: number): Promise<void> {
    const until = performance.now() + timeMs;
    while (performance.now() < until && !this.#isOver) await wait(100);
  }
}

async function listAll(csms: SoakedCsms, path: string): Promise<Readonly<Record<string, unknown>>[]> {
  const items: Readonly<Record<string, unknown>>[] = [];
  let cursor: unknown = null;
  do {
    const more = typeof cursor === "string" ? `&cursor=${encodeURIComponent(cursor)}` : "";
    const page = await csms.ask(`${path}${path.includes("?") ? "&" : "?"}limit=500${more}`);
    items.push(...(page.items as Readonly<Record<string, unknown>>[]));
    cursor = page.nextCursor;
  } while (typeof cursor === "string");
  return items;
}

function sentOf({ station, ownId }: Charge): SentMessage[] {
  return station.ledger
    .filter(({ transactionId }) => transactionId === ownId)
    .map(({ eventType, outcome, payload }) => {
      const { timestamp, seqNo, meterValue, values } = (payload ?? {}) as LedgerPayload;
      const at = timestamp ?? meterValue?.[0]?.timestamp ?? values?.[0]?.timestamp ?? "";
      return { eventType, seqNo, timestamp: at, outcome };
    });
}

/** The id by which the CSMS knows the transaction: in family 1 it is told in the answer to the start. */
function nameOf({ station, ownId }: Charge): string {
  const start = station.ledger.find((entry) => entry.transactionId === ownId && entry.eventType === "Started");
  const told = (start?.response as { readonly transactionId?: number } | undefined)?.transactionId;
  return told === undefined ? ownId : String(told);
}

async function balanceOf(
  csms: SoakedCsms,
  charge: Charge,
  shown: readonly ShownTransaction[],
  matched: Set<string>,
): Promise<ChargeBalance> {
  const transactionId = nameOf(charge);
  const transaction = shown.find((each) => each.transactionId === transactionId);
  const found = transaction === undefined ? [] : await listAll(csms, `/transactions/${transaction.id}/events`);
  if (transaction !== undefined) matched.add(transaction.id);
  return {
    ...balanceMessages(sentOf(charge), found as unknown as ShownEvent[]),
    stationId: charge.station.id,
    transactionId,
    trueWh: charge.trueWh,
    accountedWh: transaction?.energyWh,
  };
}

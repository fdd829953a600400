import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Item } from "../system/running-csms.ts";
import { type Charge, type Delivery, deliveries, histories, shuffled, withRepeats } from "./charge-history.ts";
import { expectBooks, shrunkAffordably } from "./history-books.ts";
import { type Persistent, PersistentSoapStation } from "./persistent-soap-station.ts";
import { PersistentStation, type QueuedCall } from "./persistent-station.ts";
import { RestartableCsms } from "./restartable-csms.ts";

const T0 = Date.parse("2026-03-01T00:00:00Z");
const RUNS = 8;

let running: RestartableCsms;
let stations = 0;

beforeAll(async () => {
  running = await RestartableCsms.start();
  for (const evse of [1, 2, 3]) {
    for (const place of [1, 2, 3])
      await running.api("PUT", `/id-tokens/TOKEN-${evse}-${place}`, { status: "Accepted" });
  }
});

afterAll(() => running.close());

const at = (minute: number) => new Date(T0 + minute * 60_000).toISOString();

/** What stations of family 1 speak: 1.6 over WebSockets, 1.6 and 1.5 over SOAP. */
const speeches = ["1.6J", "1.6S", "1.5S"] as const;
type Speech = (typeof speeches)[number];

function stationThatSpeaks(speech: Speech): Persistent {
  const identity = `D1-${++stations}`;
  if (speech === "1.6J") return new PersistentStation(running, identity, "ocpp1.6");
  return new PersistentSoapStation(running, identity, speech === "1.6S" ? "1.6" : "1.5");
}

/** With which transaction id a station sends what follows its StartTransaction. */
const idUses = ["answered", "negative", "zero", "made up"] as const;
type IdUse = (typeof idUses)[number];

function idOf(use: IdUse, answered: number): number {
  if (use === "answered") return answered;
  if (use === "zero") return 0;
  return use === "negative" ? -answered : 2_000_000_000 + answered;
}

function sampledValues({ meter }: Charge, registerWh: number, context?: string): object[] {
  const sample = (wh: number, more: object) => ({
    // The finest that is exact in both units is a watt-hour.
    ...(meter.unit === "Wh" ? { value: String(wh) } : { value: (wh / 1_000).toFixed(3), unit: "kWh" }),
    measurand: "Energy.Active.Import.Register",
    ...(context === undefined || !meter.hasEdges ? {} : { context }),
    ...more,
  });
  const phases = ["L1", "L2", "L3"].map((phase, index) => sample(Math.floor((registerWh + index) / 3), { phase }));
  const noise = [
    { value: "55", measurand: "SoC", location: "EV", unit: "Percent" },
    { value: "7.4", measurand: "Power.Active.Import", unit: "kW" },
  ];
  return [sample(registerWh, {}), ...(meter.series === "total" ? [] : phases), ...noise];
}

/** What a meter showed at one time, as a version writes it. 1.5 has no phases and no state of charge. */
function meterValueOf(speech: Speech, minute: number, samples: readonly object[]): object {
  if (speech !== "1.5S") return { timestamp: at(minute), sampledValue: samples };
  return { timestamp: at(minute), value: samples.filter((sample) => !("phase" in sample || "location" in sample)) };
}

interface Played {
  readonly charge: Charge;
  readonly use: IdUse;
  readonly speech: Speech;
  transactionId: number | undefined;
}

/** The messages of a charge after its start, with what is needed to send them. */
function messagesOf({ charge, use, speech, transactionId: answered = 0 }: Played, station: Persistent): QueuedCall[] {
  const transactionId = idOf(use, answered);
  const last = charge.happenings.length - 1;
  return charge.happenings.flatMap(({ minute, registerWh, isLost }, place): QueuedCall[] => {
    if (place === 0 || isLost) return [];
    const meterStop = registerAt(charge, place);
    if (place === last) {
      const value = meterValueOf(speech, minute, sampledValues(charge, meterStop, "Transaction.End"));
      const transactionData = speech === "1.5S" ? [{ values: [value] }] : [value];
      return [
        station.queued("StopTransaction", {
          ...{ transactionId, meterStop, timestamp: at(minute), idTag: charge.idToken },
          ...(charge.stoppedReason === undefined || speech === "1.5S" ? {} : { reason: charge.stoppedReason }),
          ...(registerWh === undefined ? {} : { transactionData }),
        }),
      ];
    }
    if (registerWh === undefined) return [];
    const values = [meterValueOf(speech, minute, sampledValues(charge, registerWh))];
    const told = speech === "1.5S" ? { values } : { meterValue: values };
    return [station.queued("MeterValues", { connectorId: charge.evseId, transactionId, ...told })];
  });
}

/** A meterStop is always told; where the history tells no register it is the last one told before. */
function registerAt(charge: Charge, place: number): number {
  return (
    charge.happenings
      .slice(0, place + 1)
      .flatMap(({ registerWh }) => registerWh ?? [])
      .at(-1) ?? 0
  );
}

/** The reference accounting: what the books must say of a charge whose start was delivered. */
function accountOf({ charge, speech, transactionId }: Played, all: readonly Played[]) {
  const last = charge.happenings.length - 1;
  const hasEnd = charge.happenings[last]?.isLost === false;
  const wasFollowed = all.some(
    (other) =>
      other.charge.evseId === charge.evseId && all.indexOf(other) > all.findIndex((it) => it.charge === charge),
  );
  const registers = charge.happenings.flatMap(({ registerWh, isLost }, place) => {
    if (place === 0) return [registerAt(charge, 0)];
    if (isLost) return [];
    return place === last ? [registerAt(charge, place)] : (registerWh ?? []);
  });
  const status = hasEnd ? "Ended" : wasFollowed ? "Abandoned" : "Open";
  const grownWh = (registers.at(-1) ?? 0) - (registers[0] ?? 0);
  const end = charge.happenings[last];
  return {
    transactionId: String(transactionId),
    status,
    evseId: charge.evseId,
    startedAt: at(charge.happenings[0]?.minute ?? 0),
    endedAt: hasEnd ? at(end?.minute ?? 0) : undefined,
    // One reading tells that nothing is known to have flowed, as long as more may come.
    energyWh: registers.length === 1 && status !== "Open" ? undefined : grownWh,
    meterStartWh: registers[0],
    meterStopWh: hasEnd ? registers.at(-1) : undefined,
    idToken: charge.idToken,
    // 1.5 cannot tell another reason.
    stoppedReason: hasEnd ? ((speech === "1.5S" ? undefined : charge.stoppedReason) ?? "Local") : undefined,
  };
}

/** What is compared of a transaction that the API shows. */
function accountIn(transaction: Item) {
  return {
    transactionId: transaction.transactionId,
    status: transaction.status,
    evseId: transaction.evseId,
    startedAt: transaction.startedAt,
    endedAt: transaction.endedAt,
    energyWh: transaction.energyWh,
    meterStartWh: transaction.meterStartWh,
    meterStopWh: transaction.meterStopWh,
    idToken: (transaction.idToken as Item | undefined)?.idToken,
    stoppedReason: transaction.stoppedReason,
  };
}

function startOf(charge: Charge): object {
  const [first] = charge.happenings;
  const timestamp = at(first?.minute ?? 0);
  return { connectorId: charge.evseId, idTag: charge.idToken, meterStart: registerAt(charge, 0), timestamp };
}

/**
 * Plays a history as a station does that was offline: charge by charge in the order of their starts, because each
 * needs the answer to its start. What follows a start comes in another order and again where its id was answered;
 * a station that makes up ids sends in order, for only that tells which of its transactions it means.
 */
async function play(station: Persistent, played: readonly Played[], delivery: Delivery): Promise<void> {
  let sent = 0;
  const send = async (call: QueuedCall) => {
    // While the restart is under way the station already tries to go on.
    if (delivery.restartsBefore.includes(sent++)) void running.restart();
    return await station.deliver(call);
  };
  for (const one of played) {
    const start = station.queued("StartTransaction", startOf(one.charge));
    one.transactionId = Number((await send(start)).transactionId);
    const messages = messagesOf(one, station);
    const isAnswered = one.use === "answered";
    const queue = withRepeats(
      isAnswered ? shuffled([...messages, start], delivery.ranks) : messages,
      isAnswered ? delivery.repeats : [],
      (call, sameId) => (sameId ? call : station.queued(call.action, call.payload)),
    );
    for (const call of queue) {
      const answer = await send(call);
      if (call.action === "StartTransaction") expect(answer.transactionId, "a repeated start").toBe(one.transactionId);
    }
  }
  await running.ready();
}

it("the books of family 1 tell what happened, whatever is repeated, reordered, lost, misnamed or interrupted on the wire", {
  timeout: 900_000,
}, async () => {
  const plays = fc.record({
    history: histories,
    uses: fc.array(fc.constantFrom(...idUses), { minLength: 9, maxLength: 9 }),
    speech: fc.constantFrom(...speeches),
  });
  await fc.assert(
    fc.asyncProperty(shrunkAffordably(fc.tuple(plays, plays, deliveries)), async ([first, second, delivery]) => {
      const both = [first, second].map(({ history, uses, speech }) => ({
        station: stationThatSpeaks(speech),
        played: [...history]
          .sort((a, b) => (a.happenings[0]?.minute ?? 0) - (b.happenings[0]?.minute ?? 0))
          .map((charge, index): Played => {
            return { charge, use: uses[index % uses.length] ?? "answered", speech, transactionId: undefined };
          }),
      }));
      const still = { ...delivery, restartsBefore: [] };
      await Promise.all(
        both.map(({ station, played }, index) => play(station, played, index === 0 ? delivery : still)),
      );
      const wanted = both.map(({ station, played }) => ({
        stationId: station.identity,
        wanted: played.map((one) => accountOf(one, played)),
      }));
      await expectBooks(running, wanted, accountIn);
      await Promise.all(both.map(({ station }) => station.close()));
    }),
    { numRuns: RUNS },
  );
});

import fc from "fast-check";
import { afterAll, beforeAll, it } from "vitest";
import type { Item } from "../system/running-csms.ts";
import {
  type Charge,
  type Delivery,
  deliveries,
  type Happening,
  histories,
  shuffled,
  withRepeats,
} from "./charge-history.ts";
import { expectBooks, shrunkAffordably } from "./history-books.ts";
import { PersistentStation, type QueuedCall } from "./persistent-station.ts";
import { RestartableCsms } from "./restartable-csms.ts";

const T0 = Date.parse("2026-03-01T00:00:00Z");
const RUNS = 8;

let running: RestartableCsms;
let stations = 0;

beforeAll(async () => {
  running = await RestartableCsms.start();
  const tokens = [1, 2, 3].flatMap((evse) => [1, 2, 3].map((place) => `TOKEN-${evse}-${place}`));
  for (const token of [...tokens, "STOPPER", "MASTER"]) {
    await running.api("PUT", `/id-tokens/${token}`, { type: "ISO14443", status: "Accepted" });
  }
});

afterAll(() => running.close());

const at = (minute: number) => new Date(T0 + minute * 60_000).toISOString();

function sampledValues(charge: Charge, place: number, registerWh: number): object[] {
  const { unit, series, hasEdges } = charge.meter;
  const isLast = place === charge.happenings.length - 1;
  const edge = place === 0 ? { context: "Transaction.Begin" } : isLast ? { context: "Transaction.End" } : {};
  const sample = (wh: number, more: object) => ({
    ...(unit === "Wh" ? { value: wh } : {}),
    ...(unit === "kWh" ? { value: wh / 1_000, unitOfMeasure: { unit: "kWh" } } : {}),
    ...(unit === "milli-kWh" ? { value: wh, unitOfMeasure: { unit: "kWh", multiplier: -3 } } : {}),
    measurand: "Energy.Active.Import.Register",
    ...(hasEdges ? edge : {}),
    ...more,
  });
  const phases = ["L1", "L2", "L3"].map((phase, index) => sample(Math.floor((registerWh + index) / 3), { phase }));
  const noise = [
    { value: 55, measurand: "SoC", location: "EV" },
    { value: 7_000, measurand: "Power.Active.Import" },
  ];
  return [...(series === "phases" ? [] : [sample(registerWh, {})]), ...(series === "total" ? [] : phases), ...noise];
}

function eventOf(charge: Charge, happening: Happening, place: number, offline: boolean): object {
  const { minute, registerWh, chargingState } = happening;
  const isFirst = place === 0;
  const isLast = place === charge.happenings.length - 1;
  return {
    eventType: isFirst ? "Started" : isLast ? "Ended" : "Updated",
    timestamp: at(minute),
    triggerReason: isFirst ? "CablePluggedIn" : isLast ? "EVDeparted" : "MeterValuePeriodic",
    seqNo: place,
    offline,
    transactionInfo: {
      transactionId: charge.name,
      ...(chargingState === undefined ? {} : { chargingState }),
      ...(isLast && charge.stoppedReason !== undefined ? { stoppedReason: charge.stoppedReason } : {}),
    },
    evse: { id: charge.evseId, connectorId: 1 },
    ...tokenOf(charge, place, isLast),
    ...(registerWh === undefined
      ? {}
      : { meterValue: [{ timestamp: at(minute), sampledValue: sampledValues(charge, place, registerWh) }] }),
  };
}

function tokenOf(charge: Charge, place: number, isLast: boolean): object {
  if (isLast) return charge.stopToken === undefined ? {} : { idToken: { idToken: charge.stopToken, type: "ISO14443" } };
  return place === charge.tokenAt ? { idToken: { idToken: charge.idToken, type: "ISO14443" } } : {};
}

/** The reference accounting: what the books must say of a charge, from the happenings that were delivered. */
function accountOf(charge: Charge, all: readonly Charge[], offline: boolean) {
  const last = charge.happenings.length - 1;
  const told = charge.happenings.map((happening, seqNo) => ({ ...happening, seqNo })).filter(({ isLost }) => !isLost);
  const seqNos = told.map(({ seqNo }) => seqNo);
  const hasStart = seqNos.includes(0);
  const hasEnd = seqNos.includes(last);
  const order = all.indexOf(charge);
  const wasFollowed = all.some(
    (other, index) => index > order && other.evseId === charge.evseId && other.happenings.some(({ isLost }) => !isLost),
  );
  const status = hasEnd ? "Ended" : wasFollowed ? "Abandoned" : "Open";
  const registers = told.flatMap(({ registerWh, minute, seqNo }) =>
    registerWh === undefined ? [] : [{ registerWh, minute, seqNo }],
  );
  const [first, final] = [registers[0], registers.at(-1)];
  // What says the same of the same moment is one reading, unless it is told to be begin and end.
  const isOneReading =
    first?.minute === final?.minute &&
    first?.registerWh === final?.registerWh &&
    !(charge.meter.hasEdges && first?.seqNo === 0 && final?.seqNo === last);
  // One reading tells that nothing is known to have flowed, as long as more may come.
  const energyWh =
    first === undefined || final === undefined || (isOneReading && status !== "Open")
      ? undefined
      : final.registerWh - first.registerWh;
  const missing =
    seqNos.length === 0 || !hasStart
      ? []
      : charge.happenings.flatMap(({ isLost }, seqNo) => (isLost && seqNo < Math.max(...seqNos) ? [seqNo] : []));
  return {
    transactionId: charge.name,
    status,
    evseId: charge.evseId,
    startedAt: hasStart ? at(told[0]?.minute ?? 0) : undefined,
    endedAt: hasEnd ? at(told.at(-1)?.minute ?? 0) : undefined,
    firstEventAt: at(told[0]?.minute ?? 0),
    lastEventAt: at(told.at(-1)?.minute ?? 0),
    energyWh,
    missing,
    stoppedReason: hasEnd ? charge.stoppedReason : undefined,
    idToken: charge.tokenAt < last && seqNos.includes(charge.tokenAt) ? charge.idToken : undefined,
    stopIdToken: hasEnd ? charge.stopToken : undefined,
    chargingState: told.flatMap(({ chargingState }) => chargingState ?? []).at(-1),
    offline,
    events: told.map(({ seqNo, minute }) => ({
      eventType: seqNo === 0 ? "Started" : seqNo === last ? "Ended" : "Updated",
      seqNo,
      timestamp: at(minute),
    })),
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
    firstEventAt: transaction.firstEventAt,
    lastEventAt: transaction.lastEventAt,
    energyWh: transaction.energyWh,
    missing: (transaction.missingSeqNos as { from: number; to: number }[]).flatMap(({ from, to }) =>
      Array.from({ length: to - from + 1 }, (_, index) => from + index),
    ),
    stoppedReason: transaction.stoppedReason,
    idToken: (transaction.idToken as Item | undefined)?.idToken,
    stopIdToken: (transaction.stopIdToken as Item | undefined)?.idToken,
    chargingState: transaction.chargingState,
    offline: transaction.offline,
    events: (transaction.events as Item[])
      .map(({ eventType, seqNo, timestamp }) => ({ eventType, seqNo, timestamp }))
      .sort((a, b) => Number(a.seqNo) - Number(b.seqNo)),
  };
}

function queueOf(
  station: PersistentStation,
  history: readonly Charge[],
  delivery: Delivery,
  live: boolean,
): QueuedCall[] {
  const events = history.flatMap((charge) =>
    charge.happenings.flatMap((happening, place) =>
      happening.isLost ? [] : [{ minute: happening.minute, payload: eventOf(charge, happening, place, !live) }],
    ),
  );
  const inTime = events
    .sort((a, b) => a.minute - b.minute)
    .map(({ payload }) => station.queued("TransactionEvent", payload));
  return withRepeats(live ? inTime : shuffled(inTime, delivery.ranks), delivery.repeats, (call, sameId) =>
    sameId ? call : station.queued(call.action, call.payload),
  );
}

async function run(station: PersistentStation, calls: readonly QueuedCall[], delivery: Delivery): Promise<void> {
  for (const [index, call] of calls.entries()) {
    // While the restart is under way the station already tries to go on.
    if (delivery.restartsBefore.includes(index)) void running.restart();
    await station.deliver(call);
  }
  await running.ready();
}

it("the books of 2.x tell what happened, whatever is repeated, reordered, lost or interrupted on the wire", {
  timeout: 900_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      shrunkAffordably(fc.tuple(histories, histories, deliveries)),
      async ([first, second, delivery]) => {
        const played = [first, second].map((history, index) => {
          const station = new PersistentStation(running, `D2-${++stations}`, index === 0 ? "ocpp2.1" : "ocpp2.0.1");
          // A station that was offline delivers in any order; one that is online in the order of time.
          return { station, history, live: index === 1, calls: queueOf(station, history, delivery, index === 1) };
        });
        const still = { ...delivery, restartsBefore: [] };
        await Promise.all(played.map(({ station, calls, live }) => run(station, calls, live ? still : delivery)));
        const wanted = played.map(({ station, history, live }) => {
          const known = history.filter(({ happenings }) => happenings.some(({ isLost }) => !isLost));
          return { stationId: station.identity, wanted: known.map((charge) => accountOf(charge, history, !live)) };
        });
        await expectBooks(running, wanted, accountIn);
        await Promise.all(played.map(({ station }) => station.close()));
      },
    ),
    { numRuns: RUNS },
  );
});

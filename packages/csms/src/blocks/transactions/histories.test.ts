import type { Ocpp21 } from "@polyphase/ocpp";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Json, TransactionBench } from "./fixture.ts";

let bench: TransactionBench;
let stations = 0;

beforeAll(async () => {
  bench = await TransactionBench.start();
});

afterAll(async () => {
  await bench.stop();
});

const T0 = Date.parse("2026-03-01T00:00:00Z");
const at = (minute: number) => new Date(T0 + minute * 60_000).toISOString();

/** A charge on an EVSE, as it really was. */
interface Charge {
  readonly evseId: number;
  readonly transactionId: string;
  /** Minute and register of every reading; the first at the start, the last at the end. */
  readonly readings: readonly (readonly [minute: number, wh: number])[];
  /** Places of readings, other than the first, whose message is lost. */
  readonly lost: ReadonlySet<number>;
}

/** Charges one after the other on each of a few EVSEs. */
const charges: fc.Arbitrary<Charge[]> = fc
  .array(
    fc.record({
      startWh: fc.integer({ min: 1, max: 2_000_000 }),
      sessions: fc.array(
        fc.record({
          steps: fc.array(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.nat({ max: 5_000 })), {
            minLength: 1,
            maxLength: 6,
          }),
          lost: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 2 }),
        }),
        { minLength: 1, maxLength: 3 },
      ),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((evses) =>
    evses.flatMap(({ startWh, sessions }, evse) => {
      let minute = 0;
      let wh = startWh;
      return sessions.map(({ steps, lost }, session) => {
        minute += 5;
        const readings: [number, number][] = [[minute, wh]];
        for (const [minutes, grownWh] of steps) {
          minute += minutes;
          wh += grownWh;
          readings.push([minute, wh]);
        }
        const gone = new Set(lost.filter((place) => place < readings.length));
        return { evseId: evse + 1, transactionId: `TX-${evse + 1}-${session + 1}`, readings, lost: gone };
      });
    }),
  );

/** How a history is brought to the CSMS. */
const delivery = fc.record({
  order: fc.array(fc.nat({ max: 1_000_000 }), { minLength: 60, maxLength: 60 }),
  repeats: fc.array(fc.nat({ max: 1_000_000 }), { maxLength: 8 }),
  /** How many messages are under way at once. */
  atOnce: fc.integer({ min: 1, max: 4 }),
  restarts: fc.uniqueArray(fc.nat({ max: 20 }), { maxLength: 2 }),
  failures: fc.uniqueArray(fc.nat({ max: 20 }), { maxLength: 3 }),
  /** How many transactions that are over stay in memory: with few, late events read their own from the database. */
  kept: fc.constantFrom(undefined, 5),
});

/** A message that is sent until it is acknowledged, as stations do. */
type Message = () => Promise<unknown>;

async function keep(count: number | undefined): Promise<void> {
  if (bench.keptAfterEnd === count) return;
  bench.keptAfterEnd = count;
  await bench.restart();
}

async function deliver(messages: readonly Message[], how: { atOnce: number; restarts: number[]; failures: number[] }) {
  for (let sent = 0, round = 0; sent < messages.length; sent += how.atOnce, round++) {
    if (how.restarts.includes(round)) await bench.restart();
    if (how.failures.includes(round)) bench.commits.failures += 1;
    await Promise.all(
      messages.slice(sent, sent + how.atOnce).map(async (send) => {
        for (;;) {
          try {
            return await send();
          } catch (error) {
            if (!(error instanceof Error) || !error.message.includes("as the test wanted")) throw error;
          }
        }
      }),
    );
  }
  bench.commits.failures = 0;
  await bench.transactions.settled();
}

function shuffled<Item>(items: readonly Item[], order: readonly number[]): Item[] {
  return items
    .map((item, index) => [item, order[index % order.length] ?? 0, index] as const)
    .sort((a, b) => a[1] - b[1] || a[2] - b[2])
    .map(([item]) => item);
}

function withRepeats<Item>(items: readonly Item[], repeats: readonly number[]): Item[] {
  return [...items, ...repeats.flatMap((repeat) => items[repeat % items.length] ?? [])];
}

/** The reference: what the books must say of a charge, from what arrived of it. */
function expected(charge: Charge, all: readonly Charge[]) {
  const arrived = charge.readings.filter((_, place) => !charge.lost.has(place));
  const lastPlace = charge.readings.length - 1;
  const isEnded = !charge.lost.has(lastPlace);
  const hasSuccessor = all.some(
    (other) => other.evseId === charge.evseId && (other.readings[0]?.[0] ?? 0) > (charge.readings[0]?.[0] ?? 0),
  );
  const status = isEnded ? "Ended" : hasSuccessor ? "Abandoned" : "Open";
  const values = arrived.map(([, wh]) => wh);
  const energyWh = Math.max(...values) - Math.min(...values);
  const highest = Math.max(...charge.readings.map((_, place) => (charge.lost.has(place) ? 0 : place)));
  return {
    transactionId: charge.transactionId,
    status,
    evseId: charge.evseId,
    // One reading tells nothing of a transaction that is over.
    energyWh: arrived.length === 1 && status !== "Open" ? undefined : energyWh,
    events: arrived.length,
    missing: [...charge.lost].filter((place) => place < highest).sort((a, b) => a - b),
  };
}

async function books(stationId: string) {
  const all = await Promise.all(
    (await bench.list(stationId)).map(async ({ id }) => (await bench.api("GET", `/transactions/${String(id)}`)).body),
  );
  return all.map((shown) => ({
    transactionId: String(shown.transactionId),
    status: shown.status,
    evseId: shown.evseId,
    energyWh: shown.energyWh,
    events: (shown.events as Json[]).length,
    missing: (shown.missingSeqNos as { from: number; to: number }[]).flatMap(({ from, to }) =>
      Array.from({ length: to - from + 1 }, (_, index) => from + index),
    ),
  }));
}

const byId = (a: { transactionId: string }, b: { transactionId: string }) =>
  a.transactionId < b.transactionId ? -1 : 1;

/** Only so many smaller histories are tried when one fails, so that the smallest found is told in time. */
const shrunkAffordably = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.limitShrink(arbitrary, 150);

it("keeps right books of family 2, whatever is repeated, reordered, lost, interrupted or refused", {
  timeout: 600_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(shrunkAffordably(fc.tuple(charges, delivery)), async ([history, how]) => {
      const stationId = `H2-${++stations}`;
      await keep(how.kept);
      const messages = history.flatMap((charge) =>
        charge.readings.flatMap(([minute, wh], seqNo): Message[] => {
          if (charge.lost.has(seqNo)) return [];
          const last = charge.readings.length - 1;
          const eventType = seqNo === 0 ? "Started" : seqNo === last ? "Ended" : "Updated";
          const request: Ocpp21.TransactionEventRequest = {
            eventType,
            timestamp: at(minute),
            triggerReason: seqNo === 0 ? "Authorized" : "MeterValuePeriodic",
            seqNo,
            // Out of order comes only what was queued.
            offline: true,
            transactionInfo: { transactionId: charge.transactionId },
            evse: { id: charge.evseId, connectorId: 1 },
            meterValue: [
              { timestamp: at(minute), sampledValue: [{ value: wh / 1000, unitOfMeasure: { unit: "kWh" } }] },
            ],
            ...(seqNo === 0 ? { idToken: { idToken: `T${charge.evseId}`, type: "ISO14443" } } : {}),
          };
          return [() => bench.call2(stationId, "TransactionEvent", request)];
        }),
      );
      await deliver(shuffled(withRepeats(messages, how.repeats), how.order), how);
      const wanted = history.map((charge) => expected(charge, history));
      expect((await books(stationId)).sort(byId)).toEqual(wanted.sort(byId));
      await bench.restart();
      expect((await books(stationId)).sort(byId)).toEqual(wanted.sort(byId));
      const open = wanted.filter(({ status }) => status === "Open").length;
      expect(bench.transactions.openOf(stationId)).toHaveLength(open);
    }),
    { numRuns: 40 },
  );
});

it("keeps right books of family 1, whatever is repeated, late, interrupted or refused", {
  timeout: 600_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(shrunkAffordably(fc.tuple(charges, delivery)), async ([history, how]) => {
      const stationId = `H1-${++stations}`;
      await keep(how.kept);
      const wanted: { evseId: number; status: string; energyWh: number }[] = [];
      for (const { evseId, readings } of history) {
        const [startMinute, startWh] = readings[0] ?? [0, 0];
        const [stopMinute, stopWh] = readings.at(-1) ?? [0, 0];
        const start = { connectorId: evseId, idTag: `T${evseId}`, timestamp: at(startMinute), meterStart: startWh };
        const ids: number[] = [];
        const sendStart = async () => {
          ids.push((await bench.call1(stationId, "StartTransaction", start)).transactionId);
        };
        await deliver([sendStart], how);
        const [transactionId] = ids;
        if (transactionId === undefined) throw new Error("no id");
        const messages = readings.slice(1, -1).map(
          ([minute, wh]): Message =>
            () =>
              bench.call1(stationId, "MeterValues", {
                connectorId: evseId,
                transactionId,
                meterValue: [{ timestamp: at(minute), sampledValue: [{ value: String(wh) }] }],
              }),
        );
        messages.push(
          () =>
            bench.call1(stationId, "StopTransaction", {
              transactionId,
              timestamp: at(stopMinute),
              meterStop: stopWh,
              idTag: `t${evseId}`,
            }),
          sendStart,
        );
        await deliver(shuffled(withRepeats(messages, how.repeats), how.order), how);
        expect(new Set(ids).size).toBe(1);
        wanted.push({ evseId, status: "Ended", energyWh: stopWh - startWh });
      }
      const kept = (await books(stationId)).map(({ evseId, status, energyWh }) => ({ evseId, status, energyWh }));
      const order = (a: { evseId: unknown; energyWh?: unknown }, b: typeof a) =>
        Number(a.evseId) - Number(b.evseId) || Number(a.energyWh) - Number(b.energyWh);
      expect(kept.sort(order)).toEqual(wanted.sort(order));
    }),
    { numRuns: 25 },
  );
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { onlyTransactionOf } from "../system/raw-station.ts";
import { eventually, type Item, listAll } from "../system/running-csms.ts";
import { PersistentStation } from "./persistent-station.ts";
import { RestartableCsms } from "./restartable-csms.ts";

/** Events of the one long backlog: a reading every 17 s of a day offline. */
const EVENTS = 5_000;
/** So often somebody else asks something meanwhile. */
const ASKED_EVERY = 100;
/** Events of each of several stations that return at once. */
const EVENTS_OF_EACH = 250;
const STATIONS = 8;

const T0 = Date.parse("2026-03-08T10:00:00Z");
const STEP_MS = 17_000;

let running: RestartableCsms;

beforeAll(async () => {
  running = await RestartableCsms.start();
  await running.api("PUT", "/id-tokens/BACKLOG", { type: "ISO14443", status: "Accepted" });
});

afterAll(() => running.close());

const at = (place: number) => new Date(T0 + place * STEP_MS).toISOString();

/** An event of 2.x that was queued while the station was offline. */
function event2(seqNo: number, last: number, transactionId: string): object {
  const eventType = seqNo === 0 ? "Started" : seqNo === last ? "Ended" : "Updated";
  return {
    ...{ eventType, seqNo, timestamp: at(seqNo), offline: true, transactionInfo: { transactionId } },
    triggerReason: eventType === "Updated" ? "MeterValuePeriodic" : "EVDetected",
    evse: { id: 1, connectorId: 1 },
    ...(seqNo === 0 ? { idToken: { idToken: "BACKLOG", type: "ISO14443" } } : {}),
    meterValue: [{ timestamp: at(seqNo), sampledValue: [{ value: 100_000 + 3 * seqNo }] }],
  };
}

/** Sends all events of a transaction of 2.x, each as soon as the one before is answered. */
async function send2(
  station: PersistentStation,
  count: number,
  transactionId: string,
  answered: (seqNo: number) => void = () => {},
): Promise<void> {
  for (let seqNo = 0; seqNo < count; seqNo++) {
    await station.call("TransactionEvent", event2(seqNo, count - 1, transactionId));
    answered(seqNo);
  }
}

/** The same in 1.6. */
async function send16(station: PersistentStation, count: number): Promise<void> {
  const start = { connectorId: 1, idTag: "BACKLOG", meterStart: 100_000, timestamp: at(0) };
  const { transactionId } = await station.call("StartTransaction", start);
  for (let place = 1; place < count - 1; place++) {
    const meterValue = [{ timestamp: at(place), sampledValue: [{ value: String(100_000 + 3 * place) }] }];
    await station.call("MeterValues", { connectorId: 1, transactionId, meterValue });
  }
  const stop = { transactionId, meterStop: 100_000 + 3 * (count - 1), timestamp: at(count - 1) };
  await station.call("StopTransaction", stop);
}

/** What must be known of a backlog of events. */
function account(count: number): object {
  return {
    ...{ status: "Ended", startedAt: at(0), endedAt: at(count - 1), missingSeqNos: [] },
    ...{ energyWh: 3 * (count - 1), idToken: { idToken: "BACKLOG", status: "Accepted" } },
  };
}

async function eventsOf(transaction: Item): Promise<readonly Item[]> {
  return await listAll(running.csms.httpUrl, `/transactions/${String(transaction.id)}/events`);
}

describe("the backlog of a day offline", () => {
  it(`of ${EVENTS} events is taken as fast as answers come, while others are served`, {
    timeout: 900_000,
  }, async () => {
    const station = new PersistentStation(running, "BACKLOG-LONG", "ocpp2.0.1");
    const other = new PersistentStation(running, "BACKLOG-OTHER", "ocpp1.6");
    await other.call("Heartbeat", {});
    let isSent = false;
    const servedMeanwhile: Promise<boolean>[] = [];
    await send2(station, EVENTS, "LONG", (seqNo) => {
      if (seqNo % ASKED_EVERY === 0) servedMeanwhile.push(other.call("Heartbeat", {}).then(() => !isSent));
    });
    isSent = true;
    const served = await Promise.all(servedMeanwhile);
    // Nobody waits for the backlog's end, except perhaps who came right before it.
    expect(served.slice(0, -1)).toEqual(served.slice(0, -1).map(() => true));
    expect(served).toHaveLength(EVENTS / ASKED_EVERY);
    const transaction = await onlyTransactionOf(running, "BACKLOG-LONG");
    expect(transaction).toMatchObject(account(EVENTS));
    const events = await eventsOf(transaction);
    expect(new Set(events.map(({ seqNo }) => seqNo)).size).toBe(EVENTS);
    expect(events.map(({ timestamp }) => timestamp)).toEqual(Array.from({ length: EVENTS }, (_, place) => at(place)));
    await Promise.all([station.close(), other.close()]);
  });

  it("of several stations at once is kept whole, though the CSMS is restarted in the middle", {
    timeout: 600_000,
  }, async () => {
    const stations = Array.from({ length: STATIONS }, (_, index) => {
      const is16 = index % 2 === 0;
      return { is16, station: new PersistentStation(running, `BACKLOG-${index}`, is16 ? "ocpp1.6" : "ocpp2.1") };
    });
    const sent = stations.map(({ is16, station }) =>
      is16 ? send16(station, EVENTS_OF_EACH) : send2(station, EVENTS_OF_EACH, "SHORT"),
    );
    await eventually("the middle of the backlog", async () => {
      const { body } = await running.api("GET", "/transactions?stationId=BACKLOG-1");
      return Number(body.items?.[0]?.energyWh ?? 0) > EVENTS_OF_EACH ? true : undefined;
    });
    await running.restart();
    await Promise.all(sent);
    for (const { is16, station } of stations) {
      const transaction = await onlyTransactionOf(running, station.identity);
      expect(transaction, station.identity).toMatchObject(account(EVENTS_OF_EACH));
      expect(await eventsOf(transaction), station.identity).toHaveLength(EVENTS_OF_EACH);
      expect(transaction.offline).toBe(!is16);
      await station.close();
    }
  });
});

import type { Ocpp21 } from "@polyphase/ocpp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Json, TransactionBench } from "./fixture.ts";

let bench: TransactionBench;
let stations = 0;
const newStation = () => `CS-${++stations}`;

beforeAll(async () => {
  bench = await TransactionBench.start();
});

afterAll(async () => {
  await bench.stop();
});

const T0 = Date.parse("2026-03-01T10:00:00Z");
const at = (minute: number) => new Date(T0 + minute * 60_000).toISOString();
const reading = (minute: number, wh: number, context?: Ocpp21.ReadingContextEnumType): Ocpp21.MeterValueType => ({
  timestamp: at(minute),
  sampledValue: [{ value: wh, ...(context === undefined ? {} : { context }) }],
});

type Event = Partial<Omit<Ocpp21.TransactionEventRequest, "transactionInfo">> & {
  readonly info?: Partial<Ocpp21.TransactionType>;
};

function event(transactionId: string, seqNo: number, eventType: Ocpp21.TransactionEventEnumType, more: Event = {}) {
  const { info, ...rest } = more;
  const triggers = { Started: "CablePluggedIn", Updated: "MeterValuePeriodic", Ended: "EVCommunicationLost" } as const;
  return {
    eventType,
    timestamp: at(seqNo),
    triggerReason: triggers[eventType],
    seqNo,
    transactionInfo: { transactionId, ...info },
    ...rest,
  };
}

const token = { idToken: "AABBCCDD", type: "ISO14443" };

async function only(stationId: string): Promise<Json> {
  const all = await bench.list(stationId);
  expect(all).toHaveLength(1);
  return detail(all[0]);
}

async function detail(transaction: Json | undefined): Promise<Json> {
  const { body } = await bench.api("GET", `/transactions/${String(transaction?.id)}`);
  return body;
}

describe("a transaction of family 2", () => {
  it("starts, goes on, ends, and is shown with its timeline and totals", async () => {
    const stationId = newStation();
    const evse = { id: 2, connectorId: 1 };
    const answer = await bench.call2(
      stationId,
      "TransactionEvent",
      event("T-1", 0, "Started", { evse, meterValue: [reading(0, 1_000, "Transaction.Begin")] }),
    );
    expect(answer).toEqual({});
    const authorized = await bench.call2(
      stationId,
      "TransactionEvent",
      event("T-1", 1, "Updated", { triggerReason: "Authorized", idToken: token, info: { chargingState: "Charging" } }),
    );
    expect(authorized).toEqual({ idTokenInfo: { status: "Accepted" } });
    await bench.call2(stationId, "TransactionEvent", event("T-1", 2, "Updated", { meterValue: [reading(2, 1_500)] }));
    expect((await bench.list(stationId))[0]).toMatchObject({
      status: "Open",
      energyWh: 500,
      chargingState: "Charging",
    });
    await bench.call2(
      stationId,
      "TransactionEvent",
      event("T-1", 3, "Ended", {
        meterValue: [reading(3, 1_750, "Transaction.End")],
        idToken: { ...token, idToken: "EEFF" },
        info: { stoppedReason: "Local", timeSpentCharging: 180 },
      }),
    );
    const shown = await only(stationId);
    expect(shown).toMatchObject({
      stationId,
      transactionId: "T-1",
      status: "Ended",
      evseId: 2,
      connectorId: 1,
      idToken: { idToken: "AABBCCDD", type: "ISO14443", status: "Accepted" },
      stopIdToken: { idToken: "EEFF" },
      startedAt: at(0),
      endedAt: at(3),
      stoppedReason: "Local",
      timeSpentChargingS: 180,
      energyWh: 750,
      imported: { method: "register", confidence: "high", notes: [] },
      missingSeqNos: [],
    });
    const events = shown.events as Json[];
    expect(events[1]?.facts).toMatchObject({ idToken: token, idTokenStatus: "Accepted", chargingState: "Charging" });
    expect(events.map(({ eventType, seqNo }) => [eventType, seqNo])).toEqual([
      ["Started", 0],
      ["Updated", 1],
      ["Updated", 2],
      ["Ended", 3],
    ]);
    expect(shown.meter).toMatchObject([
      { measurand: "Energy.Active.Import.Register", count: 3, first: 1_000, last: 1_750, mean: 4_250 / 3 },
    ]);
  });

  it("publishes what is interesting and no periodic sample", async () => {
    const stationId = newStation();
    const send = (seqNo: number, type: Ocpp21.TransactionEventEnumType, more: Event = {}) =>
      bench.call2(stationId, "TransactionEvent", event("T-2", seqNo, type, more));
    await send(0, "Started", { evse: { id: 1 } });
    await send(1, "Updated", { meterValue: [reading(1, 10)] });
    await send(2, "Updated", { info: { chargingState: "Charging" } });
    await send(3, "Updated", { info: { chargingState: "Charging" }, meterValue: [reading(3, 20)] });
    await send(4, "Ended", { info: { stoppedReason: "EVDisconnected" } });
    const published = bench.events.filter((published) => published.stationId === stationId);
    expect(published.map(({ type }) => type)).toEqual([
      "transaction.started",
      "transaction.updated",
      "transaction.ended",
    ]);
    expect(published.at(-1)?.data).toMatchObject({ stoppedReason: "EVDisconnected", energyWh: 10 });
  });

  it("is not changed by a repeat (design: keyed by station, transaction and seqNo)", async () => {
    const stationId = newStation();
    const first = event("T-3", 0, "Started", { evse: { id: 1 }, idToken: token, meterValue: [reading(0, 5)] });
    const second = event("T-3", 1, "Updated", { meterValue: [reading(1, 25)] });
    const answers = [];
    for (const message of [first, first, second, first, second]) {
      answers.push(await bench.call2(stationId, "TransactionEvent", message));
    }
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[3]).toEqual(answers[0]);
    const shown = await only(stationId);
    expect(shown.energyWh).toBe(20);
    expect(shown.events).toHaveLength(2);
  });

  it("takes the same message over two connections at once, once", async () => {
    const stationId = newStation();
    const start = event("T-4", 0, "Started", { evse: { id: 1 } });
    await Promise.all([1, 2, 3].map(() => bench.call2(stationId, "TransactionEvent", start)));
    expect((await only(stationId)).events).toHaveLength(1);
  });

  it("is complete when its end comes before its start", async () => {
    const stationId = newStation();
    const messages = [
      event("T-5", 2, "Ended", { meterValue: [reading(2, 300, "Transaction.End")], info: { stoppedReason: "Local" } }),
      event("T-5", 1, "Updated", { idToken: token, triggerReason: "Authorized", offline: true }),
      event("T-5", 0, "Started", { meterValue: [reading(0, 100, "Transaction.Begin")], evse: { id: 1 } }),
    ];
    for (const message of messages) await bench.call2(stationId, "TransactionEvent", message);
    expect(await only(stationId)).toMatchObject({
      status: "Ended",
      energyWh: 200,
      offline: true,
      startedAt: at(0),
      endedAt: at(2),
      idToken: { idToken: "AABBCCDD" },
      imported: { confidence: "high" },
      missingSeqNos: [],
    });
  });

  it("shows which events are missing (2.1 part 2, sequence numbers)", async () => {
    const stationId = newStation();
    for (const seqNo of [7, 9, 12]) {
      const type = seqNo === 7 ? "Started" : seqNo === 12 ? "Ended" : "Updated";
      await bench.call2(stationId, "TransactionEvent", event("T-6", seqNo, type, { evse: { id: 1 } }));
    }
    expect((await only(stationId)).missingSeqNos).toEqual([
      { from: 8, to: 8 },
      { from: 10, to: 11 },
    ]);
  });

  it("keeps both of two different events with one seqNo", async () => {
    const stationId = newStation();
    await bench.call2(stationId, "TransactionEvent", event("T-7", 0, "Started", { evse: { id: 1 } }));
    const other = { ...event("T-7", 0, "Ended"), timestamp: at(30) };
    await bench.call2(stationId, "TransactionEvent", other);
    await bench.call2(stationId, "TransactionEvent", other);
    const shown = await only(stationId);
    expect(shown).toMatchObject({ status: "Ended", endedAt: at(30) });
    expect(shown.events).toHaveLength(2);
  });

  it("takes an id that is used again after the end for another transaction", async () => {
    const stationId = newStation();
    await bench.call2(stationId, "TransactionEvent", event("T-8", 0, "Started", { evse: { id: 1 } }));
    await bench.call2(stationId, "TransactionEvent", event("T-8", 1, "Ended"));
    const again = { ...event("T-8", 0, "Started", { evse: { id: 1 } }), timestamp: at(100) };
    await bench.call2(stationId, "TransactionEvent", again);
    await bench.call2(stationId, "TransactionEvent", again);
    expect((await bench.list(stationId)).map(({ status, startedAt }) => [status, startedAt])).toEqual([
      ["Ended", at(0)],
      ["Open", at(100)],
    ]);
  });

  it("is abandoned when its EVSE begins another one, and ends when its end comes after all (E01.FR.14)", async () => {
    const stationId = newStation();
    const evse = { id: 1, connectorId: 1 };
    const start = (id: string, minute: number) => ({ ...event(id, 0, "Started", { evse }), timestamp: at(minute) });
    await bench.call2(stationId, "TransactionEvent", start("T-9", 0));
    await bench.call2(stationId, "TransactionEvent", start("T-10", 60));
    await bench.transactions.settled();
    expect((await bench.list(stationId)).map(({ status }) => status)).toEqual(["Abandoned", "Open"]);
    expect(bench.transactions.openOf(stationId)).toHaveLength(1);
    // An older one that is told of late was over before it came.
    await bench.call2(stationId, "TransactionEvent", { ...start("T-11", 30), offline: true });
    await bench.transactions.settled();
    expect((await bench.list(stationId)).map(({ status }) => status)).toEqual(["Abandoned", "Abandoned", "Open"]);
    await bench.call2(stationId, "TransactionEvent", { ...event("T-9", 1, "Ended"), timestamp: at(20) });
    expect((await bench.list(stationId))[0]).toMatchObject({ status: "Ended", endedAt: at(20) });
  });

  it("is the one that runs when it starts live, whatever the clocks said before", async () => {
    const stationId = newStation();
    const evse = { id: 1, connectorId: 1 };
    const times = ["2099-01-01T00:00:00Z", "1970-01-01T00:00:00Z", at(90), at(30)];
    for (const [index, timestamp] of times.entries()) {
      bench.clock.advance(60_000);
      await bench.call2(stationId, "TransactionEvent", { ...event(`C-${index}`, 0, "Started", { evse }), timestamp });
      await bench.transactions.settled();
      expect(bench.transactions.runningOn(stationId, 1)?.identity.transactionId).toBe(`C-${index}`);
      expect(bench.transactions.openOf(stationId)).toHaveLength(1);
    }
  });

  it("was followed by another when it is told of after an offline time, also one that is over", async () => {
    const stationId = newStation();
    const evse = { id: 1, connectorId: 1 };
    await bench.call2(stationId, "TransactionEvent", { ...event("O-2", 0, "Started", { evse }), timestamp: at(30) });
    await bench.call2(stationId, "TransactionEvent", { ...event("O-2", 1, "Ended"), timestamp: at(40) });
    await bench.restart();
    await bench.call2(stationId, "TransactionEvent", event("O-1", 0, "Started", { evse, offline: true }));
    await bench.transactions.settled();
    expect((await bench.list(stationId)).map(({ status }) => status)).toEqual(["Abandoned", "Ended"]);
  });

  it("was followed by another although its start and end are lost, told late or live", async () => {
    for (const offline of [true, false]) {
      const stationId = `FOLLOWED-${offline}`;
      const send = (transactionId: string, seqNo: number, eventType: "Started" | "Updated" | "Ended", minute: number) =>
        bench.call2(stationId, "TransactionEvent", {
          ...{ eventType, triggerReason: "CablePluggedIn", seqNo, offline, timestamp: at(minute) },
          ...{ transactionInfo: { transactionId }, evse: { id: 1, connectorId: 1 } },
        });
      if (!offline) await send("T1", 1, "Updated", 1);
      await send("T2", 0, "Started", 10);
      await send("T2", 1, "Ended", 20);
      if (offline) await send("T1", 1, "Updated", 1);
      await bench.transactions.settled();
      const books = (await bench.list(stationId)).map(({ transactionId, status }) => [transactionId, status]);
      expect(books).toEqual([
        ["T1", "Abandoned"],
        ["T2", "Ended"],
      ]);
      // A live one that is told of without its start comes after what was told live before.
      await send("T3", 0, "Started", 30);
      await send("T4", 1, "Updated", 40);
      await bench.transactions.settled();
      expect(bench.transactions.runningOn(stationId, 1)?.identity.transactionId).toBe("T4");
    }
  });

  it("accepts a start by a button, with an empty token of NoAuthorization (C02.FR.02)", async () => {
    const stationId = newStation();
    const idToken = { idToken: "", type: "NoAuthorization" };
    const answer = await bench.call2(stationId, "TransactionEvent", event("T-12", 0, "Started", { idToken }));
    expect(answer.idTokenInfo).toEqual({ status: "Accepted" });
    expect((await only(stationId)).idToken).toMatchObject({ idToken: "", type: "NoAuthorization" });
  });

  it("counts registers that come in MeterValues to the transaction on the EVSE (J01.FR.22)", async () => {
    const stationId = newStation();
    const evse = { id: 1 };
    await bench.call2(stationId, "TransactionEvent", event("T-13", 0, "Started", { evse }));
    const values = (evseId: number, minute: number, wh: number) =>
      bench.call2(stationId, "MeterValues", { evseId, meterValue: [reading(minute, wh, "Sample.Clock")] });
    await values(1, 1, 5_000);
    await values(1, 2, 5_100);
    await values(1, 2, 5_100);
    await values(2, 2, 9_999);
    await values(0, 2, 8_888);
    await bench.call2(stationId, "TransactionEvent", { ...event("T-13", 1, "Ended"), timestamp: at(10) });
    // Measured before the end and told of after it; and measured after it.
    await values(1, 3, 5_150);
    await values(1, 11, 6_000);
    expect(await only(stationId)).toMatchObject({ energyWh: 150 });
    const { body } = await bench.api("GET", `/meter-values?stationId=${stationId}&evseId=1`);
    const items = (body as { items: Json[] }).items;
    expect(items).toHaveLength(4);
    expect(items.map((item) => "transaction" in item)).toEqual([true, true, true, false]);
  });

  it("tells the energy from all values when they come in disorder", async () => {
    const stationId = newStation();
    const send = (seqNo: number, type: Ocpp21.TransactionEventEnumType, wh: number, context?: "Transaction.Begin") =>
      bench.call2(
        stationId,
        "TransactionEvent",
        event("T-14", seqNo, type, { evse: { id: 1 }, meterValue: [reading(seqNo, wh, context)] }),
      );
    await send(0, "Started", 0, "Transaction.Begin");
    await send(3, "Updated", 910_083);
    await send(1, "Updated", 910_000);
    await bench.restart();
    await send(2, "Updated", 910_040);
    await send(4, "Ended", 910_090);
    expect(await only(stationId)).toMatchObject({
      energyWh: 90,
      imported: { confidence: "low", notes: ["begin-missing", "begin-of-zero-refuted", "end-missing"] },
    });
  });

  it("is forgotten and read anew when storing fails, and the station may try again", async () => {
    const stationId = newStation();
    const start = event("T-15", 0, "Started", { evse: { id: 1 }, meterValue: [reading(0, 100)] });
    const update = event("T-15", 1, "Updated", { meterValue: [reading(1, 300)] });
    bench.commits.failures = 1;
    await expect(bench.call2(stationId, "TransactionEvent", start)).rejects.toThrow("as the test wanted");
    expect(bench.transactions.openOf(stationId)).toHaveLength(0);
    await bench.call2(stationId, "TransactionEvent", start);
    bench.commits.failures = 1;
    await expect(bench.call2(stationId, "TransactionEvent", update)).rejects.toThrow("as the test wanted");
    await bench.transactions.settled();
    // Concurrency and MeterValues by EVSE count on what is open.
    expect(bench.transactions.runningOn(stationId, 1)?.imported.milliWh).toBe(0);
    expect((await only(stationId)).energyWh).toBe(0);
    await bench.call2(stationId, "TransactionEvent", update);
    expect(await only(stationId)).toMatchObject({ energyWh: 200, missingSeqNos: [] });
  });

  it("gets the values of its EVSE while it is read anew, though no message names it (1.2 MeterValues)", async () => {
    const stationId = newStation();
    const start = { connectorId: 1, idTag: "TAG1", timestamp: at(0), meterStart: 1_000 };
    const { transactionId } = await bench.call1(stationId, "StartTransaction", start);
    const measured = (minute: number, value: string) =>
      bench.call1(stationId, "MeterValues", {
        connectorId: 1,
        meterValue: [{ timestamp: at(minute), sampledValue: [{ value }] }],
      });
    bench.commits.failures = 1;
    await expect(measured(1, "1100")).rejects.toThrow("as the test wanted");
    await measured(1, "1100");
    bench.commits.failures = 1;
    const lost = measured(2, "1200");
    await expect(lost).rejects.toThrow("as the test wanted");
    await bench.call1(stationId, "StopTransaction", { transactionId: 0, timestamp: at(3), meterStop: 1_300 });
    expect(await bench.list(stationId)).toMatchObject([
      { transactionId: String(transactionId), status: "Ended", energyWh: 300 },
    ]);
    expect((await only(stationId)).events).toHaveLength(3);
  });

  it("goes on after a restart", async () => {
    const stationId = newStation();
    const begin = event("T-16", 0, "Started", { evse: { id: 3 }, idToken: token, meterValue: [reading(0, 10)] });
    await bench.call2(stationId, "TransactionEvent", begin);
    await bench.restart();
    expect(bench.transactions.runningOn(stationId, 3)?.identity.transactionId).toBe("T-16");
    expect(bench.transactions.openTransactionsOf("aabbccdd")).toBeGreaterThan(0);
    await bench.call2(stationId, "TransactionEvent", begin);
    await bench.call2(stationId, "TransactionEvent", event("T-16", 1, "Ended", { meterValue: [reading(1, 40)] }));
    expect(await only(stationId)).toMatchObject({ energyWh: 30, status: "Ended" });
  });

  it("takes numbers that no column can hold without harm", async () => {
    const stationId = newStation();
    const absurd = event("T-17", 0, "Started", {
      seqNo: 1e21,
      evse: { id: 1e20, connectorId: -5 },
      timestamp: "0001-01-01T00:00:00Z",
      meterValue: [reading(0, 1e300), { timestamp: "nonsense", sampledValue: [{ value: -1e-300 }] }],
      info: { remoteStartId: 1e30 },
    });
    await bench.call2(stationId, "TransactionEvent", absurd);
    await bench.call2(stationId, "TransactionEvent", absurd);
    expect(await only(stationId)).toMatchObject({ status: "Open", startedAt: "0001-01-01T00:00:00.000Z" });
  });
});

describe("a transaction of family 1", () => {
  const start = { connectorId: 1, idTag: "TAG1", timestamp: at(0), meterStart: 1_000 };

  it("starts, is measured and stops like any other (1.6 §4.8, §4.7, §4.10)", async () => {
    const stationId = newStation();
    const { transactionId, idTagInfo } = await bench.call1(stationId, "StartTransaction", start);
    expect(transactionId).toBeGreaterThan(0);
    expect(idTagInfo).toEqual({ status: "Accepted" });
    await bench.call1(stationId, "MeterValues", {
      connectorId: 1,
      transactionId,
      meterValue: [
        {
          timestamp: at(5),
          sampledValue: [
            { value: "1.25", unit: "kWh" },
            { value: "55", measurand: "SoC" },
          ],
        },
      ],
    });
    expect((await bench.list(stationId))[0]).toMatchObject({ energyWh: 250, socPercent: 55, status: "Open" });
    const stopped = await bench.call1(stationId, "StopTransaction", {
      transactionId,
      idTag: "tag1",
      timestamp: at(10),
      meterStop: 1_600,
      reason: "SoftReset",
    });
    expect(stopped).toEqual({ idTagInfo: { status: "Accepted" } });
    const shown = await only(stationId);
    expect(shown).toMatchObject({
      transactionId: String(transactionId),
      status: "Ended",
      evseId: 1,
      connectorId: 1,
      energyWh: 600,
      meterStartWh: 1_000,
      meterStopWh: 1_600,
      stoppedReason: "ImmediateReset",
      imported: { confidence: "high" },
    });
    expect((shown.events as Json[]).map(({ eventType, triggerReason }) => [eventType, triggerReason])).toEqual([
      ["Started", "Authorized"],
      ["Updated", "MeterValuePeriodic"],
      ["Ended", "ResetCommand"],
    ]);
  });

  it("gets the same id when its start comes again, also at once and after a restart", async () => {
    const stationId = newStation();
    const answers = await Promise.all([1, 2, 3].map(() => bench.call1(stationId, "StartTransaction", start)));
    await bench.restart();
    answers.push(await bench.call1(stationId, "StartTransaction", { ...start, idTag: "tag1" }));
    const [id] = answers.map(({ transactionId }) => transactionId);
    expect(answers.map(({ transactionId }) => transactionId)).toEqual([id, id, id, id]);
    await bench.call1(stationId, "StopTransaction", { transactionId: id ?? 0, timestamp: at(9), meterStop: 1_200 });
    await bench.restart();
    expect((await bench.call1(stationId, "StartTransaction", start)).transactionId).toBe(id);
    expect(await only(stationId)).toMatchObject({ status: "Ended", energyWh: 200 });
  });

  it("never gets an id that another has, on any station and after a restart", async () => {
    const ids = new Set<number>();
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => bench.call1(newStation(), "StartTransaction", start)),
      );
      for (const { transactionId } of answers) ids.add(transactionId);
      await bench.restart();
    }
    expect(ids.size).toBe(60);
  });

  it("is stopped by an id of 0 or -1 when it is the only one that fits", async () => {
    for (const transactionId of [0, -1, 987_654_321]) {
      const stationId = newStation();
      await bench.call1(stationId, "StartTransaction", start);
      const stop = { transactionId, timestamp: at(30), meterStop: 3_000, idTag: "TAG1" };
      await bench.call1(stationId, "StopTransaction", stop);
      await bench.restart();
      await bench.call1(stationId, "StopTransaction", stop);
      expect(await only(stationId)).toMatchObject({
        status: "Ended",
        energyWh: 2_000,
        attributions: ["stop-by-evidence"],
      });
    }
  });

  it("is kept when only its stop comes, once, however often it comes", async () => {
    for (const transactionId of [0, -1, 123_456_789]) {
      const stationId = newStation();
      const stop = { transactionId, timestamp: at(30), meterStop: 3_000, idTag: "TAG1" };
      expect(await bench.call1(stationId, "StopTransaction", stop)).toEqual({ idTagInfo: { status: "Accepted" } });
      await bench.call1(stationId, "StopTransaction", stop);
      await bench.restart();
      await bench.call1(stationId, "StopTransaction", stop);
      expect(await only(stationId)).toMatchObject({ status: "Ended", transactionId: String(transactionId) });
      await bench.call1(stationId, "StopTransaction", { ...stop, timestamp: at(90), meterStop: 4_000 });
      expect(await bench.list(stationId)).toHaveLength(transactionId > 0 ? 1 : 2);
    }
  });

  it("does not take a stop that does not fit it", async () => {
    const stationId = newStation();
    await bench.call1(stationId, "StartTransaction", start);
    const stops = [
      { transactionId: 0, timestamp: at(-30), meterStop: 3_000 },
      { transactionId: 0, timestamp: at(30), meterStop: 500 },
      { transactionId: 0, timestamp: at(30), meterStop: 3_000, idTag: "OTHER" },
    ];
    for (const stop of stops) await bench.call1(stationId, "StopTransaction", stop);
    const all = await bench.list(stationId);
    expect(all.filter(({ status }) => status === "Open")).toHaveLength(1);
    expect(all).toHaveLength(4);
  });

  it("is stopped although the station uses the id of the one before", async () => {
    const stationId = newStation();
    const { transactionId } = await bench.call1(stationId, "StartTransaction", start);
    const stop = { transactionId, timestamp: at(30), meterStop: 3_000 };
    await bench.call1(stationId, "StopTransaction", stop);
    await bench.call1(stationId, "StopTransaction", stop);
    await bench.call1(stationId, "StartTransaction", { ...start, timestamp: at(60), meterStart: 3_000 });
    await bench.call1(stationId, "MeterValues", {
      connectorId: 1,
      transactionId,
      meterValue: [{ timestamp: at(70), sampledValue: [{ value: "3500" }] }],
    });
    await bench.call1(stationId, "StopTransaction", { transactionId, timestamp: at(90), meterStop: 4_000 });
    const all = await Promise.all((await bench.list(stationId)).map(detail));
    expect(all.map(({ status, energyWh }) => [status, energyWh])).toEqual([
      ["Ended", 2_000],
      ["Ended", 1_000],
    ]);
    expect(all[1]?.attributions).toEqual(["meter-values-by-evse", "stop-by-evidence"]);
  });

  it("is abandoned when its connector starts another one", async () => {
    const stationId = newStation();
    await bench.call1(stationId, "StartTransaction", start);
    await bench.call1(stationId, "MeterValues", {
      connectorId: 1,
      meterValue: [{ timestamp: at(10), sampledValue: [{ value: "1400" }] }],
    });
    await bench.call1(stationId, "StartTransaction", { ...start, timestamp: at(60), meterStart: 2_000 });
    await bench.transactions.settled();
    expect((await bench.list(stationId)).map(({ status, energyWh }) => [status, energyWh])).toEqual([
      ["Abandoned", 400],
      ["Open", 0],
    ]);
  });

  it("survives values that are no numbers, and keeps them", async () => {
    const stationId = newStation();
    const { transactionId } = await bench.call1(stationId, "StartTransaction", start);
    await bench.call1(stationId, "MeterValues", {
      connectorId: 1,
      transactionId,
      meterValue: [
        { timestamp: at(1), sampledValue: [{ value: "1.234,5" }, { value: "NaN" }] },
        { timestamp: at(2), sampledValue: [] },
      ],
    });
    const shown = await only(stationId);
    const { body } = await bench.api("GET", `/transactions/${String(shown.id)}/meter-values`);
    expect((body as { items: Json[] }).items).toMatchObject([
      { sampledValue: [{ raw: "1.234,5" }, { raw: "NaN" }] },
      { sampledValue: [] },
    ]);
  });

  it("counts transactionData to the total", async () => {
    const stationId = newStation();
    const { transactionId } = await bench.call1(stationId, "StartTransaction", { ...start, meterStart: 0 });
    await bench.call1(stationId, "StopTransaction", {
      transactionId,
      timestamp: at(30),
      meterStop: 910_083,
      transactionData: [
        { timestamp: at(0), sampledValue: [{ value: "910000", context: "Transaction.Begin" }] },
        { timestamp: at(30), sampledValue: [{ value: "910083", context: "Transaction.End" }] },
      ],
    });
    expect(await only(stationId)).toMatchObject({ energyWh: 83 });
  });
});

describe("the list of transactions", () => {
  it("is paged and filtered", async () => {
    const stationId = newStation();
    for (let index = 0; index < 5; index++) {
      const start = { connectorId: 1 + (index % 2), idTag: `PAGE-${index}`, timestamp: at(index), meterStart: 0 };
      await bench.call1(stationId, "StartTransaction", start);
    }
    await bench.transactions.settled();
    const seen: unknown[] = [];
    let cursor: unknown = null;
    do {
      const more = cursor === null ? "" : `&cursor=${String(cursor)}`;
      const { body } = await bench.api("GET", `/transactions?stationId=${stationId}&limit=2${more}`);
      const page = body as { items: { idToken: { idToken: string } }[]; nextCursor: string | null };
      seen.push(...page.items.map((item) => item.idToken.idToken));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(["PAGE-4", "PAGE-3", "PAGE-2", "PAGE-1", "PAGE-0"]);
    const count = async (filter: string) => {
      const { body } = await bench.api("GET", `/transactions?stationId=${stationId}&${filter}`);
      return (body as { items: Json[] }).items.length;
    };
    expect(await count("idToken=page-3")).toBe(1);
    expect(await count("status=Open")).toBe(2);
    expect(await count("evseId=2")).toBe(2);
    expect(await count(`from=${at(2)}&to=${at(3)}`)).toBe(2);
    expect((await bench.api("GET", "/transactions/nonsense")).status).toBe(404);
    expect((await bench.api("GET", "/transactions/00000000-0000-7000-8000-000000000000/events")).status).toBe(404);
  });
});

import type { Ocpp21 } from "@polyphase/ocpp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { at, type Event, event, reading, token } from "./event-fixture.ts";
import { type Json, TransactionBench } from "./fixture.ts";

let bench: TransactionBench;

beforeAll(async () => {
  bench = await TransactionBench.start();
});

afterAll(async () => {
  await bench.stop();
});

describe("a transaction of family 2", () => {
  it("starts, goes on, ends, and is shown with its timeline and totals", async () => {
    const stationId = bench.newStation();
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
    const shown = await bench.only(stationId);
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
    const stationId = bench.newStation();
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
    const stationId = bench.newStation();
    const first = event("T-3", 0, "Started", { evse: { id: 1 }, idToken: token, meterValue: [reading(0, 5)] });
    const second = event("T-3", 1, "Updated", { meterValue: [reading(1, 25)] });
    const answers = [];
    for (const message of [first, first, second, first, second]) {
      answers.push(await bench.call2(stationId, "TransactionEvent", message));
    }
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[3]).toEqual(answers[0]);
    const shown = await bench.only(stationId);
    expect(shown.energyWh).toBe(20);
    expect(shown.events).toHaveLength(2);
  });

  it("takes the same message over two connections at once, once", async () => {
    const stationId = bench.newStation();
    const start = event("T-4", 0, "Started", { evse: { id: 1 } });
    await Promise.all([1, 2, 3].map(() => bench.call2(stationId, "TransactionEvent", start)));
    expect((await bench.only(stationId)).events).toHaveLength(1);
  });

  it("is complete when its end comes before its start", async () => {
    const stationId = bench.newStation();
    const messages = [
      event("T-5", 2, "Ended", { meterValue: [reading(2, 300, "Transaction.End")], info: { stoppedReason: "Local" } }),
      event("T-5", 1, "Updated", { idToken: token, triggerReason: "Authorized", offline: true }),
      event("T-5", 0, "Started", { meterValue: [reading(0, 100, "Transaction.Begin")], evse: { id: 1 } }),
    ];
    for (const message of messages) await bench.call2(stationId, "TransactionEvent", message);
    expect(await bench.only(stationId)).toMatchObject({
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
    const stationId = bench.newStation();
    for (const seqNo of [7, 9, 12]) {
      const type = seqNo === 7 ? "Started" : seqNo === 12 ? "Ended" : "Updated";
      await bench.call2(stationId, "TransactionEvent", event("T-6", seqNo, type, { evse: { id: 1 } }));
    }
    expect((await bench.only(stationId)).missingSeqNos).toEqual([
      { from: 8, to: 8 },
      { from: 10, to: 11 },
    ]);
  });

  it("keeps both of two different events with one seqNo", async () => {
    const stationId = bench.newStation();
    await bench.call2(stationId, "TransactionEvent", event("T-7", 0, "Started", { evse: { id: 1 } }));
    const other = { ...event("T-7", 0, "Ended"), timestamp: at(30) };
    await bench.call2(stationId, "TransactionEvent", other);
    await bench.call2(stationId, "TransactionEvent", other);
    const shown = await bench.only(stationId);
    expect(shown).toMatchObject({ status: "Ended", endedAt: at(30) });
    expect(shown.events).toHaveLength(2);
  });

  it("takes an id that is used again after the end for another transaction", async () => {
    const stationId = bench.newStation();
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

  it("accepts a start by a button, with an empty token of NoAuthorization (C02.FR.02)", async () => {
    const stationId = bench.newStation();
    const idToken = { idToken: "", type: "NoAuthorization" };
    const answer = await bench.call2(stationId, "TransactionEvent", event("T-12", 0, "Started", { idToken }));
    expect(answer.idTokenInfo).toEqual({ status: "Accepted" });
    expect((await bench.only(stationId)).idToken).toMatchObject({ idToken: "", type: "NoAuthorization" });
  });

  it("counts registers that come in MeterValues to the transaction on the EVSE (J01.FR.22)", async () => {
    const stationId = bench.newStation();
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
    expect(await bench.only(stationId)).toMatchObject({ energyWh: 150 });
    const { body } = await bench.api("GET", `/meter-values?stationId=${stationId}&evseId=1`);
    const items = (body as { items: Json[] }).items;
    expect(items).toHaveLength(4);
    expect(items.map((item) => "transaction" in item)).toEqual([true, true, true, false]);
  });

  it("tells the energy from all values when they come in disorder", async () => {
    const stationId = bench.newStation();
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
    expect(await bench.only(stationId)).toMatchObject({
      energyWh: 90,
      imported: { confidence: "low", notes: ["begin-missing", "begin-of-zero-refuted", "end-missing"] },
    });
  });

  it("takes numbers that no column can hold without harm", async () => {
    const stationId = bench.newStation();
    const absurd = event("T-17", 0, "Started", {
      seqNo: 1e21,
      evse: { id: 1e20, connectorId: -5 },
      timestamp: "0001-01-01T00:00:00Z",
      meterValue: [reading(0, 1e300), { timestamp: "nonsense", sampledValue: [{ value: -1e-300 }] }],
      info: { remoteStartId: 1e30 },
    });
    await bench.call2(stationId, "TransactionEvent", absurd);
    await bench.call2(stationId, "TransactionEvent", absurd);
    expect(await bench.only(stationId)).toMatchObject({ status: "Open", startedAt: "0001-01-01T00:00:00.000Z" });
  });
});

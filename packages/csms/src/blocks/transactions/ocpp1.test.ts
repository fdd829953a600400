import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { at, start } from "./event-fixture.ts";
import { type Json, TransactionBench } from "./fixture.ts";

let bench: TransactionBench;

beforeAll(async () => {
  bench = await TransactionBench.start();
});

afterAll(async () => {
  await bench.stop();
});

describe("a transaction of family 1", () => {
  it("starts, is measured and stops like any other (1.6 §4.8, §4.7, §4.10)", async () => {
    const stationId = bench.newStation();
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
    const shown = await bench.only(stationId);
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
    const stationId = bench.newStation();
    const answers = await Promise.all([1, 2, 3].map(() => bench.call1(stationId, "StartTransaction", start)));
    await bench.restart();
    answers.push(await bench.call1(stationId, "StartTransaction", { ...start, idTag: "tag1" }));
    const [id] = answers.map(({ transactionId }) => transactionId);
    expect(answers.map(({ transactionId }) => transactionId)).toEqual([id, id, id, id]);
    await bench.call1(stationId, "StopTransaction", { transactionId: id ?? 0, timestamp: at(9), meterStop: 1_200 });
    await bench.restart();
    expect((await bench.call1(stationId, "StartTransaction", start)).transactionId).toBe(id);
    expect(await bench.only(stationId)).toMatchObject({ status: "Ended", energyWh: 200 });
  });

  it("never gets an id that another has, on any station and after a restart", async () => {
    const ids = new Set<number>();
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => bench.call1(bench.newStation(), "StartTransaction", start)),
      );
      for (const { transactionId } of answers) ids.add(transactionId);
      await bench.restart();
    }
    expect(ids.size).toBe(60);
  });

  it("is stopped by an id of 0 or -1 when it is the only one that fits", async () => {
    for (const transactionId of [0, -1, 987_654_321]) {
      const stationId = bench.newStation();
      await bench.call1(stationId, "StartTransaction", start);
      const stop = { transactionId, timestamp: at(30), meterStop: 3_000, idTag: "TAG1" };
      await bench.call1(stationId, "StopTransaction", stop);
      await bench.restart();
      await bench.call1(stationId, "StopTransaction", stop);
      expect(await bench.only(stationId)).toMatchObject({
        status: "Ended",
        energyWh: 2_000,
        attributions: ["stop-by-evidence"],
      });
    }
  });

  it("is kept when only its stop comes, once, however often it comes", async () => {
    for (const transactionId of [0, -1, 123_456_789]) {
      const stationId = bench.newStation();
      const stop = { transactionId, timestamp: at(30), meterStop: 3_000, idTag: "TAG1" };
      expect(await bench.call1(stationId, "StopTransaction", stop)).toEqual({ idTagInfo: { status: "Accepted" } });
      await bench.call1(stationId, "StopTransaction", stop);
      await bench.restart();
      await bench.call1(stationId, "StopTransaction", stop);
      expect(await bench.only(stationId)).toMatchObject({ status: "Ended", transactionId: String(transactionId) });
      await bench.call1(stationId, "StopTransaction", { ...stop, timestamp: at(90), meterStop: 4_000 });
      expect(await bench.list(stationId)).toHaveLength(transactionId > 0 ? 1 : 2);
    }
  });

  it("does not take a stop that does not fit it", async () => {
    const stationId = bench.newStation();
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
    const stationId = bench.newStation();
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
    const all = await Promise.all((await bench.list(stationId)).map((transaction) => bench.detail(transaction)));
    expect(all.map(({ status, energyWh }) => [status, energyWh])).toEqual([
      ["Ended", 2_000],
      ["Ended", 1_000],
    ]);
    expect(all[1]?.attributions).toEqual(["meter-values-by-evse", "stop-by-evidence"]);
  });

  it("survives values that are no numbers, and keeps them", async () => {
    const stationId = bench.newStation();
    const { transactionId } = await bench.call1(stationId, "StartTransaction", start);
    await bench.call1(stationId, "MeterValues", {
      connectorId: 1,
      transactionId,
      meterValue: [
        { timestamp: at(1), sampledValue: [{ value: "1.234,5" }, { value: "NaN" }] },
        { timestamp: at(2), sampledValue: [] },
      ],
    });
    const shown = await bench.only(stationId);
    const { body } = await bench.api("GET", `/transactions/${String(shown.id)}/meter-values`);
    expect((body as { items: Json[] }).items).toMatchObject([
      { sampledValue: [{ raw: "1.234,5" }, { raw: "NaN" }] },
      { sampledValue: [] },
    ]);
  });

  it("counts transactionData to the total", async () => {
    const stationId = bench.newStation();
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
    expect(await bench.only(stationId)).toMatchObject({ energyWh: 83 });
  });
});

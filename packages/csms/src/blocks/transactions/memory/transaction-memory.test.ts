import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { at, event, reading, start, token } from "../event-fixture.ts";
import { TransactionBench } from "../fixture.ts";

let bench: TransactionBench;

beforeAll(async () => {
  bench = await TransactionBench.start();
});

afterAll(async () => {
  await bench.stop();
});

describe("a transaction that this process has to read", () => {
  it("is forgotten and read anew when storing fails, and the station may try again", async () => {
    const stationId = bench.newStation();
    const begin = event("T-15", 0, "Started", { evse: { id: 1 }, meterValue: [reading(0, 100)] });
    const update = event("T-15", 1, "Updated", { meterValue: [reading(1, 300)] });
    bench.commits.failures = 1;
    await expect(bench.call2(stationId, "TransactionEvent", begin)).rejects.toThrow("as the test wanted");
    expect(bench.transactions.openOf(stationId)).toHaveLength(0);
    await bench.call2(stationId, "TransactionEvent", begin);
    bench.commits.failures = 1;
    await expect(bench.call2(stationId, "TransactionEvent", update)).rejects.toThrow("as the test wanted");
    await bench.transactions.settled();
    // Concurrency and MeterValues by EVSE count on what is open.
    expect(bench.transactions.runningOn(stationId, 1)?.imported.milliWh).toBe(0);
    expect((await bench.only(stationId)).energyWh).toBe(0);
    await bench.call2(stationId, "TransactionEvent", update);
    expect(await bench.only(stationId)).toMatchObject({ energyWh: 200, missingSeqNos: [] });
  });

  it("gets the values of its EVSE while it is read anew, though no message names it (1.2 MeterValues)", async () => {
    const stationId = bench.newStation();
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
    expect((await bench.only(stationId)).events).toHaveLength(3);
  });

  it("goes on after a restart", async () => {
    const stationId = bench.newStation();
    const begin = event("T-16", 0, "Started", { evse: { id: 3 }, idToken: token, meterValue: [reading(0, 10)] });
    await bench.call2(stationId, "TransactionEvent", begin);
    await bench.restart();
    expect(bench.transactions.runningOn(stationId, 3)?.identity.transactionId).toBe("T-16");
    expect(bench.transactions.openTransactionsOf("aabbccdd")).toBeGreaterThan(0);
    await bench.call2(stationId, "TransactionEvent", begin);
    await bench.call2(stationId, "TransactionEvent", event("T-16", 1, "Ended", { meterValue: [reading(1, 40)] }));
    expect(await bench.only(stationId)).toMatchObject({ energyWh: 30, status: "Ended" });
  });
});

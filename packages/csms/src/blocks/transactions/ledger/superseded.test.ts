import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { at, event, start } from "../event-fixture.ts";
import { TransactionBench } from "../fixture.ts";

let bench: TransactionBench;

beforeAll(async () => {
  bench = await TransactionBench.start();
});

afterAll(async () => {
  await bench.stop();
});

describe("a transaction on an EVSE that serves another", () => {
  it("is abandoned when its EVSE begins another one, and ends when its end comes after all (E01.FR.14)", async () => {
    const stationId = bench.newStation();
    const evse = { id: 1, connectorId: 1 };
    const begin = (id: string, minute: number) => ({ ...event(id, 0, "Started", { evse }), timestamp: at(minute) });
    await bench.call2(stationId, "TransactionEvent", begin("T-9", 0));
    await bench.call2(stationId, "TransactionEvent", begin("T-10", 60));
    await bench.transactions.settled();
    expect((await bench.list(stationId)).map(({ status }) => status)).toEqual(["Abandoned", "Open"]);
    expect(bench.transactions.openOf(stationId)).toHaveLength(1);
    // An older one that is told of late was over before it came.
    await bench.call2(stationId, "TransactionEvent", { ...begin("T-11", 30), offline: true });
    await bench.transactions.settled();
    expect((await bench.list(stationId)).map(({ status }) => status)).toEqual(["Abandoned", "Abandoned", "Open"]);
    await bench.call2(stationId, "TransactionEvent", { ...event("T-9", 1, "Ended"), timestamp: at(20) });
    expect((await bench.list(stationId))[0]).toMatchObject({ status: "Ended", endedAt: at(20) });
  });

  it("is the one that runs when it starts live, whatever the clocks said before", async () => {
    const stationId = bench.newStation();
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
    const stationId = bench.newStation();
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

  it("is abandoned when its connector starts another one", async () => {
    const stationId = bench.newStation();
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
});

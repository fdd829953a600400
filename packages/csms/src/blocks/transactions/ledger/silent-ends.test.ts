import type { ManualTimers, Ocpp21 } from "@polyphase/ocpp";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { StationCalls } from "../../../gateway/station-messages.ts";
import { StationAnsweredError } from "../../../gateway/station-messages.ts";
import { type Json, TransactionBench } from "../fixture.ts";

let bench: TransactionBench;
let timers: ManualTimers;
let count = 0;
let stationId: string;

beforeAll(async () => {
  bench = await TransactionBench.start();
});

afterAll(async () => {
  await bench.stop();
});

const T0 = Date.parse("2026-03-01T11:00:00Z");
const at = (minute: number) => new Date(T0 + minute * 60_000).toISOString();

beforeEach(() => {
  timers = bench.timers;
  stationId = `SILENT-${++count}`;
});

async function start(minute = 0): Promise<number> {
  const request = { connectorId: 1, idTag: "T1", meterStart: 1_000, timestamp: at(minute) };
  return (await bench.call1(stationId, "StartTransaction", request)).transactionId;
}

async function measure(transactionId: number, minute: number, wh: number): Promise<void> {
  const meterValue = [{ timestamp: at(minute), sampledValue: [{ value: String(wh) }] }];
  await bench.call1(stationId, "MeterValues", { connectorId: 1, transactionId, meterValue });
}

function shows(detail: string, minute: number): void {
  const status = detail === "Available" || detail === "Reserved" ? detail : "Occupied";
  const [timestampMs, receivedAtMs] = [Date.parse(at(minute)), bench.clock.now().getTime()];
  bench.transactions.connectorShown(stationId, { evseId: 1, status, detail, timestampMs, receivedAtMs });
}

async function pass(minutes: number): Promise<void> {
  timers.advance(minutes * 60_000);
  await bench.transactions.settled();
}

async function only(): Promise<Json> {
  const [shown] = await bench.list(stationId);
  return (await bench.api("GET", `/transactions/${String(shown?.id)}`)).body;
}

/** What subscribers were told of the station's transactions after their starts, without energy. */
const told = () =>
  bench.events.flatMap((event) => {
    const isMeant = event.stationId === stationId && /ended|abandoned|resumed|corrected/.test(event.type);
    return isMeant ? [event.type.replace("transaction.", "")] : [];
  });

/** What subscribers were told last of the station's transactions. */
const lastTold = () => bench.events.findLast((event) => event.stationId === stationId)?.data;

describe("a transaction of family 1 whose stop does not come", () => {
  it.each(["Available", "Reserved", "Finishing"])(
    "is abandoned when its connector has been %s for a quarter of an hour (1.6 §4.9)",
    async (status) => {
      const id = await start();
      await measure(id, 5, 1_500);
      shows(status, 30);
      await pass(14);
      expect(await only()).toMatchObject({ status: "Open" });
      await pass(1);
      await expect.poll(only).toMatchObject({ status: "Abandoned", abandonedBy: "ConnectorFree", closedAt: at(30) });
      expect(await only()).toMatchObject({ energyWh: 500 });
      expect(bench.transactions.openOf(stationId)).toEqual([]);
      await expect.poll(told).toEqual(["abandoned"]);
      expect(lastTold()).toMatchObject({ abandonedBy: "ConnectorFree", energyWh: 500 });
    },
  );

  it("is over with what its stop tells when that comes after all, also after a restart", async () => {
    const id = await start();
    shows("Available", 30);
    await pass(15);
    await expect.poll(only).toMatchObject({ status: "Abandoned" });
    await bench.restart();
    expect(await only()).toMatchObject({ status: "Abandoned", abandonedBy: "ConnectorFree" });
    await bench.call1(stationId, "StopTransaction", { transactionId: id, meterStop: 4_000, timestamp: at(20) });
    expect(await only()).toMatchObject({ status: "Ended", energyWh: 3_000, endedAt: at(20), stoppedReason: "Local" });
    expect(await only()).not.toHaveProperty("abandonedBy");
    await expect.poll(told).toEqual(["abandoned", "ended"]);
    expect(lastTold()).toMatchObject({ stoppedReason: "Local", energyWh: 3_000 });
  });

  it("goes on when its meter values show that it does, and not by those from before", async () => {
    const id = await start();
    shows("Available", 30);
    await pass(15);
    await expect.poll(only).toMatchObject({ status: "Abandoned" });
    await measure(id, 10, 1_200);
    expect(await only()).toMatchObject({ status: "Abandoned", energyWh: 200 });
    await measure(id, 50, 1_900);
    expect(await only()).toMatchObject({ status: "Open", energyWh: 900 });
    expect(await only()).not.toHaveProperty("closedAt");
    expect(bench.transactions.openOf(stationId)).toHaveLength(1);
    await bench.restart();
    expect(bench.transactions.openOf(stationId)).toHaveLength(1);
    await expect.poll(told).toEqual(["abandoned", "corrected", "resumed"]);
    expect(lastTold()).toMatchObject({ energyWh: 900 });
  });

  it("is not doubted when the connector charges again, or the transaction is heard of", async () => {
    const id = await start();
    shows("Available", 30);
    shows("Charging", 31);
    await pass(60);
    shows("Available", 40);
    await pass(10);
    await measure(id, 45, 2_000);
    await pass(60);
    expect(await only()).toMatchObject({ status: "Open" });
  });

  it("is not doubted by a status from before its last word", async () => {
    const id = await start();
    await measure(id, 20, 2_000);
    shows("Available", 10);
    await pass(60);
    expect(await only()).toMatchObject({ status: "Open" });
  });

  it("is abandoned when its connector is Preparing after a boot, which no transaction outlives there", async () => {
    await start();
    shows("Preparing", 1);
    await pass(60);
    expect(await only()).toMatchObject({ status: "Open" });
    bench.transactions.stationBooted(stationId);
    shows("Preparing", 30);
    await pass(15);
    await expect.poll(only).toMatchObject({ status: "Abandoned", abandonedBy: "ConnectorFree" });
  });
});

describe("a transaction of family 2 of which a station says nothing after a boot", () => {
  type Status = Ocpp21.GetTransactionStatusResponse;
  let asked: string[];

  function answering(answer: Status | Error): void {
    asked = [];
    const calls: Pick<StationCalls, "session" | "call2"> = {
      session: () => ({ family: 2 }) as ReturnType<StationCalls["session"]>,
      call2: async (_station, action) => {
        asked.push(action);
        if (answer instanceof Error) throw answer;
        return answer as never;
      },
    };
    bench.transactions.registerCommands(undefined, calls as StationCalls);
  }

  async function event(seqNo: number, more: Partial<Ocpp21.TransactionEventRequest> = {}): Promise<void> {
    await bench.call2(stationId, "TransactionEvent", {
      eventType: seqNo === 0 ? "Started" : "Updated",
      timestamp: at(seqNo),
      triggerReason: "CablePluggedIn",
      seqNo,
      transactionInfo: { transactionId: "TX" },
      evse: { id: 1, connectorId: 1 },
      ...more,
    });
  }

  async function boot(): Promise<void> {
    bench.transactions.stationBooted(stationId);
    timers.advance(10_000);
    await expect.poll(() => asked).toHaveLength(1);
  }

  it("is abandoned when the station knows of none (E14.FR.02)", async () => {
    answering({ ongoingIndicator: false, messagesInQueue: false });
    await event(0);
    await boot();
    await expect.poll(only).toMatchObject({ status: "Abandoned", abandonedBy: "StationDenies" });
  });

  it("is over with its end when that comes after all, and goes on when it is told live", async () => {
    answering({ ongoingIndicator: false, messagesInQueue: false });
    await event(0);
    await boot();
    await expect.poll(only).toMatchObject({ status: "Abandoned" });
    await event(1, { offline: true });
    expect(await only()).toMatchObject({ status: "Abandoned" });
    await event(2);
    expect(await only()).toMatchObject({ status: "Open" });
    await event(3, { eventType: "Ended", triggerReason: "EVDeparted" });
    expect(await only()).toMatchObject({ status: "Ended", endedAt: at(3) });
  });

  it.each([
    ["runs", { ongoingIndicator: true, messagesInQueue: false }],
    ["has ended, with messages in the queue", { ongoingIndicator: false, messagesInQueue: true }],
    ["may run, for the station does not say", { messagesInQueue: false }],
    ["may run, for the station cannot answer", new StationAnsweredError("S", "NotImplemented", "")],
  ] as const)("stays open when it %s (E14)", async (_what, answer) => {
    answering(answer);
    await event(0);
    await boot();
    await pass(60);
    expect(await only()).toMatchObject({ status: "Open" });
  });

  it("is not asked for when it was heard of since the boot", async () => {
    answering({ ongoingIndicator: false, messagesInQueue: false });
    await event(0);
    bench.transactions.stationBooted(stationId);
    await event(1);
    await pass(1);
    expect(asked).toEqual([]);
    expect(await only()).toMatchObject({ status: "Open" });
  });
});

describe("a transaction that is over", () => {
  const event = (seqNo: number, wh: number) =>
    bench.call2(stationId, "TransactionEvent", {
      eventType: seqNo === 0 ? "Started" : seqNo === 2 ? "Ended" : "Updated",
      ...{ timestamp: at(seqNo), triggerReason: "MeterValuePeriodic", seqNo, offline: true },
      ...{ transactionInfo: { transactionId: "TX" }, evse: { id: 1, connectorId: 1 } },
      meterValue: [{ timestamp: at(seqNo), sampledValue: [{ value: wh }] }],
    });

  it("is told as ended once, and as corrected when a late message changes its energy, not when one comes again", async () => {
    await event(1, 1_500);
    await event(2, 2_000);
    await event(2, 2_000);
    await bench.restart();
    await event(1, 1_500);
    await event(0, 1_000);
    await event(0, 1_000);
    await expect.poll(told).toEqual(["ended", "corrected"]);
    expect(lastTold()).toMatchObject({ energyWh: 1_000 });
    await bench.restart();
    await event(0, 1_000);
    await event(2, 2_000);
    expect(told()).toEqual(["ended", "corrected"]);
  });
});

describe("an open transaction that an operator closes", () => {
  it("is abandoned, stays so whatever is told of it, and ends when its end comes", async () => {
    const id = await start();
    const { id: key } = await only();
    const closed = await bench.api("POST", `/transactions/${String(key)}/close`);
    expect(closed).toMatchObject({ status: 200, body: { status: "Abandoned", abandonedBy: "Operator" } });
    await measure(id, 90, 1_700);
    expect(await only()).toMatchObject({ status: "Abandoned", energyWh: 700 });
    expect((await bench.api("POST", `/transactions/${String(key)}/close`)).status).toBe(409);
    await bench.call1(stationId, "StopTransaction", { transactionId: id, meterStop: 2_000, timestamp: at(100) });
    expect(await only()).toMatchObject({ status: "Ended", energyWh: 1_000 });
    expect((await bench.api("POST", `/transactions/${crypto.randomUUID()}/close`)).status).toBe(404);
  });
});

describe("memory", () => {
  it("is not ahead of the database when judging an event throws", async () => {
    const { authorize } = bench.authorization;
    bench.authorization.authorize = () => {
      throw new Error("as the test wanted");
    };
    await expect(start()).rejects.toThrow("as the test wanted");
    bench.authorization.authorize = authorize;
    await bench.transactions.settled();
    expect(bench.transactions.openOf(stationId)).toEqual([]);
    expect(await bench.list(stationId)).toEqual([]);
    const id = await start();
    expect(bench.transactions.openOf(stationId).map(({ identity }) => identity.transactionId)).toEqual([String(id)]);
  });
});

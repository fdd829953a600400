import { afterAll, beforeAll, expect, it } from "vitest";
import { TransactionBench } from "../fixture.ts";

let bench: TransactionBench;

beforeAll(async () => {
  bench = await TransactionBench.start();
});

afterAll(async () => {
  await bench.stop();
});

let sessions = 0;

/** A transaction that imports energy; it runs on without an end. */
async function charge(stationId: string, startedAt: string, energyWh: number, isOver = true): Promise<void> {
  const transactionId = `T${++sessions}`;
  const begin = Date.parse(startedAt);
  const types = isOver ? (["Started", "Updated", "Ended"] as const) : (["Started", "Updated"] as const);
  for (const [seqNo, eventType] of types.entries()) {
    const timestamp = new Date(begin + seqNo * 600_000).toISOString();
    const value = 1_000 + energyWh * Math.min(seqNo, 1);
    await bench.call2(stationId, "TransactionEvent", {
      ...{ eventType, timestamp, seqNo, triggerReason: "Trigger", evse: { id: sessions } },
      transactionInfo: { transactionId },
      meterValue: [{ timestamp, sampledValue: [{ value, measurand: "Energy.Active.Import.Register" }] }],
    });
  }
}

async function summary(query: string) {
  const { status, body } = await bench.api("GET", `/transactions/summary?${query}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return body as { readonly items: readonly object[]; readonly nextCursor: string | null };
}

const march = "from=2026-02-27T00:00:00Z&to=2026-03-31T00:00:00Z";
const sum = (energyWh: number, transactions: number, running = 0) => ({
  transactions,
  running,
  energyWh,
  exportedEnergyWh: 0,
});

it("sums up energy by day and station, running transactions included", async () => {
  expect(await summary(march)).toEqual({ items: [], nextCursor: null });
  await charge("A", "2026-02-28T22:30:00Z", 1_000);
  await charge("A", "2026-03-01T10:00:00Z", 200);
  await charge("B", "2026-03-01T11:00:00Z", 30);
  await charge("B", "2026-03-01T12:00:00Z", 4, false);
  await charge("B", "2026-01-01T12:00:00Z", 77_777);
  expect((await summary(march)).items).toEqual([sum(1_234, 4, 1)]);
  expect((await summary(`${march}&stationId=B`)).items).toEqual([sum(34, 2, 1)]);
  expect((await summary(`${march}&by=station`)).items).toEqual([
    { stationId: "A", ...sum(1_200, 2) },
    { stationId: "B", ...sum(34, 2, 1) },
  ]);
  const days = [
    { from: "2026-02-28T00:00:00.000Z", stationId: "A", ...sum(1_000, 1) },
    { from: "2026-03-01T00:00:00.000Z", stationId: "A", ...sum(200, 1) },
    { from: "2026-03-01T00:00:00.000Z", stationId: "B", ...sum(34, 2, 1) },
  ];
  expect((await summary(`${march}&by=day,station`)).items).toEqual(days);
});

it("lets days and months begin where the operator is", async () => {
  expect((await summary(`${march}&by=day&timeZone=Asia/Tokyo`)).items).toEqual([
    { from: "2026-02-28T15:00:00.000Z", ...sum(1_234, 4, 1) },
  ]);
  expect((await summary(`${march}&by=month&timeZone=Europe/Berlin`)).items).toEqual([
    { from: "2026-01-31T23:00:00.000Z", ...sum(1_000, 1) },
    { from: "2026-02-28T23:00:00.000Z", ...sum(234, 3, 1) },
  ]);
  const { status, body } = await bench.api("GET", `/transactions/summary?${march}&timeZone=Atlantis/Capital`);
  expect([status, body]).toMatchObject([400, {}]);
});

it("is paged without a gap", async () => {
  const found: object[] = [];
  let cursor = "";
  do {
    const page = await summary(`${march}&by=day,station&limit=1${cursor}`);
    found.push(...page.items);
    expect(page.items).toHaveLength(1);
    cursor = page.nextCursor === null ? "" : `&cursor=${page.nextCursor}`;
  } while (cursor !== "");
  expect(found).toEqual((await summary(`${march}&by=day,station`)).items);
  expect(found).toHaveLength(3);
});

it("counts what reaches a transaction after its end", async () => {
  const timestamp = "2026-03-01T10:15:00Z";
  await bench.call2("A", "TransactionEvent", {
    ...{ eventType: "Updated", timestamp, seqNo: 9, triggerReason: "Trigger", offline: true },
    transactionInfo: { transactionId: "T2" },
    meterValue: [
      {
        timestamp: "2026-03-01T10:25:00Z",
        sampledValue: [{ value: 1_250, measurand: "Energy.Active.Import.Register", context: "Transaction.End" }],
      },
    ],
  });
  const { body } = await bench.api("GET", "/transactions?transactionId=T2");
  const energyWh = (body as { items: { energyWh: number }[] }).items[0]?.energyWh;
  expect(energyWh).toBe(250);
  expect((await summary(`${march}&by=station&stationId=A`)).items).toEqual([{ stationId: "A", ...sum(1_250, 2) }]);
});

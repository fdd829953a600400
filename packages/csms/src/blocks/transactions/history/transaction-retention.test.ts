import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { maintainPartitions } from "../../../database/partitions.ts";
import { TransactionBench } from "../fixture.ts";
import { transactionEventPartitions } from "../index.ts";
import { deleteExpiredTransactions, keepTransactions } from "./transaction-retention.ts";

let bench: TransactionBench;
let seqNo = 0;

beforeAll(async () => {
  bench = await TransactionBench.start();
});

afterAll(async () => {
  await bench.stop();
});

async function send(transactionId: string, eventType: "Started" | "Updated" | "Ended"): Promise<void> {
  await bench.call2("CS", "TransactionEvent", {
    eventType,
    timestamp: bench.clock.now().toISOString(),
    triggerReason: "Trigger",
    seqNo: seqNo++,
    transactionInfo: { transactionId },
    evse: { id: seqNo },
  });
}

async function detailOf(transactionId: string) {
  const [found] = (await bench.list("CS")).filter((each) => each.transactionId === transactionId);
  return (await bench.api("GET", `/transactions/${String(found?.id)}`)).body;
}

async function maintainEvents(retentionDays: number) {
  return await maintainPartitions(bench.kysely, transactionEventPartitions(retentionDays), bench.clock.now());
}

it("single events go by the day when their retention is over, the transaction with its totals stays", async () => {
  await maintainEvents(30);
  await send("OLD", "Started");
  await send("OLD", "Ended");
  bench.clock.set("2026-03-02T12:00:00Z");
  await send("NEW", "Started");
  await send("NEW", "Ended");
  expect(await detailOf("OLD")).toMatchObject({ status: "Ended", events: [{}, {}] });
  bench.clock.set("2026-04-01T00:00:00Z");
  expect((await maintainEvents(30)).dropped).toEqual(["transaction_event_p20260228", "transaction_event_p20260301"]);
  expect(await detailOf("OLD")).toMatchObject({ status: "Ended", events: [], missingSeqNos: [] });
  expect(await detailOf("NEW")).toMatchObject({ status: "Ended", events: [{}, {}] });
});

it("transactions go when their retention is over, unless they run", async () => {
  await send("RUNS", "Started");
  bench.clock.set("2026-05-02T00:00:00Z");
  await send("LATE", "Started");
  await send("LATE", "Ended");
  const options = { database: bench.kysely, clock: bench.clock, retentionDays: 30 };
  expect(await deleteExpiredTransactions(options)).toBe(2);
  const left = await bench.list("CS");
  expect(left.map(({ transactionId }) => transactionId)).toEqual(["RUNS", "LATE"]);
});

it("the retention of transactions is looked after from the start of the process on", async () => {
  bench.clock.set("2026-07-01T00:00:00Z");
  let told = () => {};
  const deleted = new Promise<void>((resolve) => {
    told = resolve;
  });
  const log = pino({ level: "info" }, { write: () => told() });
  const stop = keepTransactions({ database: bench.kysely, clock: bench.clock, log, retentionDays: 30 });
  await deleted;
  stop();
  expect((await bench.list("CS")).map(({ transactionId }) => transactionId)).toEqual(["RUNS"]);
});

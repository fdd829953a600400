import { expect, it } from "vitest";
import { Transaction } from "../transaction/transaction.ts";
import type { EventType } from "../transaction/transaction-event.ts";
import { HotTransactions } from "./hot-transactions.ts";

const T0 = Date.parse("2026-03-01T00:00:00Z");

function make(transactionId: string, evseId: number, idToken = "Token"): Transaction {
  const transaction = new Transaction({ id: transactionId, stationId: "CS", transactionId, generation: 1 });
  tell(transaction, "Started", evseId, idToken);
  return transaction;
}

function tell(transaction: Transaction, eventType: EventType, evseId: number, idToken = "Token"): void {
  const seqNo = eventType === "Started" ? 0 : 1;
  transaction.tell({
    eventType,
    triggerReason: "Authorized",
    atMs: T0 + seqNo,
    receivedAt: new Date(T0),
    seqNo,
    key: String(seqNo),
    offline: false,
    facts: { evseId, idToken: { idToken }, idTokenStatus: "Accepted" },
    meterValues: [],
  });
}

it("finds open transactions by station, EVSE and token until they are over", () => {
  const hot = new HotTransactions();
  const first = make("1", 1);
  const second = make("2", 2, "TOKEN");
  hot.put(first, true);
  hot.put(second, true);
  expect([...hot.openOf("CS")]).toEqual([first, second]);
  expect([...hot.openWithToken("token")]).toEqual([first, second]);
  expect(hot.runningOn("CS", 2)).toBe(second);
  tell(second, "Ended", 2);
  hot.refresh(second);
  expect([...hot.openOf("CS")]).toEqual([first]);
  expect([...hot.openWithToken("token")]).toEqual([first]);
  expect(hot.runningOn("CS", 2)).toBeUndefined();
  expect(hot.lastOverOn("CS", 2)).toBe(second);
  expect(hot.get("CS", "2")).toBe(second);
});

it("forgets the oldest of those that are over, but none that is being written", () => {
  const hot = new HotTransactions(2);
  const all = ["1", "2", "3", "4"].map((id) => make(id, Number(id)));
  for (const transaction of all) {
    hot.put(transaction, true);
    if (transaction.identity.id === "2") transaction.busy = Promise.resolve();
    tell(transaction, "Ended", Number(transaction.identity.id));
    hot.refresh(transaction);
  }
  expect(all.map((transaction) => hot.has(transaction))).toEqual([false, true, false, true]);
  expect(hot.get("CS", "1")).toBeUndefined();
  expect(hot.lastOverOn("CS", 1)).toBeUndefined();
  expect([...hot.open()]).toEqual([]);
});

import { describe, expect, it } from "vitest";
import {
  balanceMessages,
  type ChargeBalance,
  isBalanced,
  type SentMessage,
  totalsOf,
} from "../../bench/soak/ledger.ts";
import { soakOptions } from "../../bench/soak/soak-options.ts";

const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 12, minute)).toISOString();

function sent(eventType: string, minute: number, outcome: SentMessage["outcome"] = "acknowledged"): SentMessage {
  return { eventType, timestamp: at(minute), outcome };
}

const books = [sent("Started", 0), sent("Updated", 1), sent("Updated", 2), sent("Ended", 3)];
const stored = books.map(({ eventType, timestamp }) => ({ eventType, timestamp }));

describe("the ledger of a soak", () => {
  it("is in balance when everything acknowledged is stored once", () => {
    expect(balanceMessages(books, stored)).toEqual({ sent: 4, acknowledged: 4, stored: 4, lost: 0, doubled: 0 });
  });

  it("reads moments and not their texts", () => {
    const other = stored.map((each) => ({ ...each, timestamp: each.timestamp.replace(".000Z", "+00:00") }));
    expect(balanceMessages(books, other)).toMatchObject({ lost: 0, doubled: 0 });
  });

  it("finds what was acknowledged and is not stored, also when something else is stored twice", () => {
    const [started, first, , ended] = stored;
    if (started === undefined || first === undefined || ended === undefined) throw new Error("no events");
    expect(balanceMessages(books, [started, first, ended])).toMatchObject({ lost: 1, doubled: 0 });
    expect(balanceMessages(books, [started, first, first, ended])).toMatchObject({ stored: 4, lost: 1, doubled: 1 });
  });

  it("finds what is stored and was never sent", () => {
    expect(balanceMessages(books, [...stored, { eventType: "Updated", timestamp: at(9) }])).toMatchObject({
      doubled: 1,
    });
  });

  it("tells messages of family 2 apart by their number", () => {
    const numbered = books.map((message, seqNo) => ({ ...message, seqNo, timestamp: at(0) }));
    expect(balanceMessages(numbered, numbered)).toMatchObject({ lost: 0, doubled: 0 });
    expect(balanceMessages(numbered, numbered.slice(1))).toMatchObject({ lost: 1, doubled: 0 });
    expect(balanceMessages(numbered, [...numbered, ...numbered.slice(3)])).toMatchObject({ lost: 0, doubled: 1 });
  });

  it("lets a message without an answer be stored or not", () => {
    const withPending = [...books, sent("Updated", 4, "pending")];
    expect(balanceMessages(withPending, stored)).toMatchObject({ sent: 5, acknowledged: 4, lost: 0, doubled: 0 });
    const all = withPending.map(({ eventType, timestamp }) => ({ eventType, timestamp }));
    expect(balanceMessages(withPending, all)).toMatchObject({ lost: 0, doubled: 0 });
  });

  it("adds up charges, and is balanced only when nothing differs", () => {
    const good: ChargeBalance = {
      ...balanceMessages(books, stored),
      ...{ stationId: "CS", transactionId: "1", trueWh: 700, accountedWh: 700 },
    };
    expect(totalsOf([good, good])).toMatchObject({
      charges: 2,
      sent: 8,
      trueWh: 1_400,
      accountedWh: 1_400,
      differing: [],
    });
    expect(isBalanced(totalsOf([good]))).toBe(true);
    for (const fault of [{ lost: 1 }, { doubled: 1 }, { accountedWh: 701 }, { accountedWh: undefined }]) {
      expect(isBalanced(totalsOf([good, { ...good, ...fault }])), JSON.stringify(fault)).toBe(false);
    }
    const opposite = [
      { ...good, accountedWh: 699 },
      { ...good, accountedWh: 701 },
    ];
    expect(totalsOf(opposite)).toMatchObject({ trueWh: 1_400, accountedWh: 1_400, differing: opposite });
    expect(isBalanced(totalsOf(opposite))).toBe(false);
  });
});

describe("the arguments of a soak", () => {
  it("have presets, and are told when they are wrong", () => {
    expect(soakOptions([])).toEqual({ minutes: 60, stations: 50, seed: 1, reportS: 60 });
    expect(soakOptions(["--minutes", "0.5", "--stations", "7"])).toMatchObject({ minutes: 0.5, stations: 7 });
    expect(() => soakOptions(["--hours", "1"])).toThrow("there is no --hours");
    for (const wrong of [["--stations"], ["--stations", "1.5"], ["--minutes", "-1"], ["--seed", "x"]]) {
      expect(() => soakOptions(wrong), wrong.join(" ")).toThrow(`${wrong[0]} must be followed by a number`);
    }
  });
});

import { afterEach, describe, expect, it } from "vitest";
import { newIds, useHonestCsms } from "./honest-csms.ts";
import { onlyTransactionOf, RawStation, transactionsOf } from "./raw-station.ts";
import type { Item } from "./running-csms.ts";

const running = useHonestCsms();
let station: RawStation;

afterEach(async () => {
  await station.close();
});

const newId = newIds();
const at = (minute: number) => new Date(Date.parse("2026-04-01T10:00:00Z") + minute * 60_000).toISOString();

async function start(minute: number, meterStart: number, more: object = {}): Promise<number> {
  const request = { connectorId: 1, idTag: "HONEST", meterStart, timestamp: at(minute), ...more };
  const { transactionId } = await station.call("StartTransaction", request);
  return transactionId as number;
}

function stop(minute: number, transactionId: number, meterStop: number, more: object = {}) {
  return station.call("StopTransaction", { transactionId, meterStop, timestamp: at(minute), ...more });
}

type Sample = {
  readonly value: string;
  readonly measurand?: string;
  readonly context?: string;
  readonly unit?: string;
};

function measure(transactionId: number | undefined, values: readonly (readonly [number, ...Sample[]])[]) {
  const meterValue = values.map(([minute, ...sampledValue]) => ({ timestamp: at(minute), sampledValue }));
  return station.call("MeterValues", {
    ...(transactionId === undefined ? {} : { transactionId }),
    ...{ connectorId: 1, meterValue },
  });
}

/** Energy and status of every transaction of the station, the oldest first. */
async function accounts(): Promise<(readonly [energyWh: unknown, status: unknown])[]> {
  const items = await transactionsOf(running, station.identity);
  return items.map(({ energyWh, status }) => [energyWh, status] as const).reverse();
}

describe("an id of a transaction in 1.6", () => {
  it.each([0, -1, 987_654_321, 2 ** 31 - 1, -(2 ** 31)])(
    "that the station made up (%d) when it stops ends the only transaction that can be meant",
    async (made) => {
      station = await RawStation.boot16(running, newId("MADEUP"));
      await start(0, 1_000);
      await measure(made, [[10, { value: "1500" }]]);
      expect(await stop(20, made, 2_000, { idTag: "HONEST" })).toEqual({ idTagInfo: { status: "Accepted" } });
      expect(await onlyTransactionOf(running, station.identity)).toMatchObject({
        ...{ energyWh: 1_000, status: "Ended" },
        attributions: ["meter-values-by-evse", "stop-by-evidence"],
      });
      // It is sent again, for its answer was lost: nothing changes.
      expect(await stop(20, made, 2_000, { idTag: "HONEST" })).toEqual({ idTagInfo: { status: "Accepted" } });
      expect(await accounts()).toEqual([[1_000, "Ended"]]);
    },
  );

  it.each([0, -1])("%d, used by every session, keeps the sessions apart", async (made) => {
    station = await RawStation.boot16(running, newId("ALWAYS"));
    for (const session of [0, 1, 2]) {
      await start(session * 60, 1_000 * session);
      await stop(session * 60 + 30, made, 1_000 * session + 100 * (session + 1));
    }
    expect(await accounts()).toEqual([
      [100, "Ended"],
      [200, "Ended"],
      [300, "Ended"],
    ]);
  });

  it.each([0, -1])(
    "%d, when two connectors charge and it may mean either, ends neither and loses nothing",
    async (made) => {
      station = await RawStation.boot16(running, newId("EITHER"));
      const first = await start(0, 1_000);
      await start(1, 5_000, { connectorId: 2 });
      expect(await stop(20, made, 6_000)).toEqual({});
      const items = await transactionsOf(running, station.identity);
      expect(items.map(({ status }) => status).sort()).toEqual(["Ended", "Open", "Open"]);
      expect(items.find(({ status }) => status === "Ended")).toMatchObject({ transactionId: String(made) });
      await stop(30, first, 1_700);
      expect(await accounts()).toContainEqual([700, "Ended"]);
    },
  );

  it("that is used again after its stop is another session's, and the books of the first stay closed", async () => {
    station = await RawStation.boot16(running, newId("REUSED"));
    const id = await start(0, 1_000);
    await stop(30, id, 2_000);
    // The next start is answered, and the station goes on with the old id.
    await start(60, 2_000);
    await measure(id, [[70, { value: "2300" }]]);
    await stop(90, id, 2_500);
    expect(await accounts()).toEqual([
      [1_000, "Ended"],
      [500, "Ended"],
    ]);
  });

  it("of another station's transaction changes nothing there", async () => {
    const other = await RawStation.boot16(running, newId("VICTIM"));
    station = other;
    const id = await start(0, 1_000);
    station = await RawStation.boot16(running, newId("THIEF"));
    await measure(id, [[10, { value: "999999" }]]);
    expect(await stop(20, id, 999_999)).toEqual({});
    expect(await onlyTransactionOf(running, other.identity)).toMatchObject({ status: "Open", energyWh: 0 });
    expect(await transactionsOf(running, station.identity)).toHaveLength(1);
    await other.close();
  });
});

describe("messages of a session in 1.6", () => {
  it("that start it twice get one id and make one transaction", async () => {
    station = await RawStation.boot16(running, newId("TWICE"));
    const first = await start(0, 1_000);
    expect(await start(0, 1_000)).toBe(first);
    // Both at once, over a connection made for the repeat.
    const again = await RawStation.boot16(running, station.identity);
    station = again;
    const request = { connectorId: 1, idTag: "honest", meterStart: 1_000, timestamp: at(0) };
    const both = await Promise.all([again.call("StartTransaction", request), again.call("StartTransaction", request)]);
    expect(both.map(({ transactionId }) => transactionId)).toEqual([first, first]);
    await stop(30, first, 1_900);
    // After its stop as well.
    expect(await start(0, 1_000)).toBe(first);
    expect(await accounts()).toEqual([[900, "Ended"]]);
  });

  it("that start it twice with other times leave one open, and no energy is counted twice", async () => {
    station = await RawStation.boot16(running, newId("RESTART"));
    const first = await start(0, 1_000);
    const second = await start(1, 1_000);
    expect(second).not.toBe(first);
    await measure(second, [[10, { value: "1400" }]]);
    await stop(30, second, 1_900);
    const items = await transactionsOf(running, station.identity);
    expect(items.filter(({ status }) => status === "Open")).toEqual([]);
    expect(items.find(({ transactionId }) => transactionId === String(second))).toMatchObject({ energyWh: 900 });
    expect(items.find(({ transactionId }) => transactionId === String(first))).toMatchObject({ status: "Abandoned" });
    const sum = items.reduce((total, { energyWh }) => total + Number(energyWh ?? 0), 0);
    expect(sum).toBe(900);
  });

  it("that stop what was never started are kept and answered, once", async () => {
    station = await RawStation.boot16(running, newId("ORPHAN"));
    const data = [{ timestamp: at(10), sampledValue: [{ value: "4500" }] }];
    for (const _ of [1, 2, 3]) {
      expect(await stop(20, 4_711_000, 5_000, { idTag: "HONEST", transactionData: data })).toEqual({
        idTagInfo: { status: "Accepted" },
      });
    }
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({
      ...{ transactionId: "4711000", status: "Ended", meterStopWh: 5_000, energyWh: 500 },
      imported: { confidence: "medium", notes: expect.arrayContaining(["begin-missing"]) },
    });
  });

  it.each([{ meterStop: 400 }, { meterStop: 0 }])(
    "that stop below the meter of the start ($meterStop) never count negative energy",
    async ({ meterStop }) => {
      station = await RawStation.boot16(running, newId("BELOW"));
      const id = await start(0, 1_000);
      await measure(id, [
        [10, { value: "1300" }],
        [20, { value: "1700" }],
      ]);
      expect(await stop(30, id, meterStop)).toEqual({});
      expect(await onlyTransactionOf(running, station.identity)).toMatchObject({ energyWh: 700, status: "Ended" });
    },
  );

  it("that stop below the meter of the start, with nothing between, count nothing", async () => {
    station = await RawStation.boot16(running, newId("BELOW"));
    const id = await start(0, 1_000);
    expect(await stop(30, id, 400)).toEqual({});
    const transaction = await onlyTransactionOf(running, station.identity);
    expect(transaction).toMatchObject({ status: "Ended", meterStartWh: 1_000, meterStopWh: 400 });
    expect(transaction.energyWh ?? 0).toBe(0);
  });

  it("that begin an offline session at 0 on an absolute meter bill 83 Wh and not 910 kWh", async () => {
    station = await RawStation.boot16(running, newId("TRAP"));
    const id = await start(0, 0);
    await measure(id, [
      [0, { value: "0", context: "Transaction.Begin" }],
      [1, { value: "910000" }],
      [2, { value: "910040" }],
    ]);
    await stop(3, id, 910_083);
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({
      ...{ energyWh: 83, status: "Ended", imported: { notes: expect.arrayContaining(["begin-of-zero-refuted"]) } },
    });
  });

  it("that measure after the end are kept, and change no account", async () => {
    station = await RawStation.boot16(running, newId("LATE"));
    const id = await start(0, 1_000);
    await stop(30, id, 2_000);
    await measure(id, [
      [40, { value: "2500" }],
      [50, { value: "9000" }],
    ]);
    const transaction = await onlyTransactionOf(running, station.identity);
    expect(transaction).toMatchObject({ energyWh: 1_000, status: "Ended" });
    const { body } = await running.api("GET", `/transactions/${transaction.id}/meter-values`);
    expect(body.items).toHaveLength(2);
    // What was measured before the end and came late does count where it must: nowhere, for the ends agree.
    await measure(id, [[15, { value: "1400" }]]);
    expect(await accounts()).toEqual([[1_000, "Ended"]]);
  });

  it("that are clock-aligned or tell the state of charge only reset no total", async () => {
    station = await RawStation.boot16(running, newId("CLOCK"));
    const id = await start(0, 1_000);
    const energy = async () => (await onlyTransactionOf(running, station.identity)).energyWh;
    await measure(id, [[5, { value: "1600" }]]);
    expect(await energy()).toBe(600);
    await measure(id, [[6, { value: "57", measurand: "SoC", unit: "Percent", context: "Sample.Clock" }]]);
    expect(await energy()).toBe(600);
    await measure(undefined, [
      [7, { value: "7200", measurand: "Power.Active.Import", unit: "W", context: "Sample.Clock" }],
    ]);
    expect(await energy()).toBe(600);
    await measure(undefined, [[8, { value: "1700", context: "Sample.Clock" }]]);
    expect(await energy()).toBe(700);
    await measure(id, [[9, { value: "0", measurand: "Current.Import", unit: "A" }]]);
    await measure(id, [[10, { value: "0", measurand: "Energy.Active.Import.Interval", context: "Sample.Clock" }]]);
    expect(await energy()).toBe(700);
    await stop(30, id, 1_900);
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({ energyWh: 900, socPercent: 57 });
  });

  it("that come in any order and twice make the same account", async () => {
    station = await RawStation.boot16(running, newId("MIXED"));
    const id = await start(0, 1_000);
    const values = [
      [20, { value: "1800" }],
      [5, { value: "1200" }],
      [10, { value: "1400" }],
    ] as const;
    await stop(30, id, 2_000);
    for (const value of [...values, ...values]) await measure(id, [value]);
    await stop(30, id, 2_000);
    expect(await accounts()).toEqual([[1_000, "Ended"]]);
    const [transaction] = await transactionsOf(running, station.identity);
    const { body } = await running.api("GET", `/transactions/${transaction?.id}/meter-values`);
    expect(body.items).toHaveLength(3);
  });
});

function event(eventType: string, seqNo: number, minute: number, valueWh: number | undefined, more: object = {}) {
  const meterValue =
    valueWh === undefined ? {} : { meterValue: [{ timestamp: at(minute), sampledValue: [{ value: valueWh }] }] };
  return station.call("TransactionEvent", {
    ...{ eventType, seqNo, timestamp: at(minute), triggerReason: "MeterValuePeriodic" },
    ...{ transactionInfo: { transactionId: "T-1" }, evse: { id: 1, connectorId: 1 }, ...meterValue, ...more },
  });
}

describe("messages of a session in 2.x", () => {
  it("with Transaction.Begin of 0 for an offline start bill 83 Wh and not 910 kWh", async () => {
    station = await RawStation.boot2(running, newId("TRAP2"));
    const values = (minute: number, value: number, context: string) => ({
      ...{ offline: true, meterValue: [{ timestamp: at(minute), sampledValue: [{ value, context }] }] },
    });
    await event("Started", 0, 0, undefined, values(0, 0, "Transaction.Begin"));
    await event("Updated", 1, 1, undefined, values(1, 910_000, "Sample.Periodic"));
    await event("Updated", 2, 2, undefined, values(2, 910_040, "Sample.Periodic"));
    await event("Ended", 3, 3, undefined, values(3, 910_083, "Transaction.End"));
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({ energyWh: 83, offline: true });
  });

  it("measured by MeterValues outside of TransactionEvent count to the transaction of the EVSE", async () => {
    station = await RawStation.boot2(running, newId("OUTSIDE"));
    await event("Started", 0, 0, 1_000);
    const outside = (minute: number, value: number) =>
      station.call("MeterValues", {
        ...{ evseId: 1, meterValue: [{ timestamp: at(minute), sampledValue: [{ value }] }] },
      });
    expect(await outside(10, 1_600)).toEqual({});
    expect(await accounts()).toEqual([[600, "Open"]]);
    await event("Ended", 1, 20, undefined);
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({ energyWh: 600, status: "Ended" });
    // After the end they are nobody's.
    await outside(30, 9_000);
    expect(await accounts()).toEqual([[600, "Ended"]]);
  });

  it("after the end, or before the start, are kept and answered", async () => {
    station = await RawStation.boot2(running, newId("AFTER"));
    await event("Updated", 1, 10, 1_300);
    await event("Ended", 2, 20, 1_700);
    await event("Started", 0, 0, 1_000);
    await event("Updated", 3, 30, 9_999);
    const transaction = await onlyTransactionOf(running, station.identity);
    expect(transaction).toMatchObject({ energyWh: 700, status: "Ended", missingSeqNos: [] });
    expect(transaction.events).toHaveLength(4);
  });

  it("with one seqNo for two events lose neither", async () => {
    station = await RawStation.boot2(running, newId("SAMESEQ"));
    await event("Started", 0, 0, 1_000);
    await event("Updated", 0, 10, 1_500);
    await event("Updated", 0, 10, 1_500);
    await event("Ended", 0, 20, 1_800);
    const transaction = await onlyTransactionOf(running, station.identity);
    expect(transaction).toMatchObject({ energyWh: 800, status: "Ended" });
    expect(transaction.events).toHaveLength(3);
  });

  it("with the id of a transaction that has ended begin another", async () => {
    station = await RawStation.boot2(running, newId("REUSED2"));
    await event("Started", 0, 0, 1_000);
    await event("Ended", 1, 10, 1_400);
    await event("Started", 0, 60, 1_400);
    await event("Updated", 1, 70, 1_600);
    await event("Ended", 2, 80, 2_400);
    expect(await accounts()).toEqual([
      [400, "Ended"],
      [1_000, "Ended"],
    ]);
  });

  it("without a token, by NoAuthorization with an empty idToken, are accepted in 2.0.1 and 2.1 (C02)", async () => {
    for (const subprotocol of ["ocpp2.0.1", "ocpp2.1"] as const) {
      station = await RawStation.boot2(running, newId("BUTTON"), subprotocol);
      const idToken = { idToken: "", type: "NoAuthorization" };
      expect(await station.call("Authorize", { idToken })).toMatchObject({ idTokenInfo: { status: "Accepted" } });
      expect(await event("Started", 0, 0, 1_000, { idToken })).toMatchObject({ idTokenInfo: { status: "Accepted" } });
      await event("Ended", 1, 10, 1_300);
      expect(await onlyTransactionOf(running, station.identity)).toMatchObject({
        ...{ energyWh: 300, idToken: { idToken: "", type: "NoAuthorization", status: "Accepted" } },
      });
      if (subprotocol === "ocpp2.0.1") await station.close();
    }
  });
});

describe("a session that began while the station was offline", () => {
  it("with a tag that nobody knows is taken, told to be invalid, and not repeated for ever: 1.6", async () => {
    station = await RawStation.boot16(running, newId("OFFLINE"));
    const request = { connectorId: 1, idTag: "STRANGER", meterStart: 1_000, timestamp: at(0) };
    const answers: Item[] = [];
    for (const _ of [1, 2, 3, 4]) answers.push(await station.call("StartTransaction", request));
    expect(new Set(answers.map(({ transactionId }) => transactionId)).size).toBe(1);
    const [first] = answers;
    expect(first).toMatchObject({ idTagInfo: { status: "Invalid" } });
    for (const _ of [1, 2]) {
      expect(await stop(30, Number(first?.transactionId), 1_600, { idTag: "STRANGER" })).toEqual({
        idTagInfo: { status: "Invalid" },
      });
    }
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({
      ...{ energyWh: 600, status: "Ended", idToken: { idToken: "STRANGER", status: "Unknown" } },
    });
  });

  it("with a tag that nobody knows is taken, told to be unknown, and not repeated for ever: 2.0.1", async () => {
    station = await RawStation.boot2(running, newId("OFFLINE2"));
    const idToken = { idToken: "STRANGER", type: "ISO14443" };
    for (const _ of [1, 2, 3]) {
      expect(await event("Started", 0, 0, 1_000, { idToken, offline: true })).toMatchObject({
        idTokenInfo: { status: "Unknown" },
      });
    }
    await event("Ended", 1, 30, 1_600, { offline: true });
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({
      ...{ energyWh: 600, status: "Ended", offline: true, idToken: { idToken: "STRANGER", status: "Unknown" } },
    });
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { onlyTransactionOf, RawStation, transactionsOf } from "../system/raw-station.ts";
import { eventually, type Item } from "../system/running-csms.ts";
import { RestartableCsms } from "./restartable-csms.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const YEAR_MS = 365 * DAY_MS;

let running: RestartableCsms;
let count = 0;

beforeAll(async () => {
  running = await RestartableCsms.start();
  for (const token of ["DRIVER", "NEXT"]) {
    await running.api("PUT", `/id-tokens/${token}`, { type: "ISO14443", status: "Accepted" });
  }
});

afterAll(() => running.close());

const newId = (name: string) => `${name}-${++count}`;

interface Told {
  readonly transactionId?: string;
  readonly seqNo: number;
  readonly timestamp: string;
  readonly wh: number;
  readonly idToken?: string;
}

async function event(station: RawStation, eventType: string, told: Told): Promise<void> {
  const { seqNo, timestamp, wh, idToken, transactionId = "T" } = told;
  await station.call("TransactionEvent", {
    ...{ eventType, triggerReason: "MeterValuePeriodic", seqNo, timestamp },
    ...{ transactionInfo: { transactionId }, evse: { id: 1, connectorId: 1 } },
    ...(idToken === undefined ? {} : { idToken: { idToken, type: "ISO14443" } }),
    meterValue: [{ timestamp, sampledValue: [{ value: wh }] }],
  });
}

describe("a station whose clock", () => {
  const good = "2026-03-10T12:00:00.000Z";
  it.each([
    {
      clock: "is years behind",
      times: ["2011-01-01T00:00:00.000Z", "2011-01-01T00:20:00.000Z", "2011-01-01T00:40:00.000Z"],
    },
    {
      clock: "is years ahead",
      times: ["2199-01-01T00:00:00.000Z", "2199-01-01T00:20:00.000Z", "2199-01-01T00:40:00.000Z"],
    },
    {
      clock: "was never set",
      times: ["1970-01-01T00:00:01.000Z", "1970-01-01T00:20:01.000Z", "1970-01-01T00:40:01.000Z"],
    },
    {
      clock: "stands before 1970",
      times: ["1900-01-01T00:00:00.000Z", "1900-01-01T00:20:00.000Z", "1900-01-01T00:40:00.000Z"],
    },
    { clock: "is set within the charge", times: ["1970-01-01T00:00:01.000Z", "1970-01-01T00:20:01.000Z", good] },
    { clock: "is set back within the charge", times: ["2030-01-01T00:00:00.000Z", "2030-01-01T00:20:00.000Z", good] },
  ])("$clock keeps its own times, its order and its energy", async ({ times }) => {
    const station = await RawStation.boot2(running, newId("CLOCK"));
    const [first = "", second = "", third = ""] = times;
    await event(station, "Started", { seqNo: 0, timestamp: first, wh: 5_000, idToken: "DRIVER" });
    await event(station, "Updated", { seqNo: 1, timestamp: second, wh: 9_000 });
    await event(station, "Ended", { seqNo: 2, timestamp: third, wh: 12_000 });
    const transaction = await onlyTransactionOf(running, station.identity);
    expect(transaction).toMatchObject({
      ...{ status: "Ended", startedAt: first, endedAt: third, missingSeqNos: [] },
      ...{ receivedAt: running.clock.now().toISOString(), idToken: { idToken: "DRIVER", status: "Accepted" } },
    });
    expect(transaction.energyWh).toBe(7_000);
    expect((transaction.events as Item[]).map(({ seqNo }) => seqNo).sort()).toEqual([0, 1, 2]);
    await station.close();
  });

  it("jumps back between two charges does not make the first of them the one that runs", async () => {
    const station = await RawStation.boot2(running, newId("BACK"));
    const first = { transactionId: "FIRST", seqNo: 0, timestamp: "2026-03-10T12:00:00Z", wh: 1_000, idToken: "DRIVER" };
    await event(station, "Started", first);
    const second = { transactionId: "SECOND", seqNo: 0, timestamp: "2025-12-24T18:00:00Z", wh: 2_000, idToken: "NEXT" };
    await event(station, "Started", second);
    const statusOf = async (transactionId: string) =>
      (await transactionsOf(running, station.identity)).find((item) => item.transactionId === transactionId)?.status;
    await eventually("the first is over", async () => ((await statusOf("FIRST")) === "Abandoned" ? true : undefined));
    expect(await statusOf("SECOND")).toBe("Open");
    await station.close();
  });
});

describe("a clock of the CSMS that jumps", () => {
  const start = "2026-03-10T12:00:00.000Z";

  it.each([
    { jump: "an hour ahead", byMs: HOUR_MS },
    { jump: "an hour back", byMs: -HOUR_MS },
    { jump: "30 years ahead", byMs: 30 * YEAR_MS },
    { jump: "30 years back", byMs: -30 * YEAR_MS },
  ])(
    "$jump in the middle of a charge changes no account, and the next charge is the one that runs",
    async ({ byMs }) => {
      running.clock.set(start);
      const station = await RawStation.boot2(running, newId("HOST"));
      const at = (minute: number) => new Date(Date.parse(start) + minute * 60_000).toISOString();
      await event(station, "Started", { seqNo: 0, timestamp: at(0), wh: 1_000, idToken: "DRIVER" });
      await event(station, "Updated", { seqNo: 1, timestamp: at(10), wh: 3_000 });
      running.clock.advance(byMs);
      await event(station, "Updated", { seqNo: 2, timestamp: at(20), wh: 5_000 });
      expect(await onlyTransactionOf(running, station.identity)).toMatchObject({ status: "Open", energyWh: 4_000 });
      // Its end is lost; the EVSE serves the next.
      const next = { transactionId: "U", seqNo: 0, timestamp: at(60), wh: 6_000, idToken: "NEXT" };
      await event(station, "Started", next);
      const books = async () => {
        const items = await transactionsOf(running, station.identity);
        return Object.fromEntries(items.map(({ transactionId, status }) => [transactionId, status]));
      };
      await eventually("the first is over", async () => ((await books()).T === "Abandoned" ? true : undefined));
      expect(await books()).toEqual({ T: "Abandoned", U: "Open" });
      await running.restart();
      expect(await books()).toEqual({ T: "Abandoned", U: "Open" });
      running.clock.set(start);
    },
  );

  it("back to before all it has seen tells the station's presence and the time as it is now", async () => {
    running.clock.set("2026-03-10T12:00:00Z");
    const station = await RawStation.boot16(running, newId("SEEN"));
    running.clock.set("2026-03-01T00:00:00Z");
    expect(await station.call("Heartbeat", {})).toEqual({ currentTime: "2026-03-01T00:00:00.000Z" });
    await station.close();
    const seen = await eventually("the presence", async () => {
      const { body } = await running.api("GET", `/stations/${station.identity}`);
      return String(body.lastSeenAt) === "2026-03-01T00:00:00.000Z" ? body.lastSeenAt : undefined;
    });
    expect(seen).toBe("2026-03-01T00:00:00.000Z");
    running.clock.set(start);
  });

  it("ahead ends what expires by date, and back brings it to life again, for nothing was deleted", async () => {
    running.clock.set(start);
    const expiresAt = "2026-06-01T00:00:00.000Z";
    const key = await running.api("POST", "/api-keys", { name: "jumps", role: "viewer", expiresAt });
    expect(key.status).toBe(201);
    await running.api("PUT", "/id-tokens/EXPIRES", { type: "ISO14443", status: "Accepted", expiresAt });
    const station = await RawStation.boot16(running, newId("EXPIRY"));
    const verdict = async () => (await station.call("Authorize", { idTag: "EXPIRES" })).idTagInfo;
    const asks = async () => {
      const headers = { authorization: `Bearer ${String(key.body.token)}` };
      return (await fetch(`${running.csms.httpUrl}/api/v1/stations`, { headers })).status;
    };
    expect([await asks(), await verdict()]).toMatchObject([200, { status: "Accepted" }]);
    running.clock.set("2027-01-01T00:00:00Z");
    expect([await asks(), await verdict()]).toMatchObject([401, { status: "Expired" }]);
    running.clock.set(start);
    expect([await asks(), await verdict()]).toMatchObject([200, { status: "Accepted" }]);
    await station.close();
  });

  it("ahead before a start leaves what was stored, for it may be wrong", async () => {
    running.clock.set(start);
    const station = await RawStation.boot2(running, newId("KEPT"));
    await event(station, "Started", { seqNo: 0, timestamp: start, wh: 1_000, idToken: "DRIVER" });
    await event(station, "Ended", { seqNo: 1, timestamp: "2026-03-10T12:30:00Z", wh: 2_500 });
    await station.close();
    running.clock.advance(20 * YEAR_MS);
    await running.restart();
    running.clock.set(start);
    await running.restart();
    const transaction = await onlyTransactionOf(running, station.identity);
    expect(transaction).toMatchObject({ status: "Ended", energyWh: 1_500 });
    const { body } = await running.api("GET", `/transactions/${String(transaction.id)}/meter-values`);
    expect(body.items).toHaveLength(2);
  });
});

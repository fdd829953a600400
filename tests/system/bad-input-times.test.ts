import { describe, expect, it } from "vitest";
import { accepted, expectTolerated, meterValues, start, stop } from "./charging-session.ts";
import { newIds, useHonestCsms } from "./honest-csms.ts";
import { onlyTransactionOf, RawStation, transactionsOf } from "./raw-station.ts";

const running = useHonestCsms();

const newId = newIds();
const stationOf = async (stationId: string) => (await running.api("GET", `/stations/${stationId}`)).body;

describe("a time", () => {
  it.each([
    { kind: "without a zone", start: "2026-04-01T10:00:00", stop: "2026-04-01T10:30:00" },
    { kind: "without a zone and with a space", start: "2026-04-01 10:00:00", stop: "2026-04-01 10:30:00" },
    { kind: "with the offset +02", start: "2026-04-01T12:00:00+02", stop: "2026-04-01T12:30:00+02" },
    { kind: "with the offset +0200", start: "2026-04-01T12:00:00+0200", stop: "2026-04-01T12:30:00.000+0200" },
    { kind: "without seconds", start: "2026-04-01T10:00Z", stop: "2026-04-01T10:30Z" },
  ])("$kind is understood (time-format)", async (times) => {
    const station = await RawStation.boot16(running, newId("ZONE"));
    await expectTolerated(running, "time-format", async () => {
      const { transactionId } = await start(station, { timestamp: times.start });
      const meterValue = [{ timestamp: times.stop, sampledValue: [{ value: "1400" }] }];
      await station.call("MeterValues", { connectorId: 1, transactionId, meterValue });
      await stop(station, transactionId, 1_500, { timestamp: times.stop });
    });
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({
      ...{ startedAt: "2026-04-01T10:00:00.000Z", endedAt: "2026-04-01T10:30:00.000Z", energyWh: 500 },
    });
    await station.close();
  });

  it("that is local and labelled Z is kept as told, and shows as the offset of the station's clock", async () => {
    const station = await RawStation.boot2(running, newId("LOCAL"));
    const ahead = (minutes: number) => new Date(Date.now() + 2 * 3_600_000 + minutes * 60_000).toISOString();
    const times = [ahead(0), ahead(10)];
    for (const [seqNo, timestamp] of times.entries()) {
      await station.call("TransactionEvent", {
        ...{ eventType: seqNo === 0 ? "Started" : "Ended", triggerReason: "CablePluggedIn", seqNo, timestamp },
        ...{ transactionInfo: { transactionId: "LOCAL" }, evse: { id: 1, connectorId: 1 } },
        meterValue: [{ timestamp, sampledValue: [{ value: 1_000 + 640 * seqNo }] }],
      });
    }
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({
      ...{ startedAt: times[0], endedAt: times[1], energyWh: 640, status: "Ended" },
    });
    await station.call("StatusNotification", {
      ...{ evseId: 1, connectorId: 1, connectorStatus: "Available", timestamp: ahead(0) },
    });
    expect((await stationOf(station.identity)).clockOffsetS).toBeCloseTo(7_200, -2);
    await station.close();
  });

  it.each(["1970-01-01T00:00:12Z", "0001-01-01T00:00:00Z", "2000-01-01T00:00:00Z"])(
    "of a clock that was never set (%s) costs no energy and joins no two sessions",
    async (timestamp) => {
      const station = await RawStation.boot16(running, newId("UNSET"));
      const first = await start(station, { timestamp });
      await stop(station, first.transactionId, 1_800, { timestamp });
      // The next session looks the same but for the meter; one with the same meter too is another all the same.
      const second = await start(station, { timestamp, meterStart: 1_800 });
      await stop(station, second.transactionId, 1_800, { timestamp });
      const third = await start(station, { timestamp, meterStart: 1_800 });
      await stop(station, third.transactionId, 2_000, { timestamp });
      const ids = [first, second, third].map(({ transactionId }) => transactionId);
      expect(new Set(ids).size).toBe(3);
      const energies = new Map(
        (await transactionsOf(running, station.identity)).map(({ transactionId, energyWh }) => [
          String(transactionId),
          energyWh,
        ]),
      );
      expect(ids.map((id) => energies.get(String(id)))).toEqual([800, 0, 200]);
      await station.close();
    },
  );

  it("that jumps while a transaction runs, because the clock was set, costs no energy", async () => {
    const station = await RawStation.boot16(running, newId("JUMP"));
    const { transactionId } = await start(station, { timestamp: "1970-01-01T00:01:00Z" });
    accepted(await meterValues(station, transactionId, [{ value: "1500" }]));
    await stop(station, transactionId, 2_000);
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({ energyWh: 1_000, status: "Ended" });
    await station.close();
  });

  it.each(["yesterday", "", "2026-02-30T10:00:00Z", "2026-04-01T25:00:00Z", "1711965600", "2026-04-01"])(
    "that is none ('%s') is refused",
    async (timestamp) => {
      const station = await RawStation.boot16(running, newId("NOTIME"));
      const request = { connectorId: 1, idTag: "HONEST", meterStart: 1_000, timestamp };
      expect(await station.ask("StartTransaction", request)).toEqual([
        ...[4, expect.any(String), expect.any(String), expect.any(String)],
        { path: "/timestamp", rule: "format" },
      ]);
      expect(await transactionsOf(running, station.identity)).toEqual([]);
      await station.close();
    },
  );
});

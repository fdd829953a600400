import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { counted, RawStation, type WireFrame } from "../system/raw-station.ts";
import { callApi, eventually, type RunningCsms } from "../system/running-csms.ts";
import { csmsOnDatabase } from "./csms-on-database.ts";
import { HealthWatch } from "./health-watch.ts";
import { TcpRelay } from "./tcp-relay.ts";

/** Stations that each have one call under way while the database is away. */
const STATIONS = 20;
/** What takes 10 s and more in earnest, so that the minute of an outage passes in seconds. */
const times = { answerTimeoutMs: 1_000, attemptTimeoutMs: 1_500, patienceMs: 1_000 };

let testDatabase: TestDatabase;
let relay: TcpRelay;
let running: RunningCsms;
let health: HealthWatch;
const opened: RawStation[] = [];
let count = 0;

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  relay = await TcpRelay.to(Number(new URL(testDatabase.url).port));
  running = await csmsOnDatabase({ DATABASE_URL: relay.urlFor(testDatabase.url) }, { databaseTimes: times });
  await running.api("PUT", "/id-tokens/TAG1", { type: "ISO14443", status: "Accepted" });
  health = new HealthWatch(running.csms.httpUrl);
});

afterEach(() => Promise.all(opened.splice(0).map((station) => station.close())));

afterAll(async () => {
  await health.close();
  await running.close();
  await relay.close();
  await testDatabase.drop();
});

const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 12, minute)).toISOString();

/** A station of 1.6 that charges. */
class ChargingStation {
  readonly raw: RawStation;
  readonly #transactionId: unknown;

  private constructor(raw: RawStation, transactionId: unknown) {
    this.raw = raw;
    this.#transactionId = transactionId;
  }

  static async start(): Promise<ChargingStation> {
    const raw = await RawStation.boot16(running, `AWAY-${++count}`);
    opened.push(raw);
    const start = { connectorId: 1, idTag: "TAG1", meterStart: 1_000, timestamp: at(0) };
    return new ChargingStation(raw, (await raw.call("StartTransaction", start)).transactionId);
  }

  measured(minute: number): Promise<WireFrame> {
    return this.raw.ask("MeterValues", {
      connectorId: 1,
      transactionId: this.#transactionId,
      meterValue: [{ timestamp: at(minute), sampledValue: [{ value: String(1_000 + minute * 100) }] }],
    });
  }

  async expectCharged(minutes: number): Promise<void> {
    const stop = { transactionId: this.#transactionId, meterStop: 1_000 + minutes * 100, timestamp: at(minutes) };
    expect((await this.raw.ask("StopTransaction", stop))[0]).toBe(3);
    const { body } = await running.api("GET", `/transactions?stationId=${this.raw.identity}`);
    expect(body.items).toMatchObject([{ status: "Ended", energyWh: minutes * 100 }]);
    const events = await running.api("GET", `/transactions/${body.items?.[0]?.id}/events`);
    const expected = Array.from({ length: minutes + 1 }, (_, minute) => at(minute));
    expect(events.body.items?.map(({ timestamp }) => timestamp)).toEqual(expected);
  }
}

function start(): Promise<ChargingStation[]> {
  return Promise.all(Array.from({ length: STATIONS }, () => ChargingStation.start()));
}

const waitingUnits = () => counted(running, "polyphase_commit_waiting_units");

const faults: readonly {
  readonly name: string;
  begin(): unknown;
  end(): unknown;
}[] = [
  { name: "is silent and breaks no connection", begin: () => relay.stall(), end: () => relay.resume() },
  { name: "refuses connections", begin: () => relay.refuse(), end: () => relay.admit() },
];

describe.each(faults)("while the database $name", ({ begin, end }) => {
  it("stations get errors for what is not stored, all else goes on, and everything is taken when it is back", async () => {
    const stations = await start();
    await Promise.all(stations.map((station) => station.measured(1)));
    await begin();
    const asked = stations.map((station) => station.measured(2));
    let mostWaiting = 0;
    await eventually("not ready", async () => {
      mostWaiting = Math.max(mostWaiting, await waitingUnits());
      const ready = await fetch(`${running.csms.httpUrl}/health/ready`);
      const { reasons } = (await ready.json()) as { reasons?: Record<string, string> };
      return ready.status === 503 && reasons?.database !== undefined ? true : undefined;
    });
    const answers = await Promise.all(asked);
    expect(answers.map(([type, , code]) => [type, code])).toEqual(answers.map(() => [4, "InternalError"]));

    for (const { raw } of stations) expect((await raw.ask("Heartbeat", {}))[0]).toBe(3);
    const [first] = stations;
    expect(await first?.raw.call("Authorize", { idTag: "TAG1" })).toMatchObject({ idTagInfo: { status: "Accepted" } });
    const newcomer = await RawStation.connect(running, first?.raw.identity ?? "");
    opened.push(newcomer);
    const boot = await newcomer.call("BootNotification", { chargePointVendor: "Raw", chargePointModel: "New" });
    expect(boot).toMatchObject({ status: "Pending" });

    for (const [method, path, body] of [
      ["GET", "/transactions", undefined],
      ["GET", "/events", undefined],
      ["PUT", "/id-tokens/TAG2", { type: "ISO14443", status: "Accepted" }],
    ] as const) {
      const answer = await callApi(running.csms.httpUrl, method, path, body);
      expect(answer, path).toMatchObject({ status: 503, body: { title: "The database is not available" } });
    }
    expect((await fetch(`${running.csms.httpUrl}/health/live`)).status).toBe(200);
    mostWaiting = Math.max(mostWaiting, await waitingUnits());
    // One outstanding call per station, and what is written in the background.
    expect(mostWaiting).toBeLessThanOrEqual(STATIONS + 5);

    await end();
    await health.next("ready");
    const again = await newcomer.call("BootNotification", { chargePointVendor: "Raw", chargePointModel: "New" });
    expect(again).toMatchObject({ status: "Accepted" });
    for (const station of stations.slice(1)) {
      expect((await station.measured(2))[0]).toBe(3);
      await station.expectCharged(3);
    }
    expect(health.liveStatuses).toEqual(new Set([200]));
    await eventually("nothing waits", async () => ((await waitingUnits()) === 0 ? true : undefined));
  });
});

it("connections that are cut while stations are answered cost no station an error", async () => {
  const stations = await start();
  for (let minute = 1; minute <= 5; minute++) {
    const asked = stations.map((station) => station.measured(minute));
    relay.cut();
    for (const answer of await Promise.all(asked)) expect(answer[0]).toBe(3);
  }
  await Promise.all(stations.map((station) => station.expectCharged(6)));
});

it("a database far away makes stations wait, and loses nothing", async () => {
  relay.slowDown(30);
  const stations = await start();
  for (let minute = 1; minute <= 3; minute++) {
    const answers = await Promise.all(stations.map((station) => station.measured(minute)));
    for (const answer of answers) expect(answer[0]).toBe(3);
  }
  expect((await fetch(`${running.csms.httpUrl}/health/ready`)).status).toBe(200);
  await Promise.all(stations.map((station) => station.expectCharged(4)));
  relay.slowDown(0);
});

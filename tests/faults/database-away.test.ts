import { startTestDatabase } from "@polyphase/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { counted, RawStation, type WireFrame } from "../system/raw-station.ts";
import { callApi, eventually, patientDatabaseTimes, type RunningCsms } from "../system/running-csms.ts";
import { csmsOnDatabase } from "./csms-on-database.ts";
import { HealthWatch } from "./health-watch.ts";
import { TcpRelay } from "./tcp-relay.ts";

/** Stations that each have one call under way while the database is away. */
const STATIONS = 20;
/** What takes 10 s and more in earnest, so that the minute of an outage passes in seconds. */
const impatient = { answerTimeoutMs: 3_000, attemptTimeoutMs: 4_000, patienceMs: 2_000 };
/** A database that has so little time is late again and again on a busy machine, as long as many begin to charge. */
const PATIENCE_MS = 180_000;

let relay: TcpRelay;
let running: RunningCsms;
const opened: RawStation[] = [];
let count = 0;

/** Lets the tests of a block have a CSMS whose database can be taken away. */
function useRelayedCsms(databaseTimes: Parameters<typeof csmsOnDatabase>[1]): void {
  let close: () => Promise<void>;

  beforeAll(async () => {
    const database = await startTestDatabase();
    relay = await TcpRelay.to(Number(new URL(database.url).port));
    running = await csmsOnDatabase({ DATABASE_URL: relay.urlFor(database.url) }, databaseTimes);
    await running.api("PUT", "/id-tokens/TAG1", { type: "ISO14443", status: "Accepted" });
    close = async () => {
      await running.close();
      await relay.close();
      await database.drop();
    };
  });

  afterEach(async () => {
    relay.resume();
    await Promise.all(opened.splice(0).map((station) => station.close()));
  });
  afterAll(() => close());
}

const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 12, minute)).toISOString();
const boot = { chargePointVendor: "Raw", chargePointModel: "R" };

/** Makes a call until it is taken. */
function taken(raw: RawStation, action: string, payload: object): Promise<WireFrame> {
  const ask = async () => {
    const answer = await raw.ask(action, payload);
    return answer[0] === 3 ? answer : undefined;
  };
  return eventually(`${action} of ${raw.identity}`, ask, PATIENCE_MS);
}

function accepted(raw: RawStation): Promise<true> {
  const ask = async () => {
    const { status } = await raw.call("BootNotification", boot);
    return status === "Accepted" ? true : undefined;
  };
  return eventually(`the boot of ${raw.identity}`, ask, PATIENCE_MS);
}

/** A station of 1.6 that charges. */
class ChargingStation {
  readonly raw: RawStation;
  readonly #transactionId: unknown;

  private constructor(raw: RawStation, transactionId: unknown) {
    this.raw = raw;
    this.#transactionId = transactionId;
  }

  static async start(): Promise<ChargingStation> {
    const identity = `AWAY-${++count}`;
    const connect = () => RawStation.connect(running, identity).catch(() => undefined);
    const raw = await eventually(`the connection of ${identity}`, connect);
    opened.push(raw);
    await accepted(raw);
    const start = { connectorId: 1, idTag: "TAG1", meterStart: 1_000, timestamp: at(0) };
    const [, , answer] = await taken(raw, "StartTransaction", start);
    return new ChargingStation(raw, (answer as { readonly transactionId: unknown }).transactionId);
  }

  /** The values of a minute. */
  values(minute: number): object {
    return {
      connectorId: 1,
      transactionId: this.#transactionId,
      meterValue: [{ timestamp: at(minute), sampledValue: [{ value: String(1_000 + minute * 100) }] }],
    };
  }

  measured(minute: number): Promise<WireFrame> {
    return this.raw.ask("MeterValues", this.values(minute));
  }

  async expectCharged(minutes: number): Promise<void> {
    const stop = { transactionId: this.#transactionId, meterStop: 1_000 + minutes * 100, timestamp: at(minutes) };
    await taken(this.raw, "StopTransaction", stop);
    const { items } = await read(`/transactions?stationId=${this.raw.identity}`);
    expect(items).toMatchObject([{ status: "Ended", energyWh: minutes * 100 }]);
    const events = await read(`/transactions/${items?.[0]?.id}/events`);
    const expected = Array.from({ length: minutes + 1 }, (_, minute) => at(minute));
    expect(events.items?.map(({ timestamp }) => timestamp)).toEqual(expected);
  }
}

/** What the API has at a path, once the database answers in time. */
function read(path: string) {
  return eventually(path, async () => {
    const { status, body } = await running.api("GET", path);
    return status === 200 ? body : undefined;
  });
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

describe("while the database", () => {
  useRelayedCsms({ databaseTimes: impatient });
  let health: HealthWatch;

  beforeAll(() => {
    health = new HealthWatch(running.csms.httpUrl);
  });

  // Before the CSMS that it asks.
  afterAll(() => health.close());

  it.each(faults)(
    "$name stations get errors for what is not stored, all else goes on, and everything is taken when it is back",
    async ({ begin, end }) => {
      const stations = await start();
      await Promise.all(stations.map((station) => taken(station.raw, "MeterValues", station.values(1))));
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
      expect(await first?.raw.call("Authorize", { idTag: "TAG1" })).toMatchObject({
        idTagInfo: { status: "Accepted" },
      });
      const newcomer = await RawStation.connect(running, first?.raw.identity ?? "");
      opened.push(newcomer);
      expect(await newcomer.call("BootNotification", { ...boot, chargePointModel: "New" })).toMatchObject({
        status: "Pending",
      });

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
      // One outstanding call per station, and what is written in the background, which must not grow with the time.
      expect(mostWaiting).toBeLessThanOrEqual(2 * STATIONS);

      await end();
      await health.next("ready");
      await accepted(newcomer);
      for (const station of stations.slice(1)) {
        await taken(station.raw, "MeterValues", station.values(2));
        await station.expectCharged(3);
      }
      expect(health.liveStatuses).toEqual(new Set([200]));
      await eventually("nothing waits", async () => ((await waitingUnits()) === 0 ? true : undefined));
    },
  );
});

describe("a database that comes back, or answers, before anybody loses patience", () => {
  useRelayedCsms({ databaseTimes: patientDatabaseTimes });

  it("costs no station an error when its connections are cut while stations are answered", async () => {
    const stations = await start();
    for (let minute = 1; minute <= 5; minute++) {
      const asked = stations.map((station) => station.measured(minute));
      relay.cut();
      for (const answer of await Promise.all(asked)) expect(answer[0]).toBe(3);
    }
    await Promise.all(stations.map((station) => station.expectCharged(6)));
  });

  it("makes stations wait where it is far away, and loses nothing", async () => {
    relay.slowDown(30);
    const stations = await start();
    for (let minute = 1; minute <= 3; minute++) {
      const answers = await Promise.all(stations.map((station) => station.measured(minute)));
      for (const answer of answers) expect(answer[0]).toBe(3);
    }
    await expect.poll(async () => (await fetch(`${running.csms.httpUrl}/health/ready`)).status).toBe(200);
    await Promise.all(stations.map((station) => station.expectCharged(4)));
    relay.slowDown(0);
  });
});

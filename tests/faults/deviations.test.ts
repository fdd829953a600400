import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { counted, HonestStation, RawStation, tolerated, transactionsOf } from "../system/raw-station.ts";
import { eventually, type Item } from "../system/running-csms.ts";
import {
  fixedProvocations,
  rejectionProvocations,
  Stage,
  shownElsewhere,
  toleranceProvocations,
} from "./provocations.ts";
import { RestartableCsms } from "./restartable-csms.ts";

let running: RestartableCsms;
let count = 0;

beforeAll(async () => {
  running = await RestartableCsms.start({ POLYPHASE_PING_INTERVAL: "1", POLYPHASE_PONG_TIMEOUT: "1" });
  await running.api("PUT", "/id-tokens/HONEST", { type: "ISO14443", status: "Accepted" });
});

afterAll(() => running.close());

const newId = (name: string) => `${name.toUpperCase()}-${++count}`;

async function shownBy(stationId: string, deviation: string): Promise<Item | undefined> {
  const { body } = await running.api("GET", `/stations/${stationId}/deviations`);
  return body.items?.find((item) => item.deviation === deviation);
}

/** Resolves with what the API says of a deviation that a station has shown. */
function untilShown(stationId: string, deviation: string): Promise<Item> {
  return eventually(`${deviation} of ${stationId}`, () => shownBy(stationId, deviation));
}

async function rules(): Promise<readonly Item[]> {
  return (await running.api("GET", "/tolerance-rules")).body.items ?? [];
}

/** Deviations of connections have nothing to show. */
const withoutExample = new Set([
  "missing-subprotocol",
  "no-ping",
  "delayed-start-answer",
  "spaced-calls",
  "second-connection",
  "silent-connection",
  "oversized-frame",
]);

describe("every deviation that has a name", () => {
  it("is met below, or in the test that is named here", async () => {
    const met = { ...toleranceProvocations, ...fixedProvocations, ...rejectionProvocations, ...shownElsewhere };
    expect(Object.keys(met).sort()).toEqual((await rules()).map(({ name }) => name).sort());
    for (const [name, file] of Object.entries(shownElsewhere)) {
      const path = join(import.meta.dirname, "../..", file);
      expect(existsSync(path) && readFileSync(path, "utf8").includes(name), `${name} in ${file}`).toBe(true);
    }
  });
});

describe("a tolerated deviation", () => {
  it.each(Object.entries(toleranceProvocations))(
    "%s is counted and shown where its rule is on, and neither where it is off",
    async (name, provoke) => {
      const before = await tolerated(running, name);
      const on = new Stage(running, newId(name));
      await on.decide(name, true);
      await provoke(on);
      const shown = await untilShown(on.id, name);
      await on.close();
      expect(shown).toMatchObject({ kind: "tolerance", enabled: true, description: expect.stringMatching(/./) });
      expect(shown.occurrences).toBeGreaterThan(0);
      expect(shown.example === null).toBe(withoutExample.has(name));
      const afterwards = await tolerated(running, name);
      expect(afterwards).toBeGreaterThan(before);

      const off = new Stage(running, newId(name));
      await off.decide(name, false);
      await provoke(off);
      await off.close();
      expect(await tolerated(running, name)).toBe(afterwards);
      expect(await shownBy(off.id, name)).toBeUndefined();
    },
  );
});

describe("a deviation that passes whatever was decided", () => {
  it.each(Object.entries(fixedProvocations))("%s is counted and shown", async (name, provoke) => {
    const stage = new Stage(running, newId(name));
    await running.api("PUT", `/stations/${stage.id}`, {});
    await provoke(stage);
    const shown = await untilShown(stage.id, name);
    await stage.close();
    expect(shown).toMatchObject({ kind: "tolerance", enabled: true, occurrences: 1 });
    expect(shown.example === null).toBe(withoutExample.has(name));
    expect(await tolerated(running, name)).toBeGreaterThan(0);
    expect((await running.api("PUT", `/stations/${stage.id}/tolerances/${name}`, { enabled: false })).status).toBe(400);
  });
});

describe("a rejected deviation", () => {
  it.each(Object.entries(rejectionProvocations))("%s is counted and shown", async (name, provoke) => {
    const stage = new Stage(running, newId(name));
    await running.api("PUT", `/stations/${stage.id}`, {});
    await provoke(stage);
    const shown = await untilShown(stage.id, name);
    await stage.close();
    expect(shown).toMatchObject({ kind: "rejection", enabled: false });
    expect(await counted(running, "polyphase_station_rejected_total", [`rejection="${name}"`])).toBeGreaterThan(0);
  });
});

describe("a rule about what counts", () => {
  const session = async (stage: Stage, values: readonly string[], transactionId?: number) => {
    const station = await stage.boot16();
    const started = await stage.start(station);
    for (const [index, value] of values.entries()) {
      await stage.measure(station, { transactionId: transactionId ?? started }, [{ value, unit: "Wh" }], -40 + index);
    }
    await stage.stop(station, transactionId ?? started);
    await stage.close();
    const listed = await transactionsOf(running, stage.id);
    return await Promise.all(listed.map(async ({ id }) => (await running.api("GET", `/transactions/${id}`)).body));
  };

  it("kwh-labelled-wh makes meter values agree with meterStart", async () => {
    const energyOf = async (stage: Stage) => {
      const station = await stage.boot16();
      const transactionId = await stage.start(station);
      for (const [index, value] of ["1.0", "1.25", "1.75", "2.0"].entries()) {
        await stage.measure(station, { transactionId }, [{ value, unit: "Wh" }], -40 + index);
      }
      await stage.close();
      return (await transactionsOf(running, stage.id)).map(({ status, energyWh }) => [status, energyWh]);
    };
    const stage = new Stage(running, newId("KWH"));
    await stage.decide("kwh-labelled-wh", true);
    expect(await energyOf(stage)).toEqual([["Open", 1_000]]);
    expect(await energyOf(new Stage(running, newId("KWH")))).not.toEqual([["Open", 1_000]]);
  });

  it("stop-by-evidence decides whether a stop with the id -1 ends the open transaction or stands alone", async () => {
    const stage = new Stage(running, newId("EVIDENCE"));
    expect(await session(stage, [], -1)).toMatchObject([{ status: "Ended", attributions: ["stop-by-evidence"] }]);
    const strict = new Stage(running, newId("EVIDENCE"));
    await strict.decide("stop-by-evidence", false);
    const transactions = await session(strict, [], -1);
    expect(transactions.map(({ transactionId, status }) => [transactionId === "-1", status]).sort()).toEqual([
      [false, "Open"],
      [true, "Ended"],
    ]);
  });
});

describe("what was decided", () => {
  const boot = { chargePointVendor: "ACME", chargePointModel: "Terra AC", iccid: null };
  const status = { connectorId: 1, errorCode: "NoError", status: "Available", info: null };
  const model = { vendorName: "acme", model: "terra*" };

  it("counts for a station before its model, and for that before the default, without a new connection", async () => {
    const stage = new Stage(running, newId("MODEL"));
    const station = await stage.connect();
    await station.call("BootNotification", boot);
    const outcome = async () => {
      const { body } = await running.api("GET", `/stations/${stage.id}/tolerances`);
      const rule = body.items?.find((item) => item.rule === "null-values");
      return [(await station.ask("StatusNotification", status))[0], rule?.enabled, rule?.decidedFor];
    };
    expect(await outcome()).toEqual([3, true, "default"]);
    expect((await running.api("PUT", "/model-tolerances/null-values", { ...model, enabled: false })).status).toBe(204);
    expect(await outcome()).toEqual([4, false, "model"]);
    await stage.decide("null-values", true);
    expect(await outcome()).toEqual([3, true, "station"]);
    await running.api("DELETE", `/stations/${stage.id}/tolerances/null-values`);
    expect(await outcome()).toEqual([4, false, "model"]);
    await stage.close();

    await running.restart();
    const again = await stage.connect();
    expect((await again.ask("StatusNotification", status))[0]).toBe(4);
    expect((await running.api("GET", "/model-tolerances")).body.items).toEqual([
      { ...model, rule: "null-values", enabled: false },
    ]);
    const query = new URLSearchParams({ vendorName: "ACME", model: "TERRA*" });
    expect((await running.api("DELETE", `/model-tolerances/null-values?${query}`)).status).toBe(204);
    expect((await running.api("GET", "/model-tolerances")).body.items).toEqual([]);
    expect((await again.ask("StatusNotification", status))[0]).toBe(3);
    await stage.close();
  });

  it("is in the audit log with the rule, the patterns and the decision", async () => {
    await running.api("PUT", "/stations/AUDITED", {});
    await running.api("PUT", "/stations/AUDITED/tolerances/no-ping", { enabled: true });
    await running.api("PUT", "/model-tolerances/no-ping", { vendorName: "A*", model: "*", enabled: true });
    const { body } = await running.api("GET", "/audit?limit=10");
    expect(body.items?.map(({ detail }) => detail)).toEqual(
      expect.arrayContaining([
        { rule: "no-ping", enabled: true },
        { rule: "no-ping", vendorName: "A*", model: "*", enabled: true },
      ]),
    );
    await running.api("DELETE", "/model-tolerances/no-ping?vendorName=A*&model=*");
  });

  it.each([
    ["PUT", "/model-tolerances/no-such-rule", { vendorName: "A", model: "B", enabled: true }],
    ["PUT", "/model-tolerances/no-ping", { vendorName: "", model: "B", enabled: true }],
    ["PUT", "/model-tolerances/no-ping", { vendorName: "A".repeat(101), model: "B", enabled: true }],
    ["PUT", "/model-tolerances/no-ping", { vendorName: "A", enabled: true }],
    ["PUT", "/stations/AUDITED/tolerances/unknown-action", { enabled: true }],
    ["GET", "/deviations/no-such-deviation/stations", undefined],
  ])("%s %s is refused with %j", async (method, path, body) => {
    expect((await running.api(method, path, body)).status).toBe(400);
  });
});

describe("what a station has shown", () => {
  it("is counted with its first and last time and an example, and outlives a restart", async () => {
    const stage = new Stage(running, newId("SHOWN"));
    const station = await stage.boot16();
    const status = { connectorId: 1, errorCode: "NoError", status: "Available", info: null };
    const firstAt = stage.at();
    for (let index = 0; index < 5; index += 1) {
      await station.ask("StatusNotification", { ...status, vendorId: `v${index}` });
      running.clock.advance(1_000);
    }
    const lastAt = stage.at(-1);
    const expected = {
      ...{ deviation: "null-values", kind: "tolerance", enabled: true, occurrences: 5, firstAt, lastAt },
      example: {
        at: firstAt,
        version: "1.6",
        action: "StatusNotification",
        text: JSON.stringify({ ...status, vendorId: "v0" }),
      },
    };
    expect(await shownBy(stage.id, "null-values")).toMatchObject(expected);
    await stage.close();
    await running.restart();
    expect(await shownBy(stage.id, "null-values")).toMatchObject(expected);
    const again = await stage.connect();
    await again.ask("StatusNotification", status);
    expect(await shownBy(stage.id, "null-values")).toMatchObject({ firstAt, occurrences: 6, lastAt: stage.at() });
    await stage.close();
  });

  it("holds no secret", async () => {
    const stage = new Stage(running, newId("SECRET"));
    const station = await stage.boot16();
    const configurationKey = [{ key: "AuthorizationKey", readonly: false, value: 1_234_567_890 }];
    await stage.call(station, "GetConfiguration", {}, (id) => JSON.stringify([3, id, { configurationKey }]));
    const shown = await untilShown(stage.id, "number-for-text");
    expect(JSON.stringify(shown)).toContain("[redacted]");
    expect(JSON.stringify(shown)).not.toContain("1234567890");
    await stage.close();
  });

  it("is summed up for all stations, listed by deviation, forgotten on request and with the station", async () => {
    const ids = [newId("FLEET"), newId("FLEET"), newId("FLEET")];
    for (const id of ids) {
      const station = await RawStation.connect(running, id);
      await station.ask("MakeTea", {});
      await station.close();
    }
    const sum = async () => {
      const { body } = await running.api("GET", "/deviations");
      return body.items?.find(({ deviation }) => deviation === "unknown-action");
    };
    const before = Number((await sum())?.stations);
    expect(before).toBeGreaterThanOrEqual(3);
    const listed: unknown[] = [];
    let cursor = "";
    do {
      const { body } = await running.api("GET", `/deviations/unknown-action/stations?limit=1${cursor}`);
      listed.push(...(body.items ?? []).map(({ stationId }) => stationId));
      cursor = body.nextCursor === null ? "" : `&cursor=${body.nextCursor}`;
    } while (cursor !== "");
    expect(listed).toEqual(expect.arrayContaining(ids));
    expect(new Set(listed).size).toBe(before);
    expect((await running.api("DELETE", `/stations/${ids[0]}/deviations`)).status).toBe(204);
    expect((await running.api("GET", `/stations/${ids[0]}/deviations`)).body.items).toEqual([]);
    await running.api("DELETE", `/stations/${ids[1]}`);
    expect(await sum()).toMatchObject({ kind: "rejection", stations: before - 2 });
    expect((await running.api("GET", `/stations/${ids[1]}/deviations`)).status).toBe(404);
  });

  it("of an identity that nobody knows is not recorded", async () => {
    const strict = await RestartableCsms.start({ POLYPHASE_UNKNOWN_STATIONS: "reject" });
    await expect(RawStation.connect(strict, "STRANGER")).rejects.toThrow("404");
    expect((await strict.api("GET", "/deviations")).body.items).toEqual([]);
    await strict.close();
  });
});

it("after all of it an honest station is served as before", async () => {
  const honest = await HonestStation.connect(running);
  await honest.expectServed();
});

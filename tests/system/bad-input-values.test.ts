import { describe, expect, it } from "vitest";
import { newIds, useHonestCsms } from "./honest-csms.ts";
import {
  head,
  logged,
  onlyTransactionOf,
  RawStation,
  tolerated,
  transactionsOf,
  type WireFrame,
} from "./raw-station.ts";

const running = useHonestCsms();

const newId = newIds();
const stationOf = async (stationId: string) => (await running.api("GET", `/stations/${stationId}`)).body;
const accepted = (frame: WireFrame) => expect(frame[0], JSON.stringify(frame)).toBe(3);

/** Applies a deviation and expects that a rule let it pass. */
async function expectTolerated(rule: string, deviate: () => Promise<void>): Promise<void> {
  const before = await tolerated(running, rule);
  await deviate();
  expect(await tolerated(running, rule)).toBeGreaterThan(before);
}

function start(station: RawStation, more: object = {}): Promise<Record<string, unknown>> {
  return station.call("StartTransaction", {
    ...{ connectorId: 1, idTag: "HONEST", meterStart: 1_000, timestamp: "2026-04-01T10:00:00Z" },
    ...more,
  });
}

function stop(station: RawStation, transactionId: unknown, meterStop: number, more: object = {}) {
  return station.call("StopTransaction", { transactionId, meterStop, timestamp: "2026-04-01T11:00:00Z", ...more });
}

function meterValues(station: RawStation, transactionId: unknown, sampledValue: unknown, more: object = {}) {
  const meterValue = [{ timestamp: "2026-04-01T10:30:00Z", sampledValue, ...more }];
  return station.ask("MeterValues", { connectorId: 1, transactionId, meterValue });
}

describe("a text that is too long", () => {
  it.each([26, 33, 64])("as a serial number of %i characters is kept whole (over-long-texts)", async (length) => {
    await expectTolerated("over-long-texts", async () => {
      const station = await RawStation.connect(running, newId("SERIAL"));
      const serial = "S".repeat(length);
      const boot = { chargePointVendor: "V", chargePointModel: "M", chargePointSerialNumber: serial };
      expect(await station.call("BootNotification", boot)).toMatchObject({ status: "Accepted" });
      expect(await stationOf(station.identity)).toMatchObject({ serialNumber: serial });
      await station.close();
    });
  });

  it("as a token is judged as it is, and not as its beginning (over-long-texts)", async () => {
    const token = "T".repeat(20);
    await running.api("PUT", `/id-tokens/${token}`, { type: "ISO14443", status: "Accepted" });
    const station = await RawStation.boot16(running, newId("TOKEN"));
    await expectTolerated("over-long-texts", async () => {
      expect(await station.call("Authorize", { idTag: `${token}X` })).toEqual({ idTagInfo: { status: "Invalid" } });
    });
    expect(await station.call("Authorize", { idTag: token })).toEqual({ idTagInfo: { status: "Accepted" } });
    const { transactionId, idTagInfo } = await start(station, { idTag: `${token}X` });
    expect(idTagInfo).toEqual({ status: "Invalid" });
    await stop(station, transactionId, 1_500);
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({
      ...{ status: "Ended", energyWh: 500, idToken: { idToken: `${token}X`, status: "Unknown" } },
    });
    await station.close();
  });

  it("is refused beyond eight times its length, and where the rule is off", async () => {
    const station = await RawStation.boot16(running, newId("FLOOD"));
    expect(await station.ask("Authorize", { idTag: "T".repeat(256) })).toMatchObject([
      ...[4, expect.any(String), "PropertyConstraintViolation", expect.any(String)],
      { path: "/idTag", rule: "maxLength" },
    ]);
    await running.api("PUT", `/stations/${station.identity}/tolerances/over-long-texts`, { enabled: false });
    expect(head(await station.ask("Authorize", { idTag: "T".repeat(21) }))).toEqual([
      ...[4, expect.any(String), "PropertyConstraintViolation"],
    ]);
    await station.close();
  });
});

describe("a value that the version does not list", () => {
  it("as the error code Error becomes OtherError (unknown-values)", async () => {
    const station = await RawStation.boot16(running, newId("CODE"));
    await expectTolerated("unknown-values", async () => {
      const status = { connectorId: 1, errorCode: "Error", status: "Faulted" };
      expect(await station.call("StatusNotification", status)).toEqual({});
    });
    expect(await logged(running, station.identity, '"errorCode":"Error"')).toMatchObject({ direction: "received" });
    await station.close();
  });

  it("as a status is refused, for no other status could stand for it", async () => {
    const station = await RawStation.boot16(running, newId("STATUS"));
    const status = { connectorId: 1, errorCode: "NoError", status: "Sleeping" };
    expect(head(await station.ask("StatusNotification", status))).toEqual([
      ...[4, expect.any(String), "PropertyConstraintViolation"],
    ]);
    // Differing in nothing but letters it is understood.
    await expectTolerated("enum-spelling", async () => {
      const spelt = { connectorId: 1, errorCode: "noerror", status: " AVAILABLE" };
      expect(await station.call("StatusNotification", spelt)).toEqual({});
    });
    await station.close();
  });

  it("as a measurand or a unit, such as Hz, costs that value and no other (unknown-values)", async () => {
    const station = await RawStation.boot16(running, newId("HZ"));
    const { transactionId } = await start(station);
    await expectTolerated("unknown-values", async () => {
      accepted(
        await meterValues(station, transactionId, [
          { value: "1600", measurand: "Energy.Active.Import.Register", unit: "Wh" },
          { value: "49.98", measurand: "Hz" },
          { value: "50.02", measurand: "Frequency", unit: "Hz" },
          { value: "999999", measurand: "Energy.Active.Import.Register", unit: "Hz" },
        ]),
      );
    });
    const transaction = await onlyTransactionOf(running, station.identity);
    expect(transaction).toMatchObject({ energyWh: 600, status: "Open" });
    const values = await running.api("GET", `/transactions/${transaction.id}/meter-values`);
    expect(values.body.items).toMatchObject([
      { sampledValue: [{ measurand: "Energy.Active.Import.Register" }, { measurand: "Frequency" }] },
    ]);
    await stop(station, transactionId, 1_700);
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({ energyWh: 700, status: "Ended" });
    await station.close();
  });

  it.each(["Request.Energy", "Sample.Peroidic", "Sample Periodic", ""])(
    "as the context '%s' changes nothing of the value (unknown-values)",
    async (context) => {
      const station = await RawStation.boot16(running, newId("CONTEXT"));
      const { transactionId } = await start(station);
      await expectTolerated("unknown-values", async () => {
        accepted(await meterValues(station, transactionId, [{ value: "1300", context }]));
      });
      expect(await onlyTransactionOf(running, station.identity)).toMatchObject({ energyWh: 300 });
      await station.close();
    },
  );

  it("as a reason to stop becomes Other (unknown-values)", async () => {
    const station = await RawStation.boot16(running, newId("REASON"));
    const { transactionId } = await start(station);
    await stop(station, transactionId, 1_250, { reason: "UserWasBored" });
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({
      ...{ energyWh: 250, stoppedReason: "Other", status: "Ended" },
    });
    await station.close();
  });

  it("as the code of a CALLERROR ends the call as it would in any spelling", async () => {
    const station = await RawStation.boot16(running, newId("MISSPELT"));
    const codes = ["NotImplmented", "FormationViolation", "OccurenceConstraintViolation", "", "__proto__", 17, null];
    let next = 0;
    station.answerCall = () => undefined;
    for (const code of codes) {
      const asked = running.api("POST", `/stations/${station.identity}/calls`, { action: "ClearCache", payload: {} });
      const call = await station.callNumber("ClearCache", next++);
      station.send(JSON.stringify([4, call[1], code, "nonsense", {}]));
      expect(await asked).toMatchObject({ status: 502 });
    }
    // Cut short, or without its details, it ends the call too.
    for (const rest of [["GenericError"], ["GenericError", "why"], ["GenericError", null, null], []]) {
      const asked = running.api("POST", `/stations/${station.identity}/calls`, { action: "ClearCache", payload: {} });
      const call = await station.callNumber("ClearCache", next++);
      station.send(JSON.stringify([4, call[1], ...rest]));
      expect(await asked).toMatchObject({ status: 502 });
    }
    await station.close();
  });

  it("as FormationViolation from a 2.0.1 station ends the call and is told as the station spelt it", async () => {
    const station = await RawStation.boot2(running, newId("OLDCODE"));
    station.answerCall = () => undefined;
    const asked = running.api("POST", `/stations/${station.identity}/calls`, { action: "ClearCache", payload: {} });
    const [, id] = await station.callNumber("ClearCache", 0);
    station.send(JSON.stringify([4, id, "FormationViolation", "old habits", {}]));
    expect(await asked).toMatchObject({ status: 502, body: { code: "FormationViolation", detail: "old habits" } });
    await station.close();
  });
});

describe("a value of the wrong type", () => {
  it("as an integer among configuration values is taken as its text (number-for-text)", async () => {
    const station = await RawStation.connect(running, newId("INTEGER"));
    station.answerCall = (action) =>
      action === "GetConfiguration"
        ? {
            configurationKey: [
              { key: "HeartbeatInterval", readonly: false, value: 300 },
              { key: "LocalPreAuthorize", readonly: false, value: true },
            ],
          }
        : { status: "Accepted" };
    await expectTolerated("number-for-text", async () => {
      await station.call("BootNotification", { chargePointVendor: "V", chargePointModel: "M" });
      await station.untilInventory(running, "Complete");
    });
    const { body } = await running.api("GET", `/stations/${station.identity}/variables`);
    expect(body.items).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ variable: "HeartbeatInterval", value: "300" }),
        expect.objectContaining({ variable: "LocalPreAuthorize", value: "true" }),
      ]),
    );
    await station.close();
  });

  it("as a number among meter values is taken as its text (number-for-text)", async () => {
    const station = await RawStation.boot16(running, newId("NUMBER"));
    const { transactionId } = await start(station);
    await expectTolerated("number-for-text", async () => {
      accepted(await meterValues(station, transactionId, [{ value: 1_450.5 }]));
    });
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({ energyWh: 450.5 });
    await station.close();
  });

  it("as an empty sampledValue is ignored, and what stands beside it counts", async () => {
    const station = await RawStation.boot16(running, newId("EMPTYLIST"));
    const { transactionId } = await start(station);
    const meterValue = [
      { timestamp: "2026-04-01T10:10:00Z", sampledValue: [] },
      { timestamp: "2026-04-01T10:20:00Z", sampledValue: [{ value: "1200" }] },
    ];
    accepted(await station.ask("MeterValues", { connectorId: 1, transactionId, meterValue }));
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({ energyWh: 200 });
    accepted(await meterValues(station, transactionId, []));
    await stop(station, transactionId, 1_300);
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({ energyWh: 300, status: "Ended" });
    await station.close();
  });

  it("as an empty sampledValue of 2.x, which must not be, is ignored too (empty-lists)", async () => {
    const station = await RawStation.boot2(running, newId("EMPTYLIST2"));
    const event = (seqNo: number, eventType: string, meterValue: unknown) =>
      station.ask("TransactionEvent", {
        ...{ eventType, seqNo, triggerReason: "MeterValuePeriodic", timestamp: `2026-04-01T10:0${seqNo}:00Z` },
        ...{ transactionInfo: { transactionId: "T" }, evse: { id: 1, connectorId: 1 }, meterValue },
      });
    const values = (sampledValue: unknown) => ({ timestamp: "2026-04-01T10:00:00Z", sampledValue });
    await expectTolerated("empty-lists", async () => {
      accepted(await event(0, "Started", [values([{ value: 1_000 }]), values([])]));
      accepted(await event(1, "Updated", [values([])]));
      accepted(await event(2, "Updated", []));
    });
    accepted(await event(3, "Ended", [{ timestamp: "2026-04-01T10:03:00Z", sampledValue: [{ value: 1_400 }] }]));
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({ energyWh: 400, status: "Ended" });
    await station.close();
  });

  it.each(["abc", "", "NaN", "Infinity", "-5", "1e400", "1,5", "0x10", "12 kWh"])(
    "as the meter value '%s' is kept as it is and counts nothing",
    async (value) => {
      const station = await RawStation.boot16(running, newId("UNREADABLE"));
      const { transactionId } = await start(station);
      accepted(await meterValues(station, transactionId, [{ value }]));
      await stop(station, transactionId, 1_750);
      expect(await onlyTransactionOf(running, station.identity)).toMatchObject({ energyWh: 750, status: "Ended" });
      await station.close();
    },
  );

  it("as a text for a number is refused by path and rule", async () => {
    const station = await RawStation.boot16(running, newId("TYPE"));
    const request = { connectorId: "1", idTag: "HONEST", meterStart: 1_000, timestamp: "2026-04-01T10:00:00Z" };
    expect(await station.ask("StartTransaction", request)).toEqual([
      ...[4, expect.any(String), "TypeConstraintViolation", expect.any(String)],
      { path: "/connectorId", rule: "type" },
    ]);
    expect(await transactionsOf(running, station.identity)).toEqual([]);
    await station.close();
  });

  it("as null is read as absent (null-values), and unknown properties are ignored (unknown-properties)", async () => {
    const station = await RawStation.boot16(running, newId("NULL"));
    for (const rule of ["null-values", "unknown-properties"]) {
      await expectTolerated(rule, async () => {
        const status = { connectorId: 1, errorCode: "NoError", status: "Available", info: null, vendorThing: [1] };
        expect(await station.call("StatusNotification", status)).toEqual({});
      });
    }
    await station.close();
  });

  it.each([1e15, -1, 1.5, 2 ** 31, -(2 ** 31), 1e308])("as the impossible number %d harms nothing", async (number) => {
    const station = await RawStation.boot16(running, newId("RANGE"));
    const timestamp = "2026-04-01T10:00:00Z";
    const frames = [
      await station.ask("StartTransaction", { connectorId: number, idTag: "HONEST", meterStart: 1_000, timestamp }),
      await station.ask("StartTransaction", { connectorId: 2, idTag: "HONEST", meterStart: number, timestamp }),
      await station.ask("StopTransaction", { transactionId: number, meterStop: 5, timestamp }),
      await station.ask("StatusNotification", { connectorId: number, errorCode: "NoError", status: "Available" }),
      await station.ask("MeterValues", { connectorId: number, transactionId: number, meterValue: [] }),
    ];
    for (const frame of frames) if (frame[0] === 4) expect(frame[2]).not.toBe("InternalError");
    for (const { energyWh = 0 } of await transactionsOf(running, station.identity)) {
      expect(energyWh).toBeGreaterThanOrEqual(0);
      expect(energyWh).toBeLessThan(1e12);
    }
    await station.close();
  });
});

describe("a time", () => {
  it.each([
    { kind: "without a zone", start: "2026-04-01T10:00:00", stop: "2026-04-01T10:30:00" },
    { kind: "without a zone and with a space", start: "2026-04-01 10:00:00", stop: "2026-04-01 10:30:00" },
    { kind: "with the offset +02", start: "2026-04-01T12:00:00+02", stop: "2026-04-01T12:30:00+02" },
    { kind: "with the offset +0200", start: "2026-04-01T12:00:00+0200", stop: "2026-04-01T12:30:00.000+0200" },
    { kind: "without seconds", start: "2026-04-01T10:00Z", stop: "2026-04-01T10:30Z" },
  ])("$kind is understood (time-format)", async (times) => {
    const station = await RawStation.boot16(running, newId("ZONE"));
    await expectTolerated("time-format", async () => {
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

const injections = [
  "'; drop table station; --",
  "' or '1'='1",
  '"; delete from transaction; --',
  "$1",
  "\\'; select pg_sleep(60); --",
  '{"a":1}',
  '{1,2,"}',
  "NULL",
  "\\N",
  "%s%n",
  "<script>alert(1)</script>",
  "$".concat("{7*7}"),
];

describe("a text made to be run", () => {
  it.each(injections)("is stored and shown as it is, wherever it stands: %s", async (text) => {
    const short = text.slice(0, 20);
    const station = await RawStation.connect(running, newId("SQL"));
    const boot = {
      ...{ chargePointVendor: short, chargePointModel: short, chargePointSerialNumber: text, firmwareVersion: text },
      ...{ chargeBoxSerialNumber: short, iccid: short, imsi: short, meterType: short, meterSerialNumber: short },
    };
    expect(await station.call("BootNotification", boot)).toMatchObject({ status: "Accepted" });
    expect(await stationOf(station.identity)).toMatchObject({
      ...{ vendorName: short, model: short, serialNumber: text, firmwareVersion: text, iccid: short, imsi: short },
    });
    expect(await station.call("Authorize", { idTag: text })).toEqual({ idTagInfo: { status: "Invalid" } });
    const { transactionId } = await start(station, { idTag: text });
    accepted(await meterValues(station, transactionId, [{ value: text }]));
    await stop(station, transactionId, 1_100, { idTag: text });
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({
      ...{ energyWh: 100, idToken: { idToken: text }, stopIdToken: { idToken: text } },
    });
    accepted(
      await station.ask("StatusNotification", {
        ...{
          connectorId: 1,
          errorCode: "OtherError",
          status: "Faulted",
          info: text,
          vendorId: text,
          vendorErrorCode: text,
        },
      }),
    );
    accepted(await station.ask("DataTransfer", { vendorId: text, messageId: text, data: text }));
    accepted(await station.ask("FirmwareStatusNotification", { status: "Idle" }));
    accepted(
      await station.ask("SecurityEventNotification", { type: text, timestamp: "2026-04-01T10:00:00Z", techInfo: text }),
    );
    expect(await logged(running, station.identity, JSON.stringify(text).slice(1, -1))).toBeDefined();
    await station.close();
  });

  it.each(injections)("is stored and shown as it is in 2.x: %s", async (text) => {
    const station = await RawStation.boot2(running, newId("SQL2"), "ocpp2.1");
    const transactionId = text.slice(0, 36);
    await station.call("TransactionEvent", {
      ...{ eventType: "Started", triggerReason: "Authorized", seqNo: 0, timestamp: "2026-04-01T10:00:00Z" },
      ...{ transactionInfo: { transactionId }, evse: { id: 1, connectorId: 1 } },
      ...{ idToken: { idToken: text, type: "ISO14443", additionalInfo: [{ additionalIdToken: text, type: text }] } },
      customData: { vendorId: text, [text]: text, nested: { deep: [text] } },
    });
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({
      ...{ transactionId, idToken: { idToken: text, status: "Unknown" } },
    });
    const component = { name: text, instance: text };
    await station.call("NotifyEvent", {
      ...{ generatedAt: "2026-04-01T10:00:00Z", seqNo: 0 },
      eventData: [
        {
          ...{ eventId: 1, timestamp: "2026-04-01T10:00:00Z", trigger: "Delta", actualValue: text, component },
          ...{ variable: { name: text, instance: text }, eventNotificationType: "CustomMonitor", techInfo: text },
        },
      ],
    });
    const { body } = await running.api("GET", `/stations/${station.identity}/variables`);
    expect(body.items).toMatchObject([{ component: text, variable: text, value: text }]);
    await station.close();
  });
});

describe("a NUL inside a text", () => {
  const nul = "a\0b";

  it("is ignored at its end, as the padding that it is (nul-in-text)", async () => {
    const station = await RawStation.boot16(running, newId("PADDED"));
    await expectTolerated("nul-in-text", async () => {
      expect(await station.call("Authorize", { idTag: "HONEST\0\0" })).toEqual({ idTagInfo: { status: "Accepted" } });
    });
    const { transactionId } = await start(station, { idTag: "HONEST\0" });
    await stop(station, transactionId, 1_300, { idTag: "HONEST\0\0\0" });
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({
      ...{ energyWh: 300, status: "Ended", idToken: { idToken: "HONEST", status: "Accepted" } },
    });
    expect(await logged(running, station.identity, '"HONEST\\u0000"')).toMatchObject({ action: "StartTransaction" });
    await station.close();
  });

  it("becomes the replacement character elsewhere, wherever it stands in 1.6 (nul-in-text)", async () => {
    const station = await RawStation.connect(running, newId("NULTEXT"));
    const boot = { chargePointVendor: nul, chargePointModel: nul, chargePointSerialNumber: nul };
    accepted(await station.ask("BootNotification", boot));
    expect(await stationOf(station.identity)).toMatchObject({ vendorName: "a\uFFFDb", serialNumber: "a\uFFFDb" });
    const { transactionId } = await start(station, { idTag: nul });
    accepted(await meterValues(station, transactionId, [{ value: nul }, { value: "1100" }]));
    await stop(station, transactionId, 1_300, { idTag: nul });
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({
      ...{ energyWh: 300, status: "Ended", idToken: { idToken: "a\uFFFDb" } },
    });
    for (const [action, payload] of [
      ["Authorize", { idTag: nul }],
      ["StatusNotification", { connectorId: 1, errorCode: "OtherError", status: "Faulted", info: nul, vendorId: nul }],
      ["DataTransfer", { vendorId: nul, messageId: nul, data: nul }],
      ["SecurityEventNotification", { type: nul, timestamp: "2026-04-01T10:00:00Z", techInfo: nul }],
    ] as const) {
      accepted(await station.ask(action, payload));
    }
    await station.close();
  });

  it("is refused where it cannot be stored and the rule is off", async () => {
    const station = await RawStation.boot16(running, newId("NULSTRICT"));
    await running.api("PUT", `/stations/${station.identity}/tolerances/nul-in-text`, { enabled: false });
    const request = { connectorId: 1, idTag: nul, meterStart: 1_000, timestamp: "2026-04-01T10:00:00Z" };
    expect(head(await station.ask("StartTransaction", request))).toEqual([
      ...[4, expect.any(String), "FormationViolation"],
    ]);
    expect(await transactionsOf(running, station.identity)).toEqual([]);
    await station.close();
  });

  it("becomes the replacement character wherever it stands in 2.1 (nul-in-text)", async () => {
    const station = await RawStation.boot2(running, newId("NULTEXT2"), "ocpp2.1");
    const at = "2026-04-01T10:00:00Z";
    const event = {
      ...{ eventType: "Started", triggerReason: "Authorized", seqNo: 0, timestamp: at },
      ...{ transactionInfo: { transactionId: nul }, evse: { id: 1, connectorId: 1 } },
      ...{ idToken: { idToken: nul, type: nul }, customData: { vendorId: nul, [nul]: nul } },
      meterValue: [{ timestamp: at, sampledValue: [{ value: 5, unitOfMeasure: { unit: nul } }] }],
    };
    accepted(await station.ask("TransactionEvent", event));
    // Again: a repeat is a repeat although its id could not be stored as it is.
    accepted(await station.ask("TransactionEvent", event));
    expect(await transactionsOf(running, station.identity)).toHaveLength(1);
    accepted(
      await station.ask("NotifyEvent", {
        ...{ generatedAt: at, seqNo: 0 },
        eventData: [
          {
            ...{ eventId: 1, timestamp: at, trigger: "Delta", actualValue: nul, component: { name: nul } },
            ...{ variable: { name: nul }, eventNotificationType: "CustomMonitor" },
          },
        ],
      }),
    );
    await station.close();
  });

  it.each(["\ud800", "\udfff", "\u202e", "\ufffe", "💥".repeat(5)])(
    "as other odd characters is no harm: %j",
    async (odd) => {
      const station = await RawStation.connect(running, newId("ODD"));
      // JSON.stringify would mend a lone surrogate; a broken charger does not.
      const raw = odd.length === 1 ? `\\u${odd.charCodeAt(0).toString(16).padStart(4, "0")}` : odd;
      station.send(`[2,"b","BootNotification",{"chargePointVendor":"${raw}","chargePointModel":"M"}]`);
      accepted(await station.answerTo("b"));
      station.send(
        `[2,"s","StartTransaction",{"connectorId":1,"idTag":"${raw}","meterStart":5,"timestamp":"2026-04-01T10:00:00Z"}]`,
      );
      accepted(await station.answerTo("s"));
      expect(await transactionsOf(running, station.identity)).toHaveLength(1);
      await station.close();
    },
  );
});

import { describe, expect, it } from "vitest";
import { accepted, expectTolerated, meterValues, start, stop } from "./charging-session.ts";
import { newIds, useHonestCsms } from "./honest-csms.ts";
import { head, logged, onlyTransactionOf, RawStation, transactionsOf } from "./raw-station.ts";

const running = useHonestCsms();

const newId = newIds();
const stationOf = async (stationId: string) => (await running.api("GET", `/stations/${stationId}`)).body;

describe("a text that is too long", () => {
  it.each([26, 33, 64])("as a serial number of %i characters is kept whole (over-long-texts)", async (length) => {
    await expectTolerated(running, "over-long-texts", async () => {
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
    await expectTolerated(running, "over-long-texts", async () => {
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
    await expectTolerated(running, "unknown-values", async () => {
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
    await expectTolerated(running, "enum-spelling", async () => {
      const spelt = { connectorId: 1, errorCode: "noerror", status: " AVAILABLE" };
      expect(await station.call("StatusNotification", spelt)).toEqual({});
    });
    await station.close();
  });

  it("as a measurand or a unit, such as Hz, costs that value and no other (unknown-values)", async () => {
    const station = await RawStation.boot16(running, newId("HZ"));
    const { transactionId } = await start(station);
    await expectTolerated(running, "unknown-values", async () => {
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
      await expectTolerated(running, "unknown-values", async () => {
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
    await expectTolerated(running, "number-for-text", async () => {
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
    await expectTolerated(running, "number-for-text", async () => {
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
    await expectTolerated(running, "empty-lists", async () => {
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
      await expectTolerated(running, rule, async () => {
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

import { describe, expect, it } from "vitest";
import { accepted, expectTolerated, meterValues, start, stop } from "./charging-session.ts";
import { newIds, useHonestCsms } from "./honest-csms.ts";
import { head, logged, onlyTransactionOf, RawStation, transactionsOf } from "./raw-station.ts";

const running = useHonestCsms();

const newId = newIds();
const stationOf = async (stationId: string) => (await running.api("GET", `/stations/${stationId}`)).body;

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
    await expectTolerated(running, "nul-in-text", async () => {
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

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { onlyTransactionOf, RawStation } from "../system/raw-station.ts";
import { eventually, type Item } from "../system/running-csms.ts";
import { RestartableCsms } from "./restartable-csms.ts";

const MINUTE_MS = 60_000;

let running: RestartableCsms;

beforeAll(async () => {
  running = await RestartableCsms.start();
  await running.api("PUT", "/id-tokens/FORGOTTEN", { type: "ISO14443", status: "Accepted" });
});

afterAll(() => running.close());

const at = (minute: number) => new Date(Date.parse("2026-03-10T11:00:00Z") + minute * MINUTE_MS).toISOString();

/** Resolves when the only transaction of a station has a status. */
function becomes(stationId: string, status: string): Promise<Item> {
  return eventually(`the transaction of ${stationId} is ${status}`, async () => {
    const transaction = await onlyTransactionOf(running, stationId);
    return transaction.status === status ? transaction : undefined;
  });
}

describe("a station that lost its memory in a transaction", () => {
  it("of 1.6 shows it by a connector that stays free, also when the CSMS is restarted meanwhile", async () => {
    const station = await RawStation.boot16(running, "FORGETS-16");
    const start = { connectorId: 1, idTag: "FORGOTTEN", meterStart: 1_000, timestamp: at(0) };
    const { transactionId } = await station.call("StartTransaction", start);
    const meterValue = [{ timestamp: at(10), sampledValue: [{ value: "4000" }] }];
    await station.call("MeterValues", { connectorId: 1, transactionId, meterValue });
    await station.call("BootNotification", { chargePointVendor: "Raw", chargePointModel: "R" });
    const free = { connectorId: 1, status: "Available", errorCode: "NoError", timestamp: at(20) };
    await station.call("StatusNotification", free);
    await running.restart();
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({ status: "Open" });
    running.timers.advance(15 * MINUTE_MS);
    expect(await becomes(station.identity, "Abandoned")).toMatchObject({
      abandonedBy: "ConnectorFree",
      energyWh: 3_000,
    });
    await station.ended;
    // What it had in its queue after all.
    const again = await RawStation.connect(running, station.identity);
    await again.call("StopTransaction", { transactionId, meterStop: 4_500, timestamp: at(15), reason: "PowerLoss" });
    expect(await becomes(station.identity, "Ended")).toMatchObject({ energyWh: 3_500, stoppedReason: "PowerLoss" });
    await again.close();
  });

  it("of 2.x says so when it is asked after its boot (E14)", async () => {
    const station = await RawStation.boot2(running, "FORGETS-2", "ocpp2.1");
    await station.call("TransactionEvent", {
      ...{ eventType: "Started", triggerReason: "Authorized", seqNo: 0, timestamp: at(0) },
      ...{ transactionInfo: { transactionId: "T" }, evse: { id: 1, connectorId: 1 } },
      idToken: { idToken: "FORGOTTEN", type: "ISO14443" },
      meterValue: [{ timestamp: at(0), sampledValue: [{ value: 1_000 }] }],
    });
    await station.close();
    const booted = await RawStation.connect(running, station.identity, ["ocpp2.1"]);
    booted.answerCall = (action) =>
      action === "GetTransactionStatus" ? { ongoingIndicator: false, messagesInQueue: false } : undefined;
    await booted.call("BootNotification", { reason: "PowerUp", chargingStation: { vendorName: "Raw", model: "R" } });
    running.timers.advance(10_000);
    expect(await booted.called("GetTransactionStatus")).toEqual({ transactionId: "T" });
    expect(await becomes(station.identity, "Abandoned")).toMatchObject({ abandonedBy: "StationDenies" });
    await booted.close();
  });

  it("and never returns has its transaction closed by an operator, after which its token is free", async () => {
    const station = await RawStation.boot16(running, "FORGETS-EVER");
    const start = { connectorId: 1, idTag: "FORGOTTEN", meterStart: 1_000, timestamp: at(0) };
    await station.call("StartTransaction", start);
    await station.close();
    const { id } = await onlyTransactionOf(running, station.identity);
    const closed = await running.api("POST", `/transactions/${String(id)}/close`);
    expect(closed).toMatchObject({ status: 200, body: { status: "Abandoned", abandonedBy: "Operator" } });
    const other = await RawStation.boot16(running, "FORGETS-OTHER");
    expect(await other.call("Authorize", { idTag: "FORGOTTEN" })).toEqual({ idTagInfo: { status: "Accepted" } });
    await other.close();
  });
});

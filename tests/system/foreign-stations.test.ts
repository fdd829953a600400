import { RPCClient } from "ocpp-rpc";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { eventually, type RunningCsms, runCsms } from "./running-csms.ts";

let running: RunningCsms;

beforeAll(async () => {
  running = await runCsms();
  await running.api("PUT", "/id-tokens/TAG1", { type: "ISO14443", status: "Accepted" });
});

afterAll(() => running.close());

type Call = (action: string, payload: unknown) => Promise<Record<string, unknown>>;

/** A session of 1.6 in which the meter goes from 1 000 Wh to 3 500 Wh. */
async function charge16(call: Call): Promise<void> {
  const boot = await call("BootNotification", { chargePointVendor: "Foreign", chargePointModel: "M" });
  expect(boot).toMatchObject({ status: "Accepted" });
  await call("StatusNotification", { connectorId: 1, errorCode: "NoError", status: "Preparing" });
  expect(await call("Authorize", { idTag: "TAG1" })).toMatchObject({ idTagInfo: { status: "Accepted" } });
  const timestamp = (minute: number) => `2026-03-01T12:${String(minute).padStart(2, "0")}:00Z`;
  const { transactionId } = await call("StartTransaction", {
    connectorId: 1,
    idTag: "TAG1",
    meterStart: 1_000,
    timestamp: timestamp(0),
  });
  expect(transactionId).toBeGreaterThan(0);
  await call("MeterValues", {
    connectorId: 1,
    transactionId,
    meterValue: [{ timestamp: timestamp(15), sampledValue: [{ value: "2.2", unit: "kWh" }] }],
  });
  await call("StopTransaction", { transactionId, meterStop: 3_500, timestamp: timestamp(30), reason: "Local" });
}

/** The same session in 2.0.1. */
async function charge201(call: Call): Promise<void> {
  const boot = await call("BootNotification", {
    reason: "PowerUp",
    chargingStation: { vendorName: "Foreign", model: "M" },
  });
  expect(boot).toMatchObject({ status: "Accepted" });
  const event = (seqNo: number, eventType: string, valueWh: number, more: object = {}) =>
    call("TransactionEvent", {
      eventType,
      seqNo,
      timestamp: `2026-03-01T12:${String(seqNo * 15).padStart(2, "0")}:00Z`,
      triggerReason: eventType === "Updated" ? "MeterValuePeriodic" : "Authorized",
      transactionInfo: { transactionId: "FOREIGN-1" },
      evse: { id: 1, connectorId: 1 },
      meterValue: [
        { timestamp: `2026-03-01T12:${String(seqNo * 15).padStart(2, "0")}:00Z`, sampledValue: [{ value: valueWh }] },
      ],
      ...more,
    });
  const started = await event(0, "Started", 1_000, { idToken: { idToken: "TAG1", type: "ISO14443" } });
  expect(started).toMatchObject({ idTokenInfo: { status: "Accepted" } });
  await event(1, "Updated", 2_200);
  await event(2, "Ended", 3_500);
}

async function expectCharged(stationId: string): Promise<void> {
  const { body } = await running.api("GET", `/transactions?stationId=${stationId}`);
  expect(body.items).toMatchObject([{ status: "Ended", energyWh: 2_500, evseId: 1, idToken: { idToken: "TAG1" } }]);
}

describe("ocpp-rpc as station", () => {
  it.each([
    { subprotocol: "ocpp1.6", charge: charge16 },
    { subprotocol: "ocpp2.0.1", charge: charge201 },
  ])("charges in $subprotocol", async ({ subprotocol, charge }) => {
    const identity = `RPC-${subprotocol}`;
    const options = { endpoint: running.urlFor("1.6"), identity, protocols: [subprotocol], strictMode: true };
    // Its types ask for every option, although all have defaults.
    const client = new RPCClient(options as unknown as ConstructorParameters<typeof RPCClient>[0]);
    await client.connect();
    await charge((action, payload) => client.call(action, payload) as Promise<Record<string, unknown>>);
    await expectCharged(identity);
    await client.close();
  });
});

describe("a hand-written WebSocket client as station", () => {
  it.each([
    { subprotocol: "ocpp1.6", charge: charge16 },
    { subprotocol: "ocpp2.0.1", charge: charge201 },
  ])("charges in $subprotocol", async ({ subprotocol, charge }) => {
    const identity = `HAND-${subprotocol}`;
    const socket = new WebSocket(`${running.urlFor("1.6")}/${identity}`, [subprotocol]);
    await new Promise((resolve) => socket.once("open", resolve));
    const answers = new Map<string, unknown>();
    socket.on("message", (data) => {
      const [type, id, ...rest] = JSON.parse(String(data));
      if (type === 2) socket.send(JSON.stringify([4, id, "NotImplemented", "", {}]));
      else answers.set(id, type === 3 ? rest[0] : new Error(String(data)));
    });
    let number = 0;
    await charge(async (action, payload) => {
      const id = String(++number);
      socket.send(JSON.stringify([2, id, action, payload]));
      const answer = await eventually(`the answer to ${action}`, () => answers.get(id));
      if (answer instanceof Error) throw answer;
      return answer as Record<string, unknown>;
    });
    await expectCharged(identity);
    socket.close();
  });
});

describe("a raw SOAP request", () => {
  it.each([
    { version: "1.2", namespace: "urn://Ocpp/Cs/2010/08/" },
    { version: "1.5", namespace: "urn://Ocpp/Cs/2012/06/" },
    { version: "1.6", namespace: "urn://Ocpp/Cs/2015/10/" },
  ])("is answered in $version", async ({ version, namespace }) => {
    const response = await fetch(running.urlFor("1.5"), {
      method: "POST",
      headers: { "content-type": "application/soap+xml; charset=utf-8" },
      body: `<?xml version="1.0" encoding="UTF-8"?>
        <s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing"
          xmlns:cs="${namespace}">
          <s:Header>
            <cs:chargeBoxIdentity>SOAP-${version}</cs:chargeBoxIdentity>
            <a:Action>/BootNotification</a:Action><a:MessageID>M1</a:MessageID>
          </s:Header>
          <s:Body><cs:bootNotificationRequest>
            <cs:chargePointVendor>Foreign</cs:chargePointVendor><cs:chargePointModel>M</cs:chargePointModel>
          </cs:bootNotificationRequest></s:Body>
        </s:Envelope>`,
    });
    const text = await response.text();
    expect({ status: response.status, text }).toMatchObject({ status: 200 });
    expect(text).toMatch(/<[\w:]*status>Accepted<\//);
    expect(text).toMatch(/RelatesTo[^>]*>M1</);
    const { body } = await running.api("GET", `/stations/SOAP-${version}`);
    expect(body).toMatchObject({ registrationStatus: "Accepted", version, transport: "OCPP-S" });
  });

  it("tells its WSDL", async () => {
    const response = await fetch(`${running.urlFor("1.5")}?wsdl`);
    expect(await response.text()).toContain("urn://Ocpp/Cs/2015/10/");
  });
});

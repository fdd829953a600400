import { connect } from "node:net";
import { JsonStation, OcppError, SoapStation, type StationConnection } from "@polyphase/ocpp";
import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import type { FastifyInstance } from "fastify";
import { sql } from "kysely";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Metrics } from "../api/metrics.ts";
import { serveBlocks } from "../blocks/fixture.ts";
import { type ElapsedMs, systemClock } from "../clock.ts";
import { connectDatabase, type Database } from "../database/connection.ts";
import { migrateDatabase } from "../database/migrate.ts";
import { maintainPartitions } from "../database/partitions.ts";
import { DatabaseUnavailableError } from "../database/write-unit.ts";
import { MemoryCredentials, MemoryStations, RecordedWrites } from "./fixture.ts";
import { createGateway, type Gateway } from "./gateway.ts";
import { messageLogTable } from "./message-log/message-log.ts";
import { readMessages } from "./message-log/message-page.ts";
import { migrations } from "./migrations.ts";
import { CommandNotSupportedError, StationAnsweredError, StationOfflineError } from "./station-messages.ts";
import { DeviationWatch } from "./tolerance/deviation-watch.ts";

const open: Array<{ close(): unknown }> = [];
const log = pino({ level: "silent" });
let testDatabase: TestDatabase;
let database: Database;
let stations: MemoryStations;
let credentials: MemoryCredentials;
let writes: RecordedWrites;
let gateway: Gateway;
let port: number;

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  database = await connectDatabase({ url: testDatabase.url, log });
  await migrateDatabase(database.kysely, migrations);
  await maintainPartitions(database.kysely, messageLogTable(), new Date());
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

beforeEach(async () => {
  stations = new MemoryStations();
  credentials = new MemoryCredentials();
  writes = new RecordedWrites();
  gateway = newGateway();
  ({ port } = await gateway.listen({ host: "127.0.0.1", port: 0 }));
});

afterEach(async () => {
  for (const endpoint of open.splice(0)) await endpoint.close();
  await gateway.close({ graceMs: 100 });
});

function newGateway(wait?: (durationMs: number) => Promise<void>, elapsedMs?: ElapsedMs): Gateway {
  const parts = { stations, groupCommit: writes, clock: systemClock, database: database.kysely, log };
  const metrics = new Metrics();
  return createGateway({
    ...parts,
    ...(wait === undefined ? {} : { wait }),
    ...(elapsedMs === undefined ? {} : { elapsedMs }),
    credentials,
    metrics,
    deviations: new DeviationWatch({ ...parts, metrics }),
  });
}

function soapStation(identity: string): SoapStation<"1.5"> {
  const made = new SoapStation({
    url: `http://127.0.0.1:${port}/ocpp/soap`,
    identity,
    version: "1.5",
    listen: { port: 0, host: "127.0.0.1" },
  });
  open.push(made);
  return made;
}

function station(
  identity: string,
  version: "1.6" | "2.0.1" | "2.1",
  options: Partial<ConstructorParameters<typeof JsonStation>[0]> = {},
) {
  const made = new JsonStation({
    url: `ws://127.0.0.1:${port}/ocpp`,
    identity,
    versions: [version],
    backOff: { waitMinimumMs: 3_600_000, randomRangeMs: 0, repeatTimes: 0 },
    ...options,
  });
  open.push(made);
  return made;
}

const boot16 = { chargePointVendor: "ACME", chargePointModel: "One" };
const boot2 = { reason: "PowerUp" as const, chargingStation: { vendorName: "ACME", model: "One" } };
const currentTime = "2024-05-01T00:00:00Z";

describe("gateway", () => {
  it("boots a 1.6 and a 2.0.1 station through the routes of their families", async () => {
    gateway.routes.on1("BootNotification", (_request, { family }) => ({
      status: "Accepted",
      currentTime,
      interval: family,
    }));
    gateway.routes.on2("BootNotification", (request) =>
      Promise.resolve({
        status: "Accepted" as const,
        currentTime,
        interval: request.chargingStation.vendorName.length,
      }),
    );
    const old = await station("CP1", "1.6").connect();
    const modern = await station("CP2", "2.0.1").connect();
    expect(await old.callUntyped("BootNotification", boot16)).toEqual({
      status: "Accepted",
      currentTime,
      interval: 1,
    });
    expect(await modern.callUntyped("BootNotification", boot2)).toEqual({
      status: "Accepted",
      currentTime,
      interval: 4,
    });
    expect([...gateway.calls.sessions()].map(({ stationId, version }) => [stationId, version])).toEqual([
      ["CP1", "1.6"],
      ["CP2", "2.0.1"],
    ]);
  });

  it("calls stations in the words of their family and tells what went wrong", async () => {
    const old = station("CP1", "1.6")
      .handle("1.6", "Reset", ({ type }) => ({ status: type === "Soft" ? "Accepted" : "Rejected" }))
      .handle("1.6", "ClearCache", () => {
        throw new OcppError("SecurityError", "not you");
      });
    const modern = station("CP2", "2.0.1").handle("2.0.1", "ClearCache", () => ({ status: "Accepted" }));
    await Promise.all([old.connect(), modern.connect()]);
    const { calls } = gateway;
    expect(await calls.call1("CP1", "Reset", { type: "Soft" })).toEqual({ status: "Accepted" });
    expect(await calls.call2("CP2", "ClearCache", {})).toEqual({ status: "Accepted" });
    expect(await calls.callRaw("CP1", "Reset", { type: "Hard" })).toEqual({ status: "Rejected" });
    await expect(calls.call1("CP1", "ClearCache", {})).rejects.toMatchObject({
      name: StationAnsweredError.name,
      code: "SecurityError",
    });
    await expect(calls.call1("CP3", "ClearCache", {})).rejects.toBeInstanceOf(StationOfflineError);
    await expect(calls.call1("CP2", "ClearCache", {})).rejects.toBeInstanceOf(CommandNotSupportedError);
    await expect(calls.call2("CP2", "GetTariffs", { evseId: 1 })).rejects.toBeInstanceOf(CommandNotSupportedError);
  });

  it("answers InternalError when the database is away, and NotSupported where no block answers", async () => {
    gateway.routes.on1("Heartbeat", () => Promise.reject(new DatabaseUnavailableError("away")));
    const connection = await station("CP1", "1.6").connect();
    await expect(connection.callUntyped("Heartbeat", {})).rejects.toMatchObject({ code: "InternalError" });
    await expect(connection.callUntyped("Authorize", { idTag: "1" })).rejects.toMatchObject({ code: "NotSupported" });
  });

  it("B02.FR.09: refuses what a Pending station may not send, and takes what it was asked for", async () => {
    stations.policy = "pending";
    gateway.routes.on2("Heartbeat", () => ({ currentTime }));
    gateway.routes.on2("StatusNotification", () => ({}));
    const modern = station("CP1", "2.1").handle("2.1", "TriggerMessage", () => ({ status: "Accepted" }));
    const connection = await modern.connect();
    await expect(connection.callUntyped("Heartbeat", {})).rejects.toMatchObject({ code: "SecurityError" });
    await gateway.calls.call2("CP1", "TriggerMessage", { requestedMessage: "Heartbeat" });
    expect(await connection.callUntyped("Heartbeat", {})).toEqual({ currentTime });
    await expect(gateway.calls.call2("CP1", "RequestStopTransaction", { transactionId: "1" })).rejects.toBeInstanceOf(
      CommandNotSupportedError,
    );
    stations.put("CP1");
    const status = { timestamp: currentTime, connectorStatus: "Available" as const, evseId: 1, connectorId: 1 };
    expect(await connection.callUntyped("StatusNotification", status)).toEqual({});
  });

  it("OCPP-J 1.6 §3.1: answers 404 to an identity that is not known, where the policy is reject", async () => {
    stations.policy = "reject";
    await expect(refusedStatus("CP1", "1.6")).resolves.toBe(404);
  });

  it("A00.FR.207: takes a password on bytes and refuses a wrong one with 401", async () => {
    const password = Buffer.from("00ff3a80aabbccddeeff00112233445566778899", "hex");
    stations.put("CP1", { securityProfile: 1 });
    credentials.passwords.set("CP1", password);
    await expect(refusedStatus("CP1", "1.6")).resolves.toBe(401);
    await expect(refusedStatus("CP1", "1.6", "wrong")).resolves.toBe(401);
    await station("CP1", "1.6", { password }).connect();
    expect(gateway.calls.session("CP1")?.version).toBe("1.6");
  });

  it("refuses security profiles 2 and 3 in the clear", async () => {
    stations.put("CP1", { securityProfile: 2 });
    stations.put("CP2", { securityProfile: 3 });
    await expect(refusedStatus("CP1", "2.0.1", "x")).resolves.toBe(403);
    await expect(refusedStatus("CP2", "2.0.1")).resolves.toBe(403);
  });

  it("stops looking at passwords after five wrong ones from one address", async () => {
    stations.put("CP1", { securityProfile: 1 });
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await expect(refusedStatus("CP1", "1.6", `wrong ${attempt}`)).resolves.toBe(401);
    }
    await expect(refusedStatus("CP1", "1.6", "wrong")).resolves.toBe(429);
    expect(credentials.verifications).toBe(5);
  });

  it("publishes connections and disconnections, and keeps the newest connection of an identity", async () => {
    const first = station("CP1", "1.6");
    await first.connect();
    const second = station("CP1", "1.6");
    await second.connect();
    expect(gateway.calls.session("CP1")).toBeDefined();
    await gateway.close({ graceMs: 100 });
    expect(writes.events.map(({ type, stationId }) => `${type} ${stationId}`)).toEqual([
      "station.connected CP1",
      "station.disconnected CP1",
      "station.connected CP1",
      "station.disconnected CP1",
    ]);
    expect(writes.rows.at(-1)).toMatchObject({ station_id: "CP1", connected: false });
  });

  it("translates a 1.5 station over SOAP: its request up, our answer down, our call down, its response up", async () => {
    gateway.routes.on1("BootNotification", ({ chargePointModel }) => ({
      status: chargePointModel === "One" ? "Pending" : "Accepted",
      currentTime,
      interval: 60,
    }));
    const seen: unknown[] = [];
    gateway.routes.on1("StatusNotification", (request) => {
      seen.push(request);
      return {};
    });
    const soap = soapStation("CP5");
    soap.handle("1.5", "UnlockConnector", () => ({ status: "Accepted" }));
    await soap.start();
    const connection = soap.connection as unknown as StationConnection;
    // 1.5 has no Pending.
    expect(await connection.callUntyped("BootNotification", boot16)).toEqual({
      status: "Rejected",
      currentTime,
      heartbeatInterval: 60,
    });
    await connection.callUntyped("StatusNotification", {
      connectorId: 1,
      status: "Occupied",
      errorCode: "Mode3Error",
    });
    expect(seen).toEqual([{ connectorId: 1, status: "Preparing", errorCode: "EVCommunicationError" }]);
    expect(gateway.calls.session("CP5")).toMatchObject({ version: "1.5", transport: "OCPP-S", family: 1 });
    expect(await gateway.calls.call1("CP5", "UnlockConnector", { connectorId: 1 })).toEqual({ status: "Unlocked" });
    await expect(
      gateway.calls.call1("CP5", "TriggerMessage", { requestedMessage: "Heartbeat" }),
    ).rejects.toBeInstanceOf(CommandNotSupportedError);
  });

  it("calls a SOAP station again after a restart, at the address it gave last", async () => {
    gateway.routes.on1("Heartbeat", () => ({ currentTime }));
    const soap = soapStation("CP6");
    soap.handle("1.5", "ClearCache", () => ({ status: "Accepted" }));
    await soap.start();
    await (soap.connection as unknown as StationConnection).callUntyped("Heartbeat", {});
    await gateway.close({ graceMs: 100 });
    const presence = writes.rows.findLast((row) => (row as { station_id: string }).station_id === "CP6") as {
      soap_address: string;
    };
    await sql`insert into station_presence values
      ('CP6', true, '1.5', 'OCPP-S', '127.0.0.1', ${presence.soap_address}, now(), now())`.execute(database.kysely);
    gateway = newGateway();
    await gateway.load();
    expect(await gateway.calls.call1("CP6", "ClearCache", {})).toEqual({ status: "Accepted" });
  });

  it("logs every message without secrets, and lists them newest first", async () => {
    gateway.routes.on1("Heartbeat", () => ({ currentTime }));
    const old = station("CP7", "1.6").handle("1.6", "ChangeConfiguration", () => ({ status: "Accepted" }));
    const connection = await old.connect();
    await connection.callUntyped("Heartbeat", {});
    await gateway.calls.call1("CP7", "ChangeConfiguration", { key: "AuthorizationKey", value: "0123456789abcdef" });
    await gateway.close({ graceMs: 100 });
    const messages = await readMessages(database.kysely, { stationId: "CP7", limit: 10 });
    expect(messages.map(({ direction, kind, action }) => `${direction} ${kind} ${action}`)).toEqual([
      "received CALLRESULT ChangeConfiguration",
      "sent CALL ChangeConfiguration",
      "sent CALLRESULT Heartbeat",
      "received CALL Heartbeat",
    ]);
    expect(messages[1]?.text).toContain('"value":"[redacted]"');
    expect(messages[1]?.text).not.toContain("0123456789abcdef");
    const onlyCalls = await readMessages(database.kysely, { stationId: "CP7", kind: "CALL", limit: 1 });
    expect(onlyCalls.map(({ id }) => id)).toEqual([messages[1]?.id]);
  });

  it("takes repaired frames and payloads, and refuses them where the rule is off", async () => {
    const seen: unknown[] = [];
    gateway.routes.on1("MeterValues", (request) => {
      seen.push(request);
      return {};
    });
    const answers: string[] = [];
    const ask = await rawStation("CP8");
    const frame =
      '[2,"1","MeterValues",{"connectorId":1,"transactionId":,"meterValue":[,{"timestamp":"2024-05-01T00:00:00","sampledValue":' +
      '[{"value":50,"measurand":"Hz"},{"value":7.5,"context":"Request.Energy","measurand":"power.active.import","vendor":1}]}]}]\0';
    answers.push(await ask(frame));
    const api = await administration();
    const rule = "/api/v1/stations/CP8/tolerances/json-trailing-nul";
    expect(await api.inject({ method: "PUT", url: rule, payload: { enabled: false } })).toMatchObject({
      statusCode: 204,
    });
    answers.push(await ask(frame.replace('"1"', '"2"')));
    expect(answers[0]).toBe('[3,"1",{}]');
    expect(answers[1]).not.toContain('[3,"2"');
    expect(seen).toEqual([
      {
        connectorId: 1,
        meterValue: [
          {
            timestamp: "2024-05-01T00:00:00Z",
            sampledValue: [{ value: "7.5", context: "Other", measurand: "Power.Active.Import" }],
          },
        ],
      },
    ]);
  });

  it("trigger-not-executed: tells of a trigger that was accepted and not executed within a minute, and of no other", async () => {
    await gateway.close({ graceMs: 100 });
    let elapsedMs = 0;
    gateway = newGateway(undefined, () => elapsedMs);
    ({ port } = await gateway.listen({ host: "127.0.0.1", port: 0 }));
    gateway.routes.on1("Heartbeat", () => ({ currentTime }));
    const old = station("CP9", "1.6").handle("1.6", "TriggerMessage", ({ requestedMessage }) => ({
      status: requestedMessage === "BootNotification" ? "Rejected" : "Accepted",
    }));
    const connection = await old.connect();
    for (const requestedMessage of ["Heartbeat", "MeterValues", "BootNotification"] as const) {
      await gateway.calls.call1("CP9", "TriggerMessage", { requestedMessage });
    }
    await connection.callUntyped("Heartbeat", {});
    elapsedMs += 60_000;
    const shown = () => writes.rows.filter((row) => "deviation" in row);
    await expect.poll(shown).not.toEqual([]);
    expect(shown()).toMatchObject([
      {
        station_id: "CP9",
        deviation: "trigger-not-executed",
        occurrences: 1,
        example: '{"requestedMessage":"MeterValues"}',
      },
    ]);
  });

  it("delayed-start-answer: holds back the answer to StartTransaction, and nothing else", async () => {
    const waits: Array<{ readonly durationMs: number; readonly end: () => void }> = [];
    await gateway.close();
    gateway = newGateway((durationMs) => new Promise((end) => waits.push({ durationMs, end })));
    ({ port } = await gateway.listen({ host: "127.0.0.1", port: 0 }));
    gateway.routes.on1("StartTransaction", ({ connectorId }) => ({
      ...{ transactionId: connectorId, idTagInfo: { status: "Accepted" } },
    }));
    gateway.routes.on1("Heartbeat", () => ({ currentTime }));
    const [fast, slow] = await Promise.all([station("FAST", "1.6").connect(), station("SLOW", "1.6").connect()]);
    const api = await administration();
    await api.inject({
      ...{ method: "PUT", url: "/api/v1/stations/SLOW/tolerances/delayed-start-answer", payload: { enabled: true } },
    });
    const start = { connectorId: 7, idTag: "A", meterStart: 0, timestamp: currentTime };
    expect(await fast.callUntyped("StartTransaction", start)).toMatchObject({ transactionId: 7 });
    expect(waits).toEqual([]);
    let isAnswered = false;
    const answer = slow.callUntyped("StartTransaction", start).finally(() => {
      isAnswered = true;
    });
    expect(await fast.callUntyped("Heartbeat", {})).toEqual({ currentTime });
    await expect.poll(() => waits).toMatchObject([{ durationMs: 1_000 }]);
    expect(isAnswered).toBe(false);
    waits[0]?.end();
    expect(await answer).toMatchObject({ transactionId: 7 });
  });

  it("serves commands, raw calls, messages, tolerances and disconnections by HTTP", async () => {
    gateway.commands.translate("ClearCache", (stationId) => gateway.calls.call1(stationId, "ClearCache", {}));
    const old = station("CP9", "1.6").handle("1.6", "ClearCache", () => ({ status: "Accepted" }));
    await old.connect();
    const api = await administration();
    const ask = async (method: "GET" | "POST", path: string, payload?: object) => {
      const url = `/api/v1${path}`;
      const response = await api.inject({
        ...{ method, url },
        ...(payload === undefined ? {} : { payload }),
      });
      return [response.statusCode, response.body === "" ? undefined : response.json()];
    };
    expect(await ask("POST", "/stations/CP9/commands/clearCache", {})).toEqual([200, { status: "Accepted" }]);
    expect(await ask("POST", "/stations/CP9/calls", { action: "ClearCache", payload: {} })).toEqual([
      200,
      { status: "Accepted" },
    ]);
    expect(await ask("POST", "/stations/CP9/commands/getTariffs", { evseId: 1 })).toMatchObject([
      422,
      { type: "/api/problems/command-not-supported" },
    ]);
    expect(await ask("POST", "/stations/CP9/calls", { action: "Reset", payload: { type: "Now" } })).toMatchObject([
      400,
      { type: "/api/problems/validation" },
    ]);
    expect(await ask("POST", "/stations/nobody/commands/clearCache", {})).toMatchObject([404, {}]);
    expect(await ask("GET", "/commands")).toMatchObject([200, { nextCursor: null }]);
    expect(await ask("GET", "/commands/afrrSignal")).toMatchObject([200, { action: "AFRRSignal" }]);
    expect(await ask("GET", "/stations/CP9/tolerances")).toMatchObject([
      200,
      { items: expect.arrayContaining([expect.objectContaining({ rule: "time-format", enabled: true })]) },
    ]);
    expect(await ask("POST", "/stations/CP9/disconnect")).toEqual([204, undefined]);
    expect(gateway.calls.session("CP9")).toBeUndefined();
    await gateway.close({ graceMs: 100 });
    expect(await ask("GET", "/stations/CP9/messages?limit=1&kind=CALL")).toMatchObject([
      200,
      { items: [{ action: "ClearCache", kind: "CALL", direction: "sent" }], nextCursor: expect.any(String) },
    ]);
  });

  it("tells which port is taken", async () => {
    const other = newGateway();
    await expect(other.listen({ host: "127.0.0.1", port })).rejects.toThrow(/another process uses the port/);
    await other.close({ graceMs: 100 });
  });
});

/** The HTTP API with the gateway's routes. */
async function administration(): Promise<FastifyInstance> {
  const server = await serveBlocks(gateway.api);
  open.push(server);
  return server;
}

/** Connects a 1.6 station that can send any text; returns a function that sends one frame and waits for the answer. */
async function rawStation(identity: string): Promise<(frame: string) => Promise<string>> {
  const socket = connect(port, "127.0.0.1");
  open.push({ close: () => socket.destroy() });
  const received = () => new Promise<Buffer>((resolve) => socket.once("data", resolve));
  const handshake = [
    `GET /ocpp/${identity} HTTP/1.1`,
    ...["Host: localhost", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"],
    ...["Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "Sec-WebSocket-Protocol: ocpp1.6"],
  ];
  socket.write(`${handshake.join("\r\n")}\r\n\r\n`);
  expect((await received()).toString()).toContain("101 Switching Protocols");
  return async (frame) => {
    const text = Buffer.from(frame);
    const header = Buffer.alloc(8);
    // One final text frame of up to 64 KiB, masked with a key of zeros.
    header.writeUInt16BE(0x81fe, 0);
    header.writeUInt16BE(text.length, 2);
    socket.write(Buffer.concat([header, text]));
    const answer = await received();
    return answer.subarray((answer[1] ?? 0) < 126 ? 2 : 4).toString();
  };
}

/** The status that refuses a station's first attempt. */
function refusedStatus(identity: string, version: "1.6" | "2.0.1", password?: string | Buffer): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const refused = station(identity, version, {
      ...(password === undefined ? {} : { password }),
      onConnect: () => reject(new Error("was accepted")),
      onConnectFailed: ({ status }) => resolve(status),
    });
    refused.connect().catch(reject);
  });
}

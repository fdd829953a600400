import { JsonStation, OcppError } from "@polyphase/ocpp";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Metrics } from "../api/metrics.ts";
import { systemClock } from "../clock.ts";
import { DatabaseUnavailableError } from "../database/write-unit.ts";
import { MemoryCredentials, MemoryStations, RecordedWrites } from "./fixture.ts";
import { createGateway, type Gateway } from "./gateway.ts";
import { CommandNotSupportedError, StationAnsweredError, StationOfflineError } from "./station-messages.ts";

const open: Array<{ close(): unknown }> = [];
let stations: MemoryStations;
let credentials: MemoryCredentials;
let writes: RecordedWrites;
let gateway: Gateway;
let port: number;

beforeEach(async () => {
  stations = new MemoryStations();
  credentials = new MemoryCredentials();
  writes = new RecordedWrites();
  gateway = createGateway({
    stations,
    credentials,
    groupCommit: writes,
    clock: systemClock,
    log: pino({ level: "silent" }),
    metrics: new Metrics(),
  });
  ({ port } = await gateway.listen({ host: "127.0.0.1", port: 0 }));
});

afterEach(async () => {
  for (const endpoint of open.splice(0)) await endpoint.close();
  await gateway.close({ graceMs: 100 });
});

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
});

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

import { SimulatedStation, type StationVersion, stationVersions } from "@polyphase/station";
import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import type { FastifyInstance } from "fastify";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Metrics } from "../api/metrics.ts";
import { systemClock } from "../clock.ts";
import { maintainPartitions } from "../database/partitions.ts";
import { MemoryCredentials } from "../gateway/fixture.ts";
import {
  createGateway,
  DeviationWatch,
  type Gateway,
  migrations as gatewayMigrations,
  messageLogTable,
} from "../gateway/index.ts";
import { migrations as availabilityMigrations, createAvailability } from "./availability/index.ts";
import { createDiagnostics } from "./diagnostics/index.ts";
import { type BlockDatabase, openBlockDatabase, serveBlocks, silentLog } from "./fixture.ts";
import { createProvisioning, type Provisioning, migrations as provisioningMigrations } from "./provisioning/index.ts";
import { createRemoteControl } from "./remote-control/index.ts";

let testDatabase: TestDatabase;
let blocks: BlockDatabase;
let gateway: Gateway;
let provisioning: Provisioning;
let server: FastifyInstance;
let port: number;
const running: SimulatedStation[] = [];

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  blocks = await openBlockDatabase(testDatabase.url, {
    ...gatewayMigrations,
    ...provisioningMigrations,
    ...availabilityMigrations,
  });
  const { database, groupCommit } = blocks;
  await maintainPartitions(database, messageLogTable(1), systemClock.now());
  const shared = { database, groupCommit, clock: systemClock, log: silentLog };
  provisioning = createProvisioning({
    ...shared,
    rules: { unknownStations: "pending", pendingRetryS: 2 },
    inventoryRules: { delayMs: 50 },
  });
  const parts = { ...shared, stations: provisioning.knownStations, metrics: new Metrics() };
  gateway = createGateway({
    ...parts,
    credentials: new MemoryCredentials(),
    deviations: new DeviationWatch(parts),
  });
  const availability = createAvailability({ ...shared, provisioning });
  const diagnostics = createDiagnostics({ provisioning });
  for (const block of [provisioning, availability, diagnostics]) {
    block.registerRoutes(gateway.routes);
    block.registerCommands(gateway.commands, gateway.calls);
  }
  createRemoteControl().registerCommands(gateway.commands, gateway.calls);
  server = await serveBlocks(gateway.api, provisioning.api, availability.api);
  await gateway.load();
  ({ port } = await gateway.listen({ host: "127.0.0.1", port: 0 }));
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((station) => station.stop()));
});
afterAll(async () => {
  await gateway.close();
  provisioning.close();
  await server.close();
  await blocks.close();
  await testDatabase.drop();
});

const get = async (path: string) => (await server.inject(`/api/v1${path}`)).json();
const command = async (id: string, name: string, payload: object) =>
  server.inject({ method: "POST", url: `/api/v1/stations/${id}/commands/${name}`, payload });

function simulate(id: string, version: StationVersion): SimulatedStation {
  const soap = version === "1.2" || version === "1.5" || version === "1.6S";
  const csmsUrl = soap ? `http://127.0.0.1:${port}/ocpp/soap` : `ws://127.0.0.1:${port}/ocpp`;
  const station = new SimulatedStation({ id, version, csmsUrl, evses: 2 });
  running.push(station);
  return station;
}

describe.each(stationVersions)("a station of %s", (version) => {
  const id = `CS-${version}`;
  const family2 = version === "2.0.1" || version === "2.1";

  test("waits for approval, is approved, and shows its state and its variables", async () => {
    const station = simulate(id, version);
    await station.start({ untilRegistered: false });
    await expect.poll(() => get(`/stations/${id}`)).toHaveProperty("vendorName");
    expect(await get(`/stations/${id}`)).toMatchObject({ registrationStatus: "Pending", connected: true });

    const registered = new Promise((resolve) => station.once("registered", () => resolve(true)));
    await server.inject({ method: "POST", url: `/api/v1/stations/${id}/approve` });
    expect(await registered).toBe(true);
    await expect.poll(async () => (await get(`/stations/${id}/evses`)).evses).toHaveLength(2);
    const { evses } = await get(`/stations/${id}/evses`);
    for (const evse of evses) expect(evse.connectors).toMatchObject([{ connectorId: 1, status: "Available" }]);

    const expected = version === "1.2" ? "NotSupported" : "Complete";
    await expect.poll(async () => (await get(`/stations/${id}`)).inventory.status).toBe(expected);
    if (version === "1.2") return;
    const { items } = await get(`/stations/${id}/variables?component=OCPPCommCtrlr&variable=HeartbeatInterval`);
    expect(items[0]).toMatchObject({ attribute: "Actual", value: "300" });
  });

  test("obeys commands in words of 2.1, or is known not to have them", async () => {
    await server.inject({ method: "PUT", url: `/api/v1/stations/${id}`, payload: { registrationStatus: "Accepted" } });
    const station = simulate(id, version);
    await station.start();
    const unavailable = { operationalStatus: "Inoperative", evse: { id: 2 } };
    expect((await command(id, "changeAvailability", unavailable)).json()).toMatchObject({ status: "Accepted" });
    const statusOfSecond = async () => {
      const { evses } = await get(`/stations/${id}/evses`);
      return evses.find(({ evseId }: { evseId: number }) => evseId === 2)?.connectors[0]?.status;
    };
    await expect.poll(statusOfSecond).toBe("Unavailable");
    const variable = { component: { name: "OCPPCommCtrlr" }, variable: { name: "HeartbeatInterval" } };
    const set = await command(id, "setVariables", { setVariableData: [{ ...variable, attributeValue: "120" }] });
    expect(set.json()).toMatchObject({ setVariableResult: [{ attributeStatus: "Accepted" }] });
    expect(station.settings.heartbeatIntervalS).toBe(120);

    const read = await command(id, "getVariables", { getVariableData: [variable] });
    const triggered = await command(id, "triggerMessage", { requestedMessage: "Heartbeat" });
    const notSupported = { type: expect.stringContaining("command-not-supported") };
    // 1.2 cannot read its keys; 1.2 and 1.5 cannot be triggered.
    expect(read.json()).toMatchObject(
      version === "1.2" ? notSupported : { getVariableResult: [{ attributeValue: "120" }] },
    );
    expect(triggered.json()).toMatchObject(
      version === "1.2" || version === "1.5" ? notSupported : { status: "Accepted" },
    );

    const rebooted = new Promise((resolve) => station.once("rebooted", () => resolve(true)));
    expect((await command(id, "reset", { type: "OnIdle" })).json()).toEqual({ status: "Accepted" });
    expect(await rebooted).toBe(true);
    await expect.poll(() => station.registrationStatus).toBe("Accepted");
    if (family2) expect((await get(`/stations/${id}`)).lastBootReason).toBe("RemoteReset");
  });
});

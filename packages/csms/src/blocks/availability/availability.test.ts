import type { Ocpp16, Ocpp21 } from "@polyphase/ocpp";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CommandNotSupportedError } from "../../gateway/station-messages.ts";
import { createDiagnostics } from "../diagnostics/index.ts";
import { silentLog } from "../fixture.ts";
import { ProvisioningBench } from "../provisioning/fixture.ts";
import { type Availability, createAvailability, migrations } from "./index.ts";

const tables = ["connector", "connector_status_change"];
let bench: ProvisioningBench;
let availability: Availability;

beforeAll(async () => {
  bench = await ProvisioningBench.open({ migrations, tables });
});
afterAll(() => bench.close());

async function start(): Promise<void> {
  const { database, groupCommit } = bench.blocks;
  await bench.start({}, (provisioning) => {
    availability = createAvailability({ database, groupCommit, log: silentLog, provisioning });
    return [availability];
  });
  createDiagnostics({ provisioning: bench.provisioning }).registerRoutes(bench.gateway.routes);
  await bench.provisioning.load();
  await availability.load();
}

beforeEach(async () => {
  await bench.empty();
  await start();
  await bench.put("CS1");
  bench.blocks.events.length = 0;
});
afterEach(() => bench.end());

const status16 = (status: Ocpp16.ChargePointStatus, more: Partial<Ocpp16.StatusNotificationRequest> = {}) =>
  bench.gateway.receive("1.6", "CS1", "StatusNotification", { connectorId: 1, errorCode: "NoError", status, ...more });
const status21 = (connectorStatus: Ocpp21.ConnectorStatusEnumType, timestamp: string) =>
  bench.gateway.receive("2.1", "CS1", "StatusNotification", { evseId: 1, connectorId: 1, connectorStatus, timestamp });
const evses = async () => (await bench.server.inject("/api/v1/stations/CS1/evses")).json();
const state = () => availability.state("CS1", 1, 1);

describe("StatusNotification", () => {
  test("OCPP 1.6 §4.9: connector n is EVSE n with connector 1, connector 0 the station, and detail is kept", async () => {
    await status16("Available", { connectorId: 0 });
    await status16("SuspendedEV", { connectorId: 2, info: "waiting", timestamp: "2026-03-01T11:59:58Z" });
    expect(await evses()).toEqual({
      station: {
        status: "Available",
        detail: "Available",
        since: "2026-03-01T12:00:00.000Z",
        receivedAt: "2026-03-01T12:00:00.000Z",
      },
      evses: [
        {
          evseId: 2,
          connectors: [
            {
              connectorId: 1,
              status: "Occupied",
              detail: "SuspendedEV",
              info: "waiting",
              since: "2026-03-01T11:59:58.000Z",
              receivedAt: "2026-03-01T12:00:00.000Z",
            },
          ],
        },
      ],
    });
  });

  test("each status of 1.6 has its status of 2.1", async () => {
    const statuses = {
      Available: "Available",
      Preparing: "Occupied",
      Charging: "Occupied",
      SuspendedEVSE: "Occupied",
      SuspendedEV: "Occupied",
      Finishing: "Occupied",
      Reserved: "Reserved",
      Unavailable: "Unavailable",
      Faulted: "Faulted",
    } as const satisfies Record<Ocpp16.ChargePointStatus, Ocpp21.ConnectorStatusEnumType>;
    for (const [status, expected] of Object.entries(statuses)) {
      bench.clock.advance(1_000);
      await status16(status as Ocpp16.ChargePointStatus);
      expect(state()).toMatchObject({ status: expected, detail: status });
    }
  });

  test("G01: a status of family 2 is kept as it is", async () => {
    await status21("Reserved", "2026-03-01T11:59:00Z");
    expect(state()).toMatchObject({ status: "Reserved", since: new Date("2026-03-01T11:59:00Z") });
  });

  test("only a change writes and tells", async () => {
    const changes = () => bench.blocks.groupCommit.counts().units;
    await status16("Available");
    const before = changes();
    await status16("Available", { timestamp: "2026-03-01T12:00:00Z" });
    expect(changes()).toBe(before);
    expect(bench.blocks.events.map(({ type }) => type)).toEqual(["connector.status-changed"]);
    await status16("Charging");
    expect(bench.blocks.events.at(-1)).toMatchObject({
      type: "connector.status-changed",
      stationId: "CS1",
      data: { evseId: 1, connectorId: 1, status: "Occupied" },
    });
  });

  test("a fault is told once, with its code", async () => {
    const fault = { errorCode: "GroundFailure", info: "RCD", vendorErrorCode: "E7", vendorId: "acme" } as const;
    await status16("Faulted", fault);
    await status16("Faulted", fault);
    const faults = bench.blocks.events.filter(({ type }) => type === "station.fault-reported");
    expect(faults).toMatchObject([{ data: { evseId: 1, errorCode: "GroundFailure", info: "RCD" } }]);
    expect(state()).toMatchObject({ errorCode: "GroundFailure", vendorErrorCode: "E7", vendorId: "acme" });
    await status16("Available");
    expect(state()).not.toHaveProperty("errorCode", "GroundFailure");
  });

  test("a late notification does not overwrite a newer one, also when the newer one was no news", async () => {
    await status21("Available", "2026-03-01T11:00:00Z");
    await status21("Available", "2026-03-01T11:30:00Z");
    await status21("Occupied", "2026-03-01T11:20:00Z");
    expect(state()).toMatchObject({ status: "Available" });
    await status21("Occupied", "2026-03-01T11:30:00Z");
    expect(state()).toMatchObject({ status: "Occupied" });
  });

  test("clocks that were never set, or run ahead, do not freeze the status", async () => {
    await status21("Available", "2099-01-01T00:00:00Z");
    bench.clock.advance(1_000);
    await status21("Occupied", "1970-01-01T00:00:10Z");
    expect(state()).toMatchObject({ status: "Occupied", since: new Date("2026-03-01T12:00:01Z") });
  });

  test("after a boot, which may set the clock back, what comes is taken as newer", async () => {
    await status21("Occupied", "2026-03-01T11:50:00Z");
    await bench.gateway.receive("2.1", "CS1", "BootNotification", {
      reason: "PowerUp",
      chargingStation: { vendorName: "Acme", model: "Two" },
    });
    await status21("Available", "2026-03-01T10:00:00Z");
    expect(state()).toMatchObject({ status: "Available" });
  });

  test("states and their order outlive the process", async () => {
    await status21("Occupied", "2026-03-01T11:50:00Z");
    await start();
    expect(state()).toMatchObject({ status: "Occupied", since: new Date("2026-03-01T11:50:00Z") });
    await status21("Available", "2026-03-01T11:40:00Z");
    expect(state()).toMatchObject({ status: "Occupied" });
  });

  test("what cannot be stored is not shown, and is taken when the station repeats it", async () => {
    await status16("Available");
    await bench.blocks.groupCommit.close();
    await expect(status16("Faulted")).rejects.toMatchObject({ name: "DatabaseUnavailableError" });
    expect(state()).toMatchObject({ status: "Available" });
    await bench.reconnect();
    await start();
    await status16("Faulted");
    expect(state()).toMatchObject({ status: "Faulted" });
  });

  test("a connector number that no station has is refused", async () => {
    for (const connectorId of [-1, 2 ** 31]) {
      await expect(status16("Available", { connectorId })).rejects.toMatchObject({
        code: "PropertyConstraintViolation",
      });
    }
  });
});

const eventData = (component: Ocpp21.ComponentType, variable: string, actualValue: string, more: object = {}) => ({
  eventId: 1,
  timestamp: "2026-03-01T11:59:00Z",
  trigger: "Delta",
  eventNotificationType: "HardWiredNotification",
  actualValue,
  component,
  variable: { name: variable },
  ...more,
});
const notifyEvent = (...events: object[]) =>
  bench.gateway.receive("2.1", "CS1", "NotifyEvent", {
    generatedAt: "2026-03-01T11:59:30Z",
    seqNo: 0,
    eventData: events,
  });

describe("NotifyEvent", () => {
  test("G01.FR.03: AvailabilityState of connector, EVSE and station is their status", async () => {
    await notifyEvent(
      eventData({ name: "Connector", evse: { id: 1, connectorId: 2 } }, "AvailabilityState", "Occupied"),
      eventData({ name: "EVSE", evse: { id: 1 } }, "AvailabilityState", "Unavailable"),
      eventData({ name: "ChargingStation" }, "AvailabilityState", "Available"),
    );
    const shown = await evses();
    expect(shown.station).toMatchObject({ status: "Available" });
    expect(shown.evses).toMatchObject([
      { evseId: 1, state: { status: "Unavailable" }, connectors: [{ connectorId: 2, status: "Occupied" }] },
    ]);
  });

  test("N07: values are kept as values of their variables", async () => {
    await notifyEvent(eventData({ name: "TokenReader" }, "Temperature", "41.5"));
    const { items } = (await bench.server.inject("/api/v1/stations/CS1/variables")).json();
    expect(items).toMatchObject([{ component: "TokenReader", variable: "Temperature", value: "41.5" }]);
  });

  test("N07: what alerts is told as a fault, and its end is not", async () => {
    const component = { name: "GroundFaultSensor", evse: { id: 1 } };
    await notifyEvent(
      eventData(component, "Problem", "true", { trigger: "Alerting", techCode: "RCD", techInfo: "6 mA" }),
      eventData(component, "Current", "9", { trigger: "Alerting", severity: 7 }),
    );
    await notifyEvent(eventData(component, "Problem", "false", { trigger: "Alerting", cleared: true }));
    const faults = bench.blocks.events.filter(({ type }) => type === "station.fault-reported");
    expect(faults.map(({ data }) => data)).toEqual([{ evseId: 1, errorCode: "RCD", info: "6 mA" }]);
  });

  test("shows how far the station's clock is off", async () => {
    bench.clock.set("2026-03-01T11:59:10Z");
    await notifyEvent(eventData({ name: "TokenReader" }, "Temperature", "41.5"));
    expect((await bench.server.inject("/api/v1/stations/CS1")).json()).toMatchObject({ clockOffsetS: 20 });
  });
});

test("B07: AvailabilityState in a report is the connector's status", async () => {
  await bench.gateway.receive("2.1", "CS1", "NotifyReport", {
    requestId: 1,
    seqNo: 0,
    generatedAt: "2026-03-01T12:00:00Z",
    reportData: [
      {
        component: { name: "Connector", evse: { id: 1, connectorId: 1 } },
        variable: { name: "AvailabilityState" },
        variableAttribute: [{ value: "Reserved" }],
      },
    ],
  });
  expect(state()).toMatchObject({ status: "Reserved" });
});

describe("the list of changes", () => {
  test("has the newest first, in pages", async () => {
    for (const status of ["Available", "Preparing", "Charging"] as const) {
      bench.clock.advance(1_000);
      await status16(status);
    }
    await status16("Available", { connectorId: 2 });
    const page = async (query: string) =>
      (await bench.server.inject(`/api/v1/stations/CS1/status-changes?${query}`)).json();
    const first = await page("evseId=1&limit=2");
    const second = await page(`evseId=1&limit=2&cursor=${first.nextCursor}`);
    const details = [...first.items, ...second.items].map(({ detail }: { detail: string }) => detail);
    expect(details).toEqual(["Charging", "Preparing", "Available"]);
    expect(second.nextCursor).toBeNull();
    expect((await page("limit=50")).items).toHaveLength(4);
  });

  test("keeps the last 256 of each connector", async () => {
    for (let change = 0; change < 260; change += 1) {
      bench.clock.advance(1_000);
      await status16(change % 2 === 0 ? "Available" : "Charging");
    }
    const { items } = (await bench.server.inject("/api/v1/stations/CS1/status-changes?limit=500")).json();
    expect(items).toHaveLength(256);
    expect(items[0]).toMatchObject({ detail: "Charging", receivedAt: bench.clock.now().toISOString() });
  });
});

describe("changeAvailability", () => {
  test("OCPP 1.6 §5.2: of the station is connector 0, of an EVSE its number", async () => {
    const asked = bench.gateway.stations.connect("CS1", "1.6", () => ({ status: "Scheduled" }));
    const inoperative = { operationalStatus: "Inoperative" };
    expect(await bench.gateway.commands.run("CS1", "changeAvailability", inoperative)).toEqual({ status: "Scheduled" });
    await bench.gateway.commands.run("CS1", "changeAvailability", { ...inoperative, evse: { id: 2, connectorId: 1 } });
    expect(asked.calls.map(({ payload }) => payload)).toEqual([
      { connectorId: 0, type: "Inoperative" },
      { connectorId: 2, type: "Inoperative" },
    ]);
  });

  test("of a second connector of an EVSE is nothing that family 1 has", async () => {
    bench.gateway.stations.connect("CS1", "1.6", () => ({ status: "Accepted" }));
    const request = { operationalStatus: "Operative", evse: { id: 1, connectorId: 2 } };
    await expect(bench.gateway.commands.run("CS1", "changeAvailability", request)).rejects.toBeInstanceOf(
      CommandNotSupportedError,
    );
  });
});

test("connectors of a deleted station are forgotten", async () => {
  await status16("Available");
  await bench.server.inject({ method: "DELETE", url: "/api/v1/stations/CS1" });
  expect(availability.states("CS1")).toEqual([]);
  expect((await bench.server.inject("/api/v1/stations/CS1/evses")).statusCode).toBe(404);
  await start();
  expect(availability.states("CS1")).toEqual([]);
});

import type { Ocpp16, Ocpp21 } from "@polyphase/ocpp";
import { ManualClock, startTestDatabase, type TestDatabase } from "@polyphase/testing";
import type { FastifyInstance } from "fastify";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CommandNotSupportedError, StationAnsweredError, StationTimeoutError } from "../../gateway/station-messages.ts";
import {
  type BlockDatabase,
  ManualTimers,
  openBlockDatabase,
  serveBlocks,
  silentLog,
  TestGateway,
} from "../fixture.ts";
import { createProvisioning, migrations, type Provisioning } from "./index.ts";

let testDatabase: TestDatabase;
let blocks: BlockDatabase;
let clock: ManualClock;
let timers: ManualTimers;
let gateway: TestGateway;
let provisioning: Provisioning;
let server: FastifyInstance;

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  blocks = await openBlockDatabase(testDatabase.url, migrations);
});
afterAll(async () => {
  await blocks.close();
  await testDatabase.drop();
});
beforeEach(async () => {
  await blocks.database.deleteFrom("station" as never).execute();
  await blocks.database.deleteFrom("variable" as never).execute();
  clock = new ManualClock("2026-03-01T12:00:00Z");
  timers = new ManualTimers();
  const { database, groupCommit } = blocks;
  provisioning = createProvisioning({ database, groupCommit, clock, timers, log: silentLog, random: () => 0.5 });
  gateway = new TestGateway(clock, groupCommit);
  provisioning.registerRoutes(gateway.routes);
  provisioning.registerCommands(gateway.commands, gateway.stations);
  server = await serveBlocks(provisioning.api);
  await server.inject({ method: "PUT", url: "/api/v1/stations/CS1", payload: {} });
});
afterEach(async () => {
  provisioning.close();
  await server.close();
});

const boot16 = { chargePointVendor: "Acme", chargePointModel: "One" };
const boot21 = { reason: "PowerUp", chargingStation: { vendorName: "Acme", model: "Two" } };
const station = async () => (await server.inject("/api/v1/stations/CS1")).json();
const inventory = async (): Promise<string> => (await station()).inventory.status;
const variables = async (query = "") =>
  (await server.inject(`/api/v1/stations/CS1/variables?limit=500${query}`)).json().items as Record<string, unknown>[];

async function bootAndFetch(version: "1.6" | "2.1"): Promise<void> {
  await gateway.receive(version, "CS1", "BootNotification", version === "2.1" ? boot21 : boot16);
  clock.advance(2_000);
  timers.elapse();
}

const keys: Ocpp16.KeyValue[] = [
  { key: "HeartbeatInterval", readonly: false, value: "300" },
  { key: "numberOfConnectors", readonly: true, value: "2" },
  { key: "AuthorizationKey", readonly: false, value: "0011223344556677" },
  { key: "VendorSwitch", readonly: false },
];

describe("the variables of a station of family 1", () => {
  test("OCPP 1.6 §5.8: its keys are fetched once after each accepted boot and kept as variables", async () => {
    const asked = gateway.stations.connect("CS1", "1.6", () => ({ configurationKey: keys }));
    await bootAndFetch("1.6");
    await expect.poll(inventory).toBe("Complete");
    expect(asked.calls).toEqual([{ action: "GetConfiguration", payload: {} }]);
    expect(await variables()).toEqual([
      expect.objectContaining({ component: "Configuration", variable: "AuthorizationKey" }),
      expect.objectContaining({ component: "Configuration", variable: "VendorSwitch", mutability: "ReadWrite" }),
      expect.objectContaining({ component: "Configuration", variable: "numberOfConnectors", mutability: "ReadOnly" }),
      expect.objectContaining({
        component: "OCPPCommCtrlr",
        variable: "HeartbeatInterval",
        attribute: "Actual",
        value: "300",
        characteristics: { dataType: "integer", supportsMonitoring: false },
      }),
    ]);
  });

  test("secrets are never stored", async () => {
    gateway.stations.connect("CS1", "1.6", () => ({ configurationKey: keys }));
    await bootAndFetch("1.6");
    await expect.poll(inventory).toBe("Complete");
    const [secret] = await variables("&variable=AuthorizationKey");
    expect(secret).not.toHaveProperty("value");
  });

  test("a key that is gone after the next boot is forgotten", async () => {
    const asked = gateway.stations.connect("CS1", "1.6", () => ({ configurationKey: keys }));
    await bootAndFetch("1.6");
    await expect.poll(() => variables()).toHaveLength(4);
    asked.respond = () => ({ configurationKey: keys.slice(0, 1) });
    await bootAndFetch("1.6");
    await expect.poll(() => variables()).toHaveLength(1);
  });

  test("are asked for again, a few times, when the station answers nothing", async () => {
    const asked = gateway.stations.connect("CS1", "1.6", () => ({}));
    await bootAndFetch("1.6");
    await expect.poll(inventory).toBe("Failed");
    for (const attempt of [2, 3]) {
      await expect.poll(() => timers.delaysMs.length).toBe(1);
      expect(timers.delaysMs).toEqual([60_000]);
      timers.elapse();
      await expect.poll(() => asked.calls.length).toBe(attempt);
      await expect.poll(inventory).toBe("Failed");
    }
    expect(timers.delaysMs).toEqual([]);
  });

  test("are not supported by 1.2, and nothing breaks", async () => {
    gateway.stations.connect("CS1", "1.2", () => {
      throw new CommandNotSupportedError("CS1", "GetConfiguration", "OCPP 1.2 has none");
    });
    await bootAndFetch("1.6");
    await expect.poll(inventory).toBe("NotSupported");
    expect(timers.delaysMs).toEqual([]);
  });

  test("getBaseReport fetches them again", async () => {
    gateway.stations.connect("CS1", "1.6", () => ({ configurationKey: keys }));
    const request = { requestId: 1, reportBase: "FullInventory" };
    expect(await gateway.commands.run("CS1", "getBaseReport", request)).toEqual({ status: "Accepted" });
    expect(await variables()).toHaveLength(4);
    const summary = { requestId: 1, reportBase: "SummaryInventory" };
    expect(await gateway.commands.run("CS1", "getBaseReport", summary)).toEqual({ status: "NotSupported" });
  });
});

const interval = (value: string): Ocpp21.ReportDataType => ({
  component: { name: "OCPPCommCtrlr" },
  variable: { name: "HeartbeatInterval" },
  variableAttribute: [{ value }, { type: "MaxSet", mutability: "ReadOnly", value: "86400", constant: true }],
  variableCharacteristics: { dataType: "integer", unit: "s", minLimit: 1, supportsMonitoring: true },
});
const power: Ocpp21.ReportDataType = {
  component: { name: "EVSE", evse: { id: 2 } },
  variable: { name: "Power" },
  variableAttribute: [{ type: "Actual", value: "0" }],
  variableCharacteristics: { dataType: "decimal", unit: "W", supportsMonitoring: false },
};
const password: Ocpp21.ReportDataType = {
  component: { name: "SecurityCtrlr" },
  variable: { name: "BasicAuthPassword" },
  variableAttribute: [{ mutability: "WriteOnly", value: "told although it must not be" }],
};

const requestIdOf = (call: { readonly payload: unknown } | undefined): number => {
  if (call === undefined) throw new Error("the station was not asked");
  return (call.payload as Ocpp21.GetBaseReportRequest).requestId;
};

describe("the variables of a station of family 2", () => {
  let requestId: number;

  beforeEach(async () => {
    const asked = gateway.stations.connect("CS1", "2.1", () => ({ status: "Accepted" }));
    await bootAndFetch("2.1");
    await expect.poll(() => asked.calls.length).toBe(1);
    expect(asked.calls[0]).toMatchObject({ action: "GetBaseReport", payload: { reportBase: "FullInventory" } });
    requestId = requestIdOf(asked.calls[0]);
  });

  const part = (seqNo: number, tbc: boolean, reportData: Ocpp21.ReportDataType[], id = requestId) =>
    gateway.receive("2.1", "CS1", "NotifyReport", {
      requestId: id,
      seqNo,
      tbc,
      generatedAt: clock.now().toISOString(),
      reportData,
    });

  test("B07.FR.14: are reported after a boot in parts, and kept attribute by attribute", async () => {
    await part(0, true, [interval("60"), password]);
    expect(await inventory()).toBe("Requested");
    await part(1, false, [power]);
    expect(await inventory()).toBe("Complete");
    expect(await variables()).toEqual([
      {
        component: "EVSE",
        evseId: 2,
        variable: "Power",
        attribute: "Actual",
        value: "0",
        mutability: "ReadWrite",
        persistent: false,
        constant: false,
        characteristics: { dataType: "decimal", unit: "W", supportsMonitoring: false },
        reportedAt: "2026-03-01T12:00:02.000Z",
      },
      expect.objectContaining({ variable: "HeartbeatInterval", attribute: "Actual", value: "60", constant: false }),
      expect.objectContaining({ variable: "HeartbeatInterval", attribute: "MaxSet", value: "86400", constant: true }),
      expect.not.objectContaining({ value: expect.anything() }),
    ]);
    expect(await station()).toMatchObject({ clockOffsetS: 0 });
  });

  test("a report whose parts come in another order is complete with the last to come", async () => {
    await part(0, true, [interval("60")]);
    await part(2, false, [power]);
    expect(await inventory()).toBe("Requested");
    await part(1, true, [password]);
    expect(await inventory()).toBe("Complete");
    expect(await variables()).toHaveLength(4);
  });

  test("a report whose parts are numbered from 1 is complete", async () => {
    await part(1, true, [interval("60")]);
    await part(2, false, [power]);
    expect(await inventory()).toBe("Complete");
  });

  test("a report with a part missing is Incomplete when its time has run out; what came is kept and nothing removed", async () => {
    await part(0, true, [interval("60")]);
    await part(2, false, [power]);
    timers.elapse();
    await expect.poll(inventory).toBe("Incomplete");
    expect(await variables()).toHaveLength(3);
    await expect.poll(() => timers.delaysMs.length).toBe(1);
    expect(timers.delaysMs).toEqual([60_000]);
  });

  test("a report is kept whole although our clock is set back while it comes", async () => {
    await part(0, true, [interval("60")]);
    clock.set("2026-02-01T12:00:00Z");
    await part(1, true, [password]);
    clock.set("2026-02-20T12:00:00Z");
    await part(2, false, [power]);
    expect(await inventory()).toBe("Complete");
    expect(await variables()).toHaveLength(4);
  });

  test("a complete report removes what an earlier one told and this one does not", async () => {
    await part(0, false, [interval("60"), power]);
    const asked = gateway.stations.connect("CS1", "2.1", () => ({ status: "Accepted" }));
    clock.advance(1_000);
    await bootAndFetch("2.1");
    await expect.poll(() => asked.calls.length).toBe(1);
    requestId = requestIdOf(asked.calls[0]);
    await part(0, false, [interval("30")]);
    expect((await variables()).map(({ variable, value }) => [variable, value])).toEqual([
      ["HeartbeatInterval", "30"],
      ["HeartbeatInterval", "86400"],
    ]);
  });

  test("a report that was not asked for is stored and removes nothing", async () => {
    await part(0, false, [interval("60")]);
    await part(0, false, [power], requestId + 1);
    expect(await variables()).toHaveLength(3);
  });

  test("a repeated part changes nothing", async () => {
    await part(0, true, [interval("60")]);
    await part(0, true, [interval("60")]);
    await part(1, false, [power]);
    expect(await inventory()).toBe("Complete");
    expect(await variables()).toHaveLength(3);
  });

  test("are listed in pages and filtered", async () => {
    await part(0, false, [interval("60"), power, password]);
    const url = "/api/v1/stations/CS1/variables?limit=3";
    const first = (await server.inject(url)).json();
    const second = (await server.inject(`${url}&cursor=${first.nextCursor}`)).json();
    expect([first.items.length, second.items.length, second.nextCursor]).toEqual([3, 1, null]);
    expect(await variables("&component=evse")).toHaveLength(1);
    expect(await variables("&evseId=0")).toHaveLength(3);
    expect(await variables("&attribute=MaxSet")).toHaveLength(1);
    expect(await variables("&search=HEARTBEAT")).toHaveLength(2);
    expect((await server.inject("/api/v1/stations/NONE/variables")).statusCode).toBe(404);
  });
});

const target = (component: string, variable: string, attributeValue: string, instance?: string) => ({
  attributeValue,
  component: { name: component },
  variable: { name: variable, ...(instance === undefined ? {} : { instance }) },
});

describe("setVariables", () => {
  test("B05.FR.01: gives one result for each variable of family 1, and keeps what was set", async () => {
    const answers: Record<string, string> = {
      HeartbeatInterval: "Accepted",
      TransactionMessageAttempts: "RebootRequired",
      Unheard: "NotSupported",
      MeterValueSampleInterval: "Rejected",
    };
    const asked = gateway.stations.connect("CS1", "1.6", (_action, { key }: Ocpp16.ChangeConfigurationRequest) => ({
      status: answers[key],
    }));
    const response = (await gateway.commands.run("CS1", "setVariables", {
      setVariableData: [
        target("ocppcommctrlr", "heartbeatinterval", "120"),
        target("OCPPCommCtrlr", "MessageAttempts", "5", "TransactionEvent"),
        target("Configuration", "Unheard", "1"),
        target("SampledDataCtrlr", "TxUpdatedInterval", "-1"),
        target("NoSuchCtrlr", "Enabled", "true"),
        target("TxCtrlr", "NoSuchVariable", "1"),
        { ...target("OCPPCommCtrlr", "HeartbeatInterval", "1"), attributeType: "Target" },
      ],
    })) as Ocpp21.SetVariablesResponse;
    expect(response.setVariableResult.map(({ attributeStatus }) => attributeStatus)).toEqual([
      "Accepted",
      "RebootRequired",
      "UnknownVariable",
      "Rejected",
      "UnknownComponent",
      "UnknownVariable",
      "NotSupportedAttributeType",
    ]);
    expect(asked.calls.map(({ payload }) => payload)).toEqual([
      { key: "HeartbeatInterval", value: "120" },
      { key: "TransactionMessageAttempts", value: "5" },
      { key: "Unheard", value: "1" },
      { key: "MeterValueSampleInterval", value: "-1" },
    ]);
    expect((await variables()).map(({ component, variable, value }) => [component, variable, value])).toEqual([
      ["OCPPCommCtrlr", "HeartbeatInterval", "120"],
      ["OCPPCommCtrlr", "MessageAttempts", "5"],
    ]);
  });

  test("a key that is addressed by its own name is kept under the variable that it is", async () => {
    gateway.stations.connect("CS1", "1.6", () => ({ status: "Accepted" }));
    await gateway.commands.run("CS1", "setVariables", {
      setVariableData: [target("Configuration", "HeartbeatInterval", "120")],
    });
    expect(await variables()).toMatchObject([{ component: "OCPPCommCtrlr", variable: "HeartbeatInterval" }]);
  });

  test("tells what was set before the station fell silent", async () => {
    const asked = gateway.stations.connect("CS1", "1.6", () => {
      if (asked.calls.length > 1) throw new StationTimeoutError("CS1", 30_000);
      return { status: "Accepted" };
    });
    const response = (await gateway.commands.run("CS1", "setVariables", {
      setVariableData: [target("Configuration", "A", "1"), target("Configuration", "B", "2")],
    })) as Ocpp21.SetVariablesResponse;
    expect(response.setVariableResult).toMatchObject([
      { attributeStatus: "Accepted" },
      { attributeStatus: "Rejected", attributeStatusInfo: { reasonCode: "Unspecified" } },
    ]);
  });

  test("fails as a whole when the station does not answer at all", async () => {
    gateway.stations.connect("CS1", "1.6", () => {
      throw new StationTimeoutError("CS1", 30_000);
    });
    const run = gateway.commands.run("CS1", "setVariables", { setVariableData: [target("Configuration", "A", "1")] });
    await expect(run).rejects.toBeInstanceOf(StationTimeoutError);
  });

  test("an error that the station answers for one key leaves the others", async () => {
    gateway.stations.connect("CS1", "1.6", (_action, { key }: Ocpp16.ChangeConfigurationRequest) => {
      if (key === "A") throw new StationAnsweredError("CS1", "InternalError", "out of order");
      return { status: "Accepted" };
    });
    const response = (await gateway.commands.run("CS1", "setVariables", {
      setVariableData: [target("Configuration", "A", "1"), target("Configuration", "B", "2")],
    })) as Ocpp21.SetVariablesResponse;
    expect(response.setVariableResult.map(({ attributeStatus }) => attributeStatus)).toEqual(["Rejected", "Accepted"]);
  });

  test("keeps what a station of family 2 accepted, without secrets", async () => {
    gateway.stations.connect("CS1", "2.1", (_action, { setVariableData }: Ocpp21.SetVariablesRequest) => ({
      setVariableResult: setVariableData.map(({ component, variable }, index) => ({
        component,
        variable,
        attributeType: "Actual",
        attributeStatus: index === 0 ? "Rejected" : "Accepted",
      })),
    }));
    await gateway.commands.run("CS1", "setVariables", {
      setVariableData: [
        target("AuthCtrlr", "Enabled", "true"),
        target("TxCtrlr", "EVConnectionTimeOut", "90"),
        target("SecurityCtrlr", "BasicAuthPassword", "0123456789abcdef"),
      ],
    });
    const kept = await variables();
    expect(kept).toMatchObject([{ variable: "BasicAuthPassword" }, { variable: "EVConnectionTimeOut", value: "90" }]);
    expect(kept[0]).not.toHaveProperty("value");
  });

  test("B05.FR.11: more variables than the station takes at once are not sent", async () => {
    const asked = gateway.stations.connect(
      "CS1",
      "2.1",
      (_action, { getVariableData }: Ocpp21.GetVariablesRequest) => ({
        getVariableResult: getVariableData.map((data) => ({
          ...data,
          attributeStatus: "Accepted",
          attributeValue: "1",
        })),
      }),
    );
    await gateway.commands.run("CS1", "getVariables", {
      getVariableData: [
        { component: { name: "DeviceDataCtrlr" }, variable: { name: "ItemsPerMessage", instance: "SetVariables" } },
      ],
    });
    const run = gateway.commands.run("CS1", "setVariables", {
      setVariableData: [target("TxCtrlr", "A", "1"), target("TxCtrlr", "B", "1")],
    });
    await expect(run).rejects.toBeInstanceOf(CommandNotSupportedError);
    expect(asked.calls).toHaveLength(1);
  });
});

describe("getVariables", () => {
  test("B06.FR.01: asks family 1 for all keys at once and gives one result for each variable", async () => {
    const asked = gateway.stations.connect("CS1", "1.6", () => ({
      configurationKey: [{ key: "heartbeatInterval", readonly: false, value: "300" }, keys[3]],
      unknownKey: ["Unheard"],
    }));
    const wanted = [
      { component: { name: "OCPPCommCtrlr" }, variable: { name: "HeartbeatInterval" } },
      { component: { name: "Configuration" }, variable: { name: "VendorSwitch" } },
      { component: { name: "Configuration" }, variable: { name: "Unheard" } },
      { component: { name: "NoSuchCtrlr" }, variable: { name: "Enabled" } },
    ];
    const response = (await gateway.commands.run("CS1", "getVariables", {
      getVariableData: wanted,
    })) as Ocpp21.GetVariablesResponse;
    expect(response.getVariableResult).toEqual([
      { ...wanted[0], attributeType: "Actual", attributeStatus: "Accepted", attributeValue: "300" },
      { ...wanted[1], attributeType: "Actual", attributeStatus: "Accepted", attributeValue: "" },
      { ...wanted[2], attributeType: "Actual", attributeStatus: "UnknownVariable" },
      { ...wanted[3], attributeType: "Actual", attributeStatus: "UnknownComponent" },
    ]);
    expect(asked.calls).toEqual([
      { action: "GetConfiguration", payload: { key: ["HeartbeatInterval", "VendorSwitch", "Unheard"] } },
    ]);
    expect(await variables("&component=OCPPCommCtrlr")).toMatchObject([{ value: "300" }]);
  });

  test("OCPP 1.6 §9.1.6: asks for no more keys at once than GetConfigurationMaxKeys", async () => {
    const asked = gateway.stations.connect("CS1", "1.6", (_action, { key }: Ocpp16.GetConfigurationRequest) => ({
      configurationKey: (key ?? ["GetConfigurationMaxKeys"]).map((name) => ({ key: name, readonly: true, value: "2" })),
    }));
    await bootAndFetch("1.6");
    await expect.poll(inventory).toBe("Complete");
    await gateway.commands.run("CS1", "getVariables", {
      getVariableData: ["A", "B", "C"].map((name) => ({ component: { name: "Configuration" }, variable: { name } })),
    });
    expect(asked.calls.slice(1).map(({ payload }) => payload)).toEqual([{ key: ["A", "B"] }, { key: ["C"] }]);
  });
});

describe("reset", () => {
  test("OCPP 1.6 §5.14: Immediate is Hard, OnIdle is Soft", async () => {
    const asked = gateway.stations.connect("CS1", "1.6", () => ({ status: "Accepted" }));
    expect(await gateway.commands.run("CS1", "reset", { type: "Immediate" })).toEqual({ status: "Accepted" });
    await gateway.commands.run("CS1", "reset", { type: "OnIdle" });
    expect(asked.calls.map(({ payload }) => payload)).toEqual([{ type: "Hard" }, { type: "Soft" }]);
  });

  test("of one EVSE, or with transactions resumed, is nothing that family 1 can do", async () => {
    gateway.stations.connect("CS1", "1.6", () => ({ status: "Accepted" }));
    for (const request of [{ type: "Immediate", evseId: 1 }, { type: "ImmediateAndResume" }]) {
      await expect(gateway.commands.run("CS1", "reset", request)).rejects.toBeInstanceOf(CommandNotSupportedError);
    }
  });
});

import type { Ocpp16, Ocpp21 } from "@polyphase/ocpp";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CommandNotSupportedError, StationAnsweredError, StationTimeoutError } from "../../gateway/station-messages.ts";
import { ProvisioningBench } from "./fixture.ts";
import { bootAndFetch, inventoryOf, keys, variablesOf } from "./variables-fixture.ts";

let bench: ProvisioningBench;

beforeAll(async () => {
  bench = await ProvisioningBench.open();
});
afterAll(() => bench.close());
beforeEach(async () => {
  await bench.empty();
  await bench.start();
  await bench.put("CS1");
});
afterEach(() => bench.end());

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
    const asked = bench.gateway.stations.connect(
      "CS1",
      "1.6",
      (_action, { key }: Ocpp16.ChangeConfigurationRequest) => ({
        status: answers[key],
      }),
    );
    const response = (await bench.gateway.commands.run("CS1", "setVariables", {
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
    expect((await variablesOf(bench)).map(({ component, variable, value }) => [component, variable, value])).toEqual([
      ["OCPPCommCtrlr", "HeartbeatInterval", "120"],
      ["OCPPCommCtrlr", "MessageAttempts", "5"],
    ]);
  });

  test("a key that is addressed by its own name is kept under the variable that it is", async () => {
    bench.gateway.stations.connect("CS1", "1.6", () => ({ status: "Accepted" }));
    await bench.gateway.commands.run("CS1", "setVariables", {
      setVariableData: [target("Configuration", "HeartbeatInterval", "120")],
    });
    expect(await variablesOf(bench)).toMatchObject([{ component: "OCPPCommCtrlr", variable: "HeartbeatInterval" }]);
  });

  test("tells what was set before the station fell silent", async () => {
    const asked = bench.gateway.stations.connect("CS1", "1.6", () => {
      if (asked.calls.length > 1) throw new StationTimeoutError("CS1", 30_000);
      return { status: "Accepted" };
    });
    const response = (await bench.gateway.commands.run("CS1", "setVariables", {
      setVariableData: [target("Configuration", "A", "1"), target("Configuration", "B", "2")],
    })) as Ocpp21.SetVariablesResponse;
    expect(response.setVariableResult).toMatchObject([
      { attributeStatus: "Accepted" },
      { attributeStatus: "Rejected", attributeStatusInfo: { reasonCode: "Unspecified" } },
    ]);
  });

  test("fails as a whole when the station does not answer at all", async () => {
    bench.gateway.stations.connect("CS1", "1.6", () => {
      throw new StationTimeoutError("CS1", 30_000);
    });
    const run = bench.gateway.commands.run("CS1", "setVariables", {
      setVariableData: [target("Configuration", "A", "1")],
    });
    await expect(run).rejects.toBeInstanceOf(StationTimeoutError);
  });

  test("an error that the station answers for one key leaves the others", async () => {
    bench.gateway.stations.connect("CS1", "1.6", (_action, { key }: Ocpp16.ChangeConfigurationRequest) => {
      if (key === "A") throw new StationAnsweredError("CS1", "InternalError", "out of order");
      return { status: "Accepted" };
    });
    const response = (await bench.gateway.commands.run("CS1", "setVariables", {
      setVariableData: [target("Configuration", "A", "1"), target("Configuration", "B", "2")],
    })) as Ocpp21.SetVariablesResponse;
    expect(response.setVariableResult.map(({ attributeStatus }) => attributeStatus)).toEqual(["Rejected", "Accepted"]);
  });

  test("keeps what a station of family 2 accepted, without secrets", async () => {
    bench.gateway.stations.connect("CS1", "2.1", (_action, { setVariableData }: Ocpp21.SetVariablesRequest) => ({
      setVariableResult: setVariableData.map(({ component, variable }, index) => ({
        component,
        variable,
        attributeType: "Actual",
        attributeStatus: index === 0 ? "Rejected" : "Accepted",
      })),
    }));
    await bench.gateway.commands.run("CS1", "setVariables", {
      setVariableData: [
        target("AuthCtrlr", "Enabled", "true"),
        target("TxCtrlr", "EVConnectionTimeOut", "90"),
        target("SecurityCtrlr", "BasicAuthPassword", "0123456789abcdef"),
      ],
    });
    const kept = await variablesOf(bench);
    expect(kept).toMatchObject([{ variable: "BasicAuthPassword" }, { variable: "EVConnectionTimeOut", value: "90" }]);
    expect(kept[0]).not.toHaveProperty("value");
  });

  test("B05.FR.11: more variables than the station takes at once are not sent", async () => {
    const asked = bench.gateway.stations.connect(
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
    await bench.gateway.commands.run("CS1", "getVariables", {
      getVariableData: [
        { component: { name: "DeviceDataCtrlr" }, variable: { name: "ItemsPerMessage", instance: "SetVariables" } },
      ],
    });
    const run = bench.gateway.commands.run("CS1", "setVariables", {
      setVariableData: [target("TxCtrlr", "A", "1"), target("TxCtrlr", "B", "1")],
    });
    await expect(run).rejects.toBeInstanceOf(CommandNotSupportedError);
    expect(asked.calls).toHaveLength(1);
  });
});

describe("getVariables", () => {
  test("B06.FR.01: asks family 1 for all keys at once and gives one result for each variable", async () => {
    const asked = bench.gateway.stations.connect("CS1", "1.6", () => ({
      configurationKey: [{ key: "heartbeatInterval", readonly: false, value: "300" }, keys[3]],
      unknownKey: ["Unheard"],
    }));
    const wanted = [
      { component: { name: "OCPPCommCtrlr" }, variable: { name: "HeartbeatInterval" } },
      { component: { name: "Configuration" }, variable: { name: "VendorSwitch" } },
      { component: { name: "Configuration" }, variable: { name: "Unheard" } },
      { component: { name: "NoSuchCtrlr" }, variable: { name: "Enabled" } },
    ];
    const response = (await bench.gateway.commands.run("CS1", "getVariables", {
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
    expect(await variablesOf(bench, "&component=OCPPCommCtrlr")).toMatchObject([{ value: "300" }]);
  });

  test("OCPP 1.6 §9.1.6: asks for no more keys at once than GetConfigurationMaxKeys", async () => {
    const asked = bench.gateway.stations.connect("CS1", "1.6", (_action, { key }: Ocpp16.GetConfigurationRequest) => ({
      configurationKey: (key ?? ["GetConfigurationMaxKeys"]).map((name) => ({ key: name, readonly: true, value: "2" })),
    }));
    await bootAndFetch(bench, "1.6");
    await expect.poll(() => inventoryOf(bench)).toBe("Complete");
    await bench.gateway.commands.run("CS1", "getVariables", {
      getVariableData: ["A", "B", "C"].map((name) => ({ component: { name: "Configuration" }, variable: { name } })),
    });
    expect(asked.calls.slice(1).map(({ payload }) => payload)).toEqual([{ key: ["A", "B"] }, { key: ["C"] }]);
  });
});

describe("reset", () => {
  test("OCPP 1.6 §5.14: Immediate is Hard, OnIdle is Soft", async () => {
    const asked = bench.gateway.stations.connect("CS1", "1.6", () => ({ status: "Accepted" }));
    expect(await bench.gateway.commands.run("CS1", "reset", { type: "Immediate" })).toEqual({ status: "Accepted" });
    await bench.gateway.commands.run("CS1", "reset", { type: "OnIdle" });
    expect(asked.calls.map(({ payload }) => payload)).toEqual([{ type: "Hard" }, { type: "Soft" }]);
  });

  test("of one EVSE, or with transactions resumed, is nothing that family 1 can do", async () => {
    bench.gateway.stations.connect("CS1", "1.6", () => ({ status: "Accepted" }));
    for (const request of [{ type: "Immediate", evseId: 1 }, { type: "ImmediateAndResume" }]) {
      await expect(bench.gateway.commands.run("CS1", "reset", request)).rejects.toBeInstanceOf(
        CommandNotSupportedError,
      );
    }
  });
});

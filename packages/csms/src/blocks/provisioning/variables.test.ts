import type { Ocpp21 } from "@polyphase/ocpp";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CommandNotSupportedError } from "../../gateway/station-messages.ts";
import { ProvisioningBench } from "./fixture.ts";
import { bootAndFetch, inventoryOf, keys, stationOf, variablesOf } from "./variables-fixture.ts";

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

describe("the variables of a station of family 1", () => {
  test("OCPP 1.6 §5.8: its keys are fetched once after each accepted boot and kept as variables", async () => {
    const asked = bench.gateway.stations.connect("CS1", "1.6", () => ({ configurationKey: keys }));
    await bootAndFetch(bench, "1.6");
    await expect.poll(() => inventoryOf(bench)).toBe("Complete");
    expect(asked.calls).toEqual([{ action: "GetConfiguration", payload: {} }]);
    expect(await variablesOf(bench)).toEqual([
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
    bench.gateway.stations.connect("CS1", "1.6", () => ({ configurationKey: keys }));
    await bootAndFetch(bench, "1.6");
    await expect.poll(() => inventoryOf(bench)).toBe("Complete");
    const [secret] = await variablesOf(bench, "&variable=AuthorizationKey");
    expect(secret).not.toHaveProperty("value");
  });

  test("a key that is gone after the next boot is forgotten", async () => {
    const asked = bench.gateway.stations.connect("CS1", "1.6", () => ({ configurationKey: keys }));
    await bootAndFetch(bench, "1.6");
    await expect.poll(() => variablesOf(bench)).toHaveLength(4);
    asked.respond = () => ({ configurationKey: keys.slice(0, 1) });
    await bootAndFetch(bench, "1.6");
    await expect.poll(() => variablesOf(bench)).toHaveLength(1);
  });

  test("are asked for again, a few times, when the station answers nothing", async () => {
    const asked = bench.gateway.stations.connect("CS1", "1.6", () => ({}));
    await bootAndFetch(bench, "1.6");
    await expect.poll(() => inventoryOf(bench)).toBe("Failed");
    for (const attempt of [2, 3]) {
      await expect.poll(() => bench.timers.delaysMs.length).toBe(1);
      expect(bench.timers.delaysMs).toEqual([60_000]);
      bench.timers.elapse();
      await expect.poll(() => asked.calls.length).toBe(attempt);
      await expect.poll(() => inventoryOf(bench)).toBe("Failed");
    }
    expect(bench.timers.delaysMs).toEqual([]);
  });

  test("are not supported by 1.2, and nothing breaks", async () => {
    bench.gateway.stations.connect("CS1", "1.2", () => {
      throw new CommandNotSupportedError("CS1", "GetConfiguration", "OCPP 1.2 has none");
    });
    await bootAndFetch(bench, "1.6");
    await expect.poll(() => inventoryOf(bench)).toBe("NotSupported");
    expect(bench.timers.delaysMs).toEqual([]);
  });

  test("getBaseReport fetches them again", async () => {
    bench.gateway.stations.connect("CS1", "1.6", () => ({ configurationKey: keys }));
    const request = { requestId: 1, reportBase: "FullInventory" };
    expect(await bench.gateway.commands.run("CS1", "getBaseReport", request)).toEqual({ status: "Accepted" });
    expect(await variablesOf(bench)).toHaveLength(4);
    const summary = { requestId: 1, reportBase: "SummaryInventory" };
    expect(await bench.gateway.commands.run("CS1", "getBaseReport", summary)).toEqual({ status: "NotSupported" });
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
    const asked = bench.gateway.stations.connect("CS1", "2.1", () => ({ status: "Accepted" }));
    await bootAndFetch(bench, "2.1");
    await expect.poll(() => asked.calls.length).toBe(1);
    expect(asked.calls[0]).toMatchObject({ action: "GetBaseReport", payload: { reportBase: "FullInventory" } });
    requestId = requestIdOf(asked.calls[0]);
  });

  const part = (seqNo: number, tbc: boolean, reportData: Ocpp21.ReportDataType[], id = requestId) =>
    bench.gateway.receive("2.1", "CS1", "NotifyReport", {
      requestId: id,
      seqNo,
      tbc,
      generatedAt: bench.clock.now().toISOString(),
      reportData,
    });

  test("B07.FR.14: are reported after a boot in parts, and kept attribute by attribute", async () => {
    await part(0, true, [interval("60"), password]);
    expect(await inventoryOf(bench)).toBe("Requested");
    await part(1, false, [power]);
    expect(await inventoryOf(bench)).toBe("Complete");
    expect(await variablesOf(bench)).toEqual([
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
    expect(await stationOf(bench)).toMatchObject({ clockOffsetS: 0 });
  });

  test("a report whose parts come in another order is complete with the last to come", async () => {
    await part(0, true, [interval("60")]);
    await part(2, false, [power]);
    expect(await inventoryOf(bench)).toBe("Requested");
    await part(1, true, [password]);
    expect(await inventoryOf(bench)).toBe("Complete");
    expect(await variablesOf(bench)).toHaveLength(4);
  });

  test("a report whose parts are numbered from 1 is complete", async () => {
    await part(1, true, [interval("60")]);
    await part(2, false, [power]);
    expect(await inventoryOf(bench)).toBe("Complete");
  });

  test("a report with a part missing is Incomplete when its time has run out; what came is kept and nothing removed", async () => {
    await part(0, true, [interval("60")]);
    await part(2, false, [power]);
    bench.timers.elapse();
    await expect.poll(() => inventoryOf(bench)).toBe("Incomplete");
    expect(await variablesOf(bench)).toHaveLength(3);
    await expect.poll(() => bench.timers.delaysMs.length).toBe(1);
    expect(bench.timers.delaysMs).toEqual([60_000]);
  });

  test("a report is kept whole although our clock is set back while it comes", async () => {
    await part(0, true, [interval("60")]);
    bench.clock.set("2026-02-01T12:00:00Z");
    await part(1, true, [password]);
    bench.clock.set("2026-02-20T12:00:00Z");
    await part(2, false, [power]);
    expect(await inventoryOf(bench)).toBe("Complete");
    expect(await variablesOf(bench)).toHaveLength(4);
  });

  test("a complete report removes what an earlier one told and this one does not", async () => {
    await part(0, false, [interval("60"), power]);
    const asked = bench.gateway.stations.connect("CS1", "2.1", () => ({ status: "Accepted" }));
    bench.clock.advance(1_000);
    await bootAndFetch(bench, "2.1");
    await expect.poll(() => asked.calls.length).toBe(1);
    requestId = requestIdOf(asked.calls[0]);
    await part(0, false, [interval("30")]);
    expect((await variablesOf(bench)).map(({ variable, value }) => [variable, value])).toEqual([
      ["HeartbeatInterval", "30"],
      ["HeartbeatInterval", "86400"],
    ]);
  });

  test("a report that was not asked for is stored and removes nothing", async () => {
    await part(0, false, [interval("60")]);
    await part(0, false, [power], requestId + 1);
    expect(await variablesOf(bench)).toHaveLength(3);
  });

  test("a repeated part changes nothing", async () => {
    await part(0, true, [interval("60")]);
    await part(0, true, [interval("60")]);
    await part(1, false, [power]);
    expect(await inventoryOf(bench)).toBe("Complete");
    expect(await variablesOf(bench)).toHaveLength(3);
  });

  test("are listed in pages and filtered", async () => {
    await part(0, false, [interval("60"), power, password]);
    const url = "/api/v1/stations/CS1/variables?limit=3";
    const first = (await bench.server.inject(url)).json();
    const second = (await bench.server.inject(`${url}&cursor=${first.nextCursor}`)).json();
    expect([first.items.length, second.items.length, second.nextCursor]).toEqual([3, 1, null]);
    expect(await variablesOf(bench, "&component=evse")).toHaveLength(1);
    expect(await variablesOf(bench, "&evseId=0")).toHaveLength(3);
    expect(await variablesOf(bench, "&attribute=MaxSet")).toHaveLength(1);
    expect(await variablesOf(bench, "&search=HEARTBEAT")).toHaveLength(2);
    expect((await bench.server.inject("/api/v1/stations/NONE/variables")).statusCode).toBe(404);
  });
});

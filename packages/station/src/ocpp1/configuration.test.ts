import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Family1Bench } from "./family1-bench.testing.ts";

let bench: Family1Bench;

beforeEach(async () => {
  bench = new Family1Bench();
  await bench.start();
});

afterEach(async () => {
  await bench.stop();
});

describe("the configuration of a station of OCPP 1.6", () => {
  it("answers GetConfiguration with what is known and unknown, and never shows AuthorizationKey (§5.8)", async () => {
    const some = await bench.csms.call("GetConfiguration", {
      key: ["heartbeatinterval", "Nonsense", "NumberOfConnectors"],
    });
    expect(some).toEqual({
      configurationKey: [
        { key: "HeartbeatInterval", readonly: false, value: "300" },
        { key: "NumberOfConnectors", readonly: true, value: "2" },
      ],
      unknownKey: ["Nonsense"],
    });
    const all = (await bench.csms.call("GetConfiguration", {})).configurationKey as { key: string; value?: string }[];
    expect(all.length).toBeGreaterThan(35);
    expect(all.find((entry) => entry.key === "AuthorizationKey")?.value).toBeUndefined();
  });

  it("refuses unknown keys, read-only keys and impossible values (§5.3)", async () => {
    expect(await bench.status("ChangeConfiguration", { key: "Nonsense", value: "1" })).toBe("NotSupported");
    expect(await bench.status("ChangeConfiguration", { key: "NumberOfConnectors", value: "3" })).toBe("Rejected");
    expect(await bench.status("ChangeConfiguration", { key: "HeartbeatInterval", value: "soon" })).toBe("Rejected");
    expect(await bench.status("ChangeConfiguration", { key: "HeartbeatInterval", value: "-1" })).toBe("Rejected");
    expect(
      await bench.status("ChangeConfiguration", { key: "MeterValuesSampledData", value: "Voltage,Nonsense" }),
    ).toBe("Rejected");
    expect(await bench.status("ChangeConfiguration", { key: "LocalPreAuthorize", value: "TRUE" })).toBe("Accepted");
    expect(bench.station.settings.localPreAuthorize).toBe(true);
  });

  it("sends sampled and clock-aligned values with the configured measurands (MeterValuesSampledData, MeterValuesAlignedData)", async () => {
    expect(await bench.status("ChangeConfiguration", { key: "MeterValueSampleInterval", value: "30" })).toBe(
      "Accepted",
    );
    expect(await bench.status("ChangeConfiguration", { key: "MeterValuesSampledData", value: "Voltage,SoC" })).toBe(
      "Accepted",
    );
    expect(await bench.status("ChangeConfiguration", { key: "ClockAlignedDataInterval", value: "300" })).toBe(
      "Accepted",
    );
    expect(
      await bench.status("ChangeConfiguration", { key: "StopTxnSampledData", value: "Energy.Active.Import.Register" }),
    ).toBe("Accepted");
    await bench.charge();
    bench.csms.forget();
    await bench.minutes(5);
    const values = bench.csms.all("MeterValues");
    const sampled = values.filter((payload) => JSON.stringify(payload).includes("Sample.Periodic"));
    expect(sampled).toHaveLength(10);
    const measurands = JSON.stringify(sampled[0]).match(/"measurand":"[^"]+"/g);
    expect(measurands).toEqual([..."VVV"].map(() => '"measurand":"Voltage"').concat('"measurand":"SoC"'));
    const aligned = values.filter((payload) => JSON.stringify(payload).includes("Sample.Clock"));
    expect(aligned.map((payload) => [payload.connectorId, payload.transactionId]).sort()).toEqual([
      [1, 1],
      [2, undefined],
    ]);
    const samples = (aligned[0]?.meterValue ?? []) as { timestamp: string }[];
    expect(samples.map(({ timestamp }) => Date.parse(timestamp) % 300_000)).toEqual([0]);
    await bench.station.presentIdToken(1, "TAG1");
    await bench.station.settled();
    const [stop] = bench.csms.all("StopTransaction");
    const data = (stop?.transactionData ?? []) as { sampledValue: { context: string }[] }[];
    const contexts = data.map((sample) => sample.sampledValue[0]?.context);
    expect(contexts.at(0)).toBe("Transaction.Begin");
    expect(contexts.at(-1)).toBe("Transaction.End");
    expect(contexts.filter((context) => context === "Sample.Periodic")).toHaveLength(10);
  });

  it("connects with a new AuthorizationKey after the CSMS has set it", async () => {
    const again = once(bench.station, "online");
    expect(await bench.status("ChangeConfiguration", { key: "AuthorizationKey", value: "00".repeat(16) })).toBe(
      "Accepted",
    );
    await again;
    expect(bench.csms.passwords).toEqual([undefined, Buffer.alloc(16)]);
    expect(await bench.status("ChangeConfiguration", { key: "AuthorizationKey", value: "short" })).toBe("Rejected");
  });
});

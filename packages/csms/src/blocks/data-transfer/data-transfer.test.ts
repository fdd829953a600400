import { ManualClock } from "@polyphase/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { RecordedWrites } from "../../gateway/fixture.ts";
import { TestGateway } from "../fixture.ts";
import { createDataTransfer, type DataTransfer } from "./index.ts";

let gateway: TestGateway;
let writes: RecordedWrites;
let dataTransfer: DataTransfer;

beforeEach(() => {
  writes = new RecordedWrites();
  gateway = new TestGateway(new ManualClock(), writes);
  dataTransfer = createDataTransfer({ groupCommit: writes });
  dataTransfer.registerRoutes(gateway.routes);
  dataTransfer.registerCommands(gateway.commands, gateway.stations);
});

const receive = (version: "1.6" | "2.1", request: object) => gateway.receive(version, "CS1", "DataTransfer", request);

describe("from a station", () => {
  for (const version of ["1.6", "2.1"] as const) {
    test(`${version}: P02.FR.06, P02.FR.07: unknown vendors and messages are told so`, async () => {
      dataTransfer.registerVendor("org.acme", "Known", () => ({ status: "Accepted" }));
      expect(await receive(version, { vendorId: "org.other" })).toEqual({ status: "UnknownVendorId" });
      expect(await receive(version, { vendorId: "org.acme" })).toEqual({ status: "UnknownMessageId" });
      expect(await receive(version, { vendorId: "org.acme", messageId: "Other" })).toEqual({
        status: "UnknownMessageId",
      });
      expect(await receive(version, { vendorId: "org.acme", messageId: "Known" })).toEqual({ status: "Accepted" });
    });
  }

  test("a handler of the vendor takes what has no handler of its own", async () => {
    dataTransfer.registerVendor("org.acme", undefined, ({ messageId }) => ({ status: "Accepted", data: messageId }));
    dataTransfer.registerVendor("org.acme", "Own", () => ({ status: "Rejected" }));
    expect(await receive("2.1", { vendorId: "org.acme", messageId: "Other" })).toEqual({
      status: "Accepted",
      data: "Other",
    });
    expect(await receive("2.1", { vendorId: "org.acme", messageId: "Own" })).toEqual({ status: "Rejected" });
  });

  test("data is any value in family 2 and a text in family 1", async () => {
    dataTransfer.registerVendor("org.acme", undefined, ({ data }) => ({ status: "Accepted", data: { got: data } }));
    expect(await receive("2.1", { vendorId: "org.acme", data: [1] })).toMatchObject({ data: { got: [1] } });
    expect(await receive("1.6", { vendorId: "org.acme", data: "x" })).toMatchObject({ data: '{"got":"x"}' });
  });

  test("is recorded as an event, whether anybody handles it or not", async () => {
    await receive("1.6", { vendorId: "org.other", messageId: "M" });
    expect(writes.events).toMatchObject([
      { type: "data-transfer.received", stationId: "CS1", data: { vendorId: "org.other", messageId: "M" } },
    ]);
  });

  test("two handlers of one message are a mistake", () => {
    dataTransfer.registerVendor("org.acme", "M", () => ({ status: "Accepted" }));
    expect(() => dataTransfer.registerVendor("org.acme", "M", () => ({ status: "Accepted" }))).toThrow(TypeError);
  });
});

describe("to a station", () => {
  test("P01: of family 1 gets data as a text", async () => {
    const station = gateway.stations.connect("CS1", "1.6", () => ({ status: "Accepted", data: "done" }));
    const request = { vendorId: "org.acme", messageId: "M", data: { level: 3 } };
    expect(await gateway.commands.run("CS1", "dataTransfer", request)).toEqual({ status: "Accepted", data: "done" });
    expect(station.calls[0]?.payload).toEqual({ vendorId: "org.acme", messageId: "M", data: '{"level":3}' });
  });
});

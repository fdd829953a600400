import { describe, expect, it } from "vitest";
import { useHonestCsms } from "./honest-csms.ts";
import { counted, logged, RawStation } from "./raw-station.ts";
import type { Item } from "./running-csms.ts";

const running = useHonestCsms();

function command(stationId: string, name: string, body: object, query = "") {
  return running.api("POST", `/stations/${stationId}/commands/${name}${query}`, body);
}

async function storedValues(stationId: string, variable: string): Promise<unknown> {
  const { body } = await running.api("GET", `/stations/${stationId}/variables?variable=${variable}`);
  return body.items?.map(({ value }) => value);
}

const interval = { component: { name: "OCPPCommCtrlr" }, variable: { name: "HeartbeatInterval" } };

describe("a configuration that is accepted and ignored", () => {
  it("shows as what the station reports, in 2.0.1", async () => {
    const station = await RawStation.connect(running, "STUBBORN-2", ["ocpp2.0.1"]);
    station.answerCall = (action) => {
      if (action === "SetVariables") return { setVariableResult: [{ attributeStatus: "Accepted", ...interval }] };
      if (action === "GetVariables") {
        return { getVariableResult: [{ attributeStatus: "Accepted", attributeValue: "300", ...interval }] };
      }
      return { status: "NotSupported" };
    };
    const set = await command("STUBBORN-2", "setVariables", {
      setVariableData: [{ attributeValue: "60", ...interval }],
    });
    expect(set).toMatchObject({ status: 200, body: { setVariableResult: [{ attributeStatus: "Accepted" }] } });
    // It said so, and nothing else is known of it until it is asked.
    expect(await storedValues("STUBBORN-2", "HeartbeatInterval")).toEqual(["60"]);
    const get = await command("STUBBORN-2", "getVariables", { getVariableData: [interval] });
    expect(get).toMatchObject({ status: 200, body: { getVariableResult: [{ attributeValue: "300" }] } });
    expect(await storedValues("STUBBORN-2", "HeartbeatInterval")).toEqual(["300"]);
    await station.close();
  });

  it("shows as what the station reports, in 1.6", async () => {
    const station = await RawStation.connect(running, "STUBBORN-1");
    station.answerCall = (action) => {
      if (action === "ChangeConfiguration") return { status: "Accepted" };
      return { configurationKey: [{ key: "HeartbeatInterval", readonly: false, value: "300" }] };
    };
    await command("STUBBORN-1", "setVariables", { setVariableData: [{ attributeValue: "60", ...interval }] });
    expect(station.calls.map(([, , action]) => action)).toEqual(["ChangeConfiguration"]);
    expect(await storedValues("STUBBORN-1", "HeartbeatInterval")).toEqual(["60"]);
    const get = await command("STUBBORN-1", "getVariables", { getVariableData: [interval] });
    expect(get).toMatchObject({ status: 200, body: { getVariableResult: [{ attributeValue: "300" }] } });
    expect(await storedValues("STUBBORN-1", "HeartbeatInterval")).toEqual(["300"]);
    // At its next boot it is asked for all of them.
    await station.call("BootNotification", { chargePointVendor: "V", chargePointModel: "M" });
    await station.untilInventory(running, "Complete");
    expect(await storedValues("STUBBORN-1", "HeartbeatInterval")).toEqual(["300"]);
    await station.close();
  });
});

describe("a command that is accepted and never executed", () => {
  it.each([
    { subprotocol: "ocpp1.6", message: "MeterValues" },
    { subprotocol: "ocpp2.0.1", message: "LogStatusNotification" },
  ])("holds up nothing when it is a trigger, in $subprotocol", async ({ subprotocol, message }) => {
    const identity = `LAZY-${subprotocol}`;
    const station = await RawStation.connect(running, identity, [subprotocol]);
    station.answerCall = () => ({ status: "Accepted" });
    for (const _ of [1, 2, 3]) {
      const answer = await command(identity, "triggerMessage", { requestedMessage: message });
      expect(answer).toMatchObject({ status: 200, body: { status: "Accepted" } });
    }
    expect(await command(identity, "clearCache", {})).toMatchObject({ status: 200 });
    expect(await station.answersTo()).toEqual([]);
    await station.close();
  });

  it("makes no transaction when it is a remote start, and leaves the token for others", async () => {
    const station = await RawStation.boot16(running, "LAZY-START");
    station.answerCall = () => ({ status: "Accepted" });
    const answer = await command("LAZY-START", "requestStartTransaction", {
      ...{ evseId: 1, remoteStartId: 1, idToken: { idToken: "HONEST", type: "ISO14443" } },
    });
    expect(answer).toMatchObject({ status: 200, body: { status: "Accepted" } });
    expect((await running.api("GET", "/transactions?stationId=LAZY-START")).body.items).toEqual([]);
    await station.close();
  });
});

describe("a call that is not answered as it should be", () => {
  const ask = (identity: string, query = "") =>
    running.api("POST", `/stations/${identity}/calls${query}`, { action: "ClearCache", payload: {} });

  it("is given up after its time, told apart from offline, and a late answer is ignored", async () => {
    const station = await RawStation.boot16(running, "SILENT");
    station.answerCall = () => undefined;
    expect(await ask("SILENT", "?timeoutS=0.2")).toMatchObject({
      ...{ status: 504, body: { type: expect.stringMatching(/timeout/) } },
    });
    const [, id] = await station.callNumber("ClearCache", 0);
    const ignored = await counted(running, "polyphase_station_ignored_total");
    expect(await station.answersTo(`[3,"${id}",{"status":"Accepted"}]`)).toEqual([]);
    expect(await counted(running, "polyphase_station_ignored_total")).toBe(ignored + 1);
    station.answerCall = () => ({ status: "Accepted" });
    expect(await ask("SILENT")).toMatchObject({ status: 200 });
    await station.close();
    expect(await ask("SILENT")).toMatchObject({ body: { type: expect.stringMatching(/offline/) } });
  });

  it.each([{}, { status: "Perhaps" }, { status: 1 }, [], "Accepted", null, { status: "Accepted", __proto__: null }])(
    "is told to have failed when its response breaks the schema: %j",
    async (response) => {
      const station = await RawStation.connect(running, "NONSENSE");
      station.answerCall = () => undefined;
      const asked = ask("NONSENSE");
      const [, id] = await station.callNumber("ClearCache", 0);
      station.send(JSON.stringify([3, id, response]));
      const isRight = typeof response === "object" && (response as Item | null)?.status === "Accepted";
      expect((await asked).status).toBe(isRight ? 200 : 502);
      await station.close();
    },
  );

  it("is answered once when the station answers it twice", async () => {
    const station = await RawStation.connect(running, "ECHO");
    station.answerCall = () => undefined;
    const asked = ask("ECHO");
    const [, id] = await station.callNumber("ClearCache", 0);
    station.send(`[3,"${id}",{"status":"Accepted"}]`);
    station.send(`[3,"${id}",{"status":"Rejected"}]`);
    expect(await asked).toMatchObject({ status: 200, body: { status: "Accepted" } });
    await station.close();
  });

  it("is told to have failed when the connection is lost meanwhile", async () => {
    const station = await RawStation.connect(running, "VANISHED");
    station.answerCall = () => {
      station.socket.terminate();
      return undefined;
    };
    expect(await ask("VANISHED")).toMatchObject({ body: { type: expect.stringMatching(/offline/) } });
  });
});

describe("a device model told in an unusual way", () => {
  const report = (requestId: number, seqNo: number, tbc: boolean, value: string, name = `V${seqNo}`) => ({
    ...{ requestId, seqNo, tbc, generatedAt: "2026-04-01T10:00:00Z" },
    reportData: [{ component: { name: "C" }, variable: { name }, variableAttribute: [{ type: "Actual", value }] }],
  });

  async function boot(identity: string): Promise<{ station: RawStation; requestId: number }> {
    const station = await RawStation.connect(running, identity, ["ocpp2.0.1"]);
    station.answerCall = (action) => ({ status: action === "GetBaseReport" ? "Accepted" : "NotSupported" });
    await station.call("BootNotification", {
      ...{ reason: "PowerUp", chargingStation: { vendorName: "V", model: "M" } },
    });
    const { requestId } = (await station.called("GetBaseReport")) as { requestId: number };
    return { station, requestId };
  }

  it("is complete when its parts begin at seqNo 1", async () => {
    const { station, requestId } = await boot("FROM-ONE");
    for (const seqNo of [1, 2, 3]) {
      expect(await station.call("NotifyReport", report(requestId, seqNo, seqNo < 3, "x"))).toEqual({});
    }
    await station.untilInventory(running, "Complete");
    const { body } = await running.api("GET", "/stations/FROM-ONE/variables?component=C");
    expect(body.items?.map(({ variable }) => variable)).toEqual(["V1", "V2", "V3"]);
    await station.close();
  });

  it("is complete when its parts come backwards and twice", async () => {
    const { station, requestId } = await boot("BACKWARDS");
    for (const seqNo of [2, 1, 1, 0]) await station.call("NotifyReport", report(requestId, seqNo, seqNo < 2, "x"));
    await station.untilInventory(running, "Complete");
    await station.close();
  });

  it("is kept, and completes nothing, when nobody asked for it", async () => {
    const { station, requestId } = await boot("UNASKED");
    expect(await station.call("NotifyReport", report(requestId + 1_000, 0, false, "x"))).toEqual({});
    expect((await running.api("GET", "/stations/UNASKED")).body).toMatchObject({ inventory: { status: "Requested" } });
    expect(await storedValues("UNASKED", "V0")).toEqual(["x"]);
    await station.close();
  });

  it("is kept whole when values are longer than allowed and attributes are missing", async () => {
    const { station, requestId } = await boot("SLOPPY");
    const long = "v".repeat(2_600);
    const data = report(requestId, 0, false, long);
    const variables = [
      ...data.reportData,
      { component: { name: "C" }, variable: { name: "Bare" }, variableAttribute: [{}] },
    ];
    expect(await station.call("NotifyReport", { ...data, reportData: variables })).toEqual({});
    await station.untilInventory(running, "Complete");
    expect(await storedValues("SLOPPY", "V0")).toEqual([long]);
    expect(await storedValues("SLOPPY", "Bare")).toEqual([undefined]);
    await station.close();
  });
});

describe("secrets that a station tells", () => {
  it("are in no log and no variable", async () => {
    const station = await RawStation.connect(running, "TALKATIVE");
    station.answerCall = () => ({
      configurationKey: [{ key: "AuthorizationKey", readonly: false, value: "DEADBEEFDEADBEEF" }],
    });
    await station.call("BootNotification", { chargePointVendor: "V", chargePointModel: "M" });
    await station.untilInventory(running, "Complete");
    await logged(running, "TALKATIVE", "AuthorizationKey");
    const { body } = await running.api("GET", "/stations/TALKATIVE/messages?limit=200");
    expect(JSON.stringify(body)).not.toContain("DEADBEEF");
    expect(await storedValues("TALKATIVE", "AuthorizationKey")).not.toContain("DEADBEEFDEADBEEF");
    await station.close();
  });
});

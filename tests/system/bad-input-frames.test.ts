import { describe, expect, it } from "vitest";
import { newIds, useHonestCsms } from "./honest-csms.ts";
import { counted, head, logged, onlyTransactionOf, RawStation, tolerated } from "./raw-station.ts";

const running = useHonestCsms();

const newId = newIds();

async function start16(station: RawStation): Promise<number> {
  const { transactionId } = await station.call("StartTransaction", {
    ...{ connectorId: 1, idTag: "HONEST", meterStart: 5_000, timestamp: "2026-04-01T10:00:00Z" },
  });
  return transactionId as number;
}

describe("a frame that is not JSON", () => {
  it("with a property without value is read as if the property were absent (json-empty-value)", async () => {
    const station = await RawStation.boot16(running, newId("EMPTY"));
    const transactionId = await start16(station);
    const meterValue = [{ timestamp: "2026-04-01T10:10:00Z", sampledValue: [{ value: "5250" }] }];
    const text = `[2,"x1","MeterValues",{"connectorId":1,"transactionId":,"meterValue":${JSON.stringify(meterValue)}}]`;
    station.send(text);
    expect(await station.answerTo("x1")).toEqual([3, "x1", {}]);
    // What is logged is what was on the wire.
    expect(await logged(running, station.identity, '"transactionId":,')).toMatchObject({
      ...{ direction: "received", kind: "CALL", action: "MeterValues", messageId: "x1" },
    });
    expect(await tolerated(running, "json-empty-value+json-leading-comma")).toBe(0);
    expect(await tolerated(running, "json-empty-value")).toBeGreaterThan(0);
    expect(await tolerated(running, "null-values")).toBeGreaterThan(0);
    await station.call("StopTransaction", { transactionId, meterStop: 5_400, timestamp: "2026-04-01T10:20:00Z" });
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({ energyWh: 400, status: "Ended" });
    await station.close();
  });

  it("with a comma after an opening bracket is read without it (json-leading-comma)", async () => {
    const station = await RawStation.boot16(running, newId("COMMA"));
    const transactionId = await start16(station);
    const text =
      `[2,"x1","MeterValues",{"connectorId":1,"transactionId":${transactionId},"meterValue":[,` +
      '{"timestamp":"2026-04-01T10:10:00Z","sampledValue":[,{"value":"5250"}]}]}]';
    station.send(text);
    expect(await station.answerTo("x1")).toEqual([3, "x1", {}]);
    expect(await tolerated(running, "json-leading-comma")).toBe(1);
    expect(await onlyTransactionOf(running, station.identity)).toMatchObject({ energyWh: 250, status: "Open" });
    await station.close();
  });

  it("with NUL bytes at its end is read without them (json-trailing-nul), and can be stored", async () => {
    const station = await RawStation.boot16(running, newId("NUL"));
    const status = '[2,"x1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]';
    station.send(`${status}\0\0`);
    expect(await station.answerTo("x1")).toEqual([3, "x1", {}]);
    expect(await tolerated(running, "json-trailing-nul")).toBe(1);
    expect(await logged(running, station.identity, `${status}\uFFFD\uFFFD`)).toMatchObject({ messageId: "x1" });
    await station.close();
  });

  it("is refused where an operator switched the rule off for the station", async () => {
    const station = await RawStation.boot16(running, newId("STRICT"));
    const rules = ["json-trailing-nul", "json-leading-comma", "json-empty-value"];
    for (const rule of rules) {
      const path = `/stations/${station.identity}/tolerances/${rule}`;
      expect(await running.api("PUT", path, { enabled: false })).toMatchObject({ status: 204 });
    }
    const broken = ['[2,"x1","Heartbeat",{}]\0', '[2,"x2","Heartbeat",{"a":,}]', '[2,"x3","Heartbeat",{"a":[,1]}]'];
    expect(await station.answersTo(...broken)).toEqual(
      ["x1", "x2", "x3"].map((id) => [4, id, "FormationViolation", "not JSON", {}]),
    );
    await station.close();
  });

  it("ends the call that it answers, and nothing else, when it is a truncated CALLRESULT", async () => {
    const station = await RawStation.boot16(running, newId("CUT"));
    station.answerCall = () => undefined;
    const path = `/stations/${station.identity}/calls`;
    const asked = running.api("POST", path, { action: "GetConfiguration", payload: { key: ["HeartbeatInterval"] } });
    await station.called("GetConfiguration");
    const id = station.calls.findLast(([, , action]) => action === "GetConfiguration")?.[1];
    expect(await station.answersTo(`[3,"${id}",{"configurationKey":[{"key":"Heartb`)).toEqual([]);
    expect(await asked).toMatchObject({ status: 502, body: { code: "FormatViolation" } });
    // The turn is free again: the next call is made at once.
    station.answerCall = () => ({ status: "Accepted" });
    expect(await running.api("POST", path, { action: "ClearCache", payload: {} })).toMatchObject({
      ...{ status: 200, body: { status: "Accepted" } },
    });
    expect(await logged(running, station.identity, '{"key":"Heartb')).toMatchObject({
      kind: "malformed",
      messageId: id,
    });
    await station.close();
  });

  it("of any other kind is answered by id where the id can be read, and ignored otherwise in 1.6", async () => {
    const station = await RawStation.boot16(running, newId("GARBAGE"));
    expect(await station.answersTo('[2,"x1","Heartbeat",{]', "", "hello", "{}", "[]", "null", "[2]", "[[[")).toEqual([
      [4, "x1", "FormationViolation", "not JSON", {}],
    ]);
    await station.close();
  });

  it('of any other kind is answered with the id "-1" in 2.x where the id cannot be read', async () => {
    const station = await RawStation.boot2(running, newId("GARBAGE2"));
    expect(await station.answersTo('[2,"x1","Heartbeat",{]', "hello", "{}", "[2]", '[9,"x2",{}]')).toEqual([
      [4, "x1", "FormatViolation", "not JSON", {}],
      [4, "-1", "RpcFrameworkError", "not JSON", {}],
      [4, "-1", "RpcFrameworkError", "not a JSON array", {}],
      [4, "-1", "RpcFrameworkError", "the message id is not a text", {}],
      [4, "x2", "MessageTypeNotSupported", "unknown message type", {}],
    ]);
    await station.close();
  });
});

describe("a message that JSON allows and OCPP does not", () => {
  it("of an action that does not exist is answered with NotImplemented", async () => {
    const station = await RawStation.boot16(running, newId("ACTION"));
    for (const action of ["Fly", "constructor", "__proto__", "toString", "hasOwnProperty", "", "\0", "heartbeat"]) {
      expect(head(await station.ask(action, {}))).toEqual([4, expect.any(String), "NotImplemented"]);
    }
    await station.close();
  });

  it("of an action that only a CSMS may send is answered with NotSupported", async () => {
    const station = await RawStation.boot16(running, newId("DIRECTION"));
    expect(head(await station.ask("Reset", { type: "Hard" }))).toEqual([4, expect.any(String), "NotSupported"]);
    await station.close();
  });

  it("with a message id of more than 36 characters is refused under its id", async () => {
    const station = await RawStation.boot16(running, newId("LONGID"));
    const id = "i".repeat(37);
    expect(head(await station.ask("Heartbeat", {}, id))).toEqual([4, id, "FormationViolation"]);
    await station.close();
  });

  it("with an answer that nobody waits for is ignored, whatever its id is", async () => {
    const station = await RawStation.boot16(running, newId("UNASKED"));
    const ignored = await counted(running, "polyphase_station_ignored_total");
    expect(await station.answersTo('[3,"nope",{}]', '[4,"nope","GenericError","",{}]', '[3,"__proto__",{}]')).toEqual(
      [],
    );
    expect(await counted(running, "polyphase_station_ignored_total")).toBe(ignored + 3);
    await station.close();
  });

  it("nested a hundred thousand deep is refused, and the station served on", async () => {
    const station = await RawStation.boot16(running, newId("DEEP"));
    const depth = 100_000;
    const lists = `[2,"x1","DataTransfer",{"vendorId":"V","data":${"[".repeat(depth)}${"]".repeat(depth)}}]`;
    const objects = `[2,"x2","BootNotification",${'{"a":'.repeat(depth)}1${"}".repeat(depth)}]`;
    const broken = `[2,"x3","Heartbeat",${"[".repeat(depth)}`;
    const secret = `[2,"x4","DataTransfer",{"vendorId":"password","data":${"[".repeat(depth)}${"]".repeat(depth)}}]`;
    const reason = "nested more than 100 levels deep";
    expect(await station.answersTo(lists, objects, broken, secret)).toEqual(
      ["x1", "x2", "x3", "x4"].map((id) => [4, id, "FormationViolation", reason, {}]),
    );
    // The log goes on after it.
    expect(await logged(running, station.identity, '"x4"')).toMatchObject({ errorCode: "FormationViolation" });
    await station.close();
  });

  it("with keys of an object's prototype pollutes nothing", async () => {
    const station = await RawStation.boot16(running, newId("PROTO"));
    const evil = '"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}';
    const texts = [
      `[2,"x1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M",${evil}}]`,
      `[2,"x2","StatusNotification",{"connectorId":1,"errorCode":"__proto__","status":"constructor",${evil}}]`,
      `[2,"x3","DataTransfer",{"vendorId":"__proto__","messageId":"constructor","data":"toString"}]`,
      `[2,"x4","Heartbeat",{${evil}}]`,
    ];
    for (const text of texts) station.send(text);
    expect(await station.answerTo("x1")).toMatchObject([3, "x1", { status: "Accepted" }]);
    expect(head(await station.answerTo("x2"))).toEqual([4, "x2", "PropertyConstraintViolation"]);
    expect(await station.answerTo("x3")).toEqual([3, "x3", { status: "UnknownVendorId" }]);
    expect(await station.answerTo("x4")).toMatchObject([3, "x4", { currentTime: expect.any(String) }]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    await station.close();
  });

  it("longer than a mebibyte ends its connection with 1009, and no other", async () => {
    const station = await RawStation.boot16(running, newId("HUGE"));
    station.send(`[2,"x1","DataTransfer",{"vendorId":"V","data":"${"a".repeat(2 ** 20)}"}]`);
    expect(await station.ended).toMatchObject({ code: 1009 });
    const again = await RawStation.boot16(running, station.identity);
    expect(await again.answersTo()).toEqual([]);
    await again.close();
  });

  it("made to be tried over and over holds nobody up", async () => {
    const station = await RawStation.boot16(running, newId("SLOW"));
    const long = 2 ** 19;
    const begin = performance.now();
    station.send(`[2,"x1","Heartbeat",{}]${"\0".repeat(long)}x`);
    station.send(`[2,"x2","DataTransfer",{"vendorId":"V","data":"://${":".repeat(long)}"}]`);
    expect(head(await station.answerTo("x1"))).toEqual([4, "x1", "FormationViolation"]);
    expect(head(await station.answerTo("x2"))).toEqual([3, "x2", { status: "UnknownVendorId" }]);
    await logged(running, station.identity, '"x2"');
    expect(performance.now() - begin).toBeLessThan(20_000);
    await station.close();
  });

  it("in a binary frame is ignored", async () => {
    const station = await RawStation.boot16(running, newId("BINARY"));
    station.socket.send(Buffer.from('[2,"x1","Heartbeat",{}]'), { binary: true });
    expect(await station.answersTo()).toEqual([]);
    await station.close();
  });
});

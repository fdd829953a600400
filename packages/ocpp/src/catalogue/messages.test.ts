// The compiler proves these: `npm run check:types` fails where one does not hold, also where an error that
// `@ts-expect-error` announces does not come. A run proves that the values in them are valid messages.
import { expect, expectTypeOf, test } from "vitest";
import type { AnyConnection, Connection, Handler, Handlers } from "../connection.ts";
import type * as Ocpp16 from "../generated/types-1.6.ts";
import type * as Ocpp21 from "../generated/types-2.1.ts";
import type { SoapPeer } from "../soap/station-registry.ts";
import { catalogue } from "./catalogue.ts";
import type { ActionOf, CallsFrom, Peer, RequestOf, ResponseOf, SendsFrom } from "./messages.ts";

type Csms16 = Connection<"1.6", "CSMS">;
type Station21 = Connection<"2.1", "ChargingStation">;

test("request and response follow from version and action", () => {
  expectTypeOf<RequestOf<"1.6", "RemoteStartTransaction">>().toEqualTypeOf<Ocpp16.RemoteStartTransactionRequest>();
  expectTypeOf<ResponseOf<"2.1", "Authorize">>().toEqualTypeOf<Ocpp21.AuthorizeResponse>();
  expectTypeOf<RequestOf<"2.0.1", "Reset">["type"]>().toEqualTypeOf<"Immediate" | "OnIdle">();
  expectTypeOf<RequestOf<"1.2", "Authorize">>().toEqualTypeOf<{ idTag: string }>();
  expectTypeOf<ResponseOf<"2.1", "NotifyPeriodicEventStream">>().toEqualTypeOf<undefined>();

  const request: RequestOf<"1.6", "RemoteStartTransaction"> = { idTag: "04A1", connectorId: 1 };
  expect(catalogue("1.6").get("RemoteStartTransaction")?.validateRequest(request)).toBeUndefined();
});

test("a wrong, missing or unknown field of a payload does not compile", () => {
  // @ts-expect-error idTag is required
  const missing: RequestOf<"1.6", "RemoteStartTransaction"> = { connectorId: 1 };
  // @ts-expect-error connectorId is a number
  const wrong: RequestOf<"1.6", "RemoteStartTransaction"> = { idTag: "04A1", connectorId: "1" };
  // @ts-expect-error 1.6 has no evseId
  const unknown: RequestOf<"1.6", "RemoteStartTransaction"> = { idTag: "04A1", evseId: 1 };
  // @ts-expect-error not one of the enumeration
  const outside: ResponseOf<"2.1", "Reset"> = { status: "Perhaps" };

  const start = catalogue("1.6").get("RemoteStartTransaction");
  expect(start?.validateRequest(missing)).toMatchObject({ rule: "required", path: "" });
  expect(start?.validateRequest(wrong)).toMatchObject({ rule: "type", path: "/connectorId" });
  expect(start?.validateRequest(unknown)).toMatchObject({ rule: "additionalProperties", path: "" });
  expect(catalogue("2.1").get("Reset")?.validateResponse(outside)).toMatchObject({ rule: "enum", path: "/status" });
});

test("an action that a version does not have does not compile", () => {
  expectTypeOf<"Hearbeat">().not.toExtend<ActionOf<"1.6">>();
  expectTypeOf<"DataTransfer">().not.toExtend<ActionOf<"1.2">>();
  expectTypeOf<"DataTransfer">().toExtend<ActionOf<"1.5">>();
  expectTypeOf<"SetChargingProfile">().not.toExtend<ActionOf<"1.5">>();
  expectTypeOf<"SignCertificate">().toExtend<ActionOf<"1.6">>();
  expectTypeOf<"BatterySwap">().not.toExtend<ActionOf<"2.0.1">>();
  expectTypeOf<"BatterySwap">().toExtend<ActionOf<"2.1">>();
});

test("who may call what follows from the role", () => {
  expectTypeOf<CallsFrom<"1.2", "ChargingStation">>().toEqualTypeOf<
    | "Authorize"
    | "BootNotification"
    | "DiagnosticsStatusNotification"
    | "FirmwareStatusNotification"
    | "Heartbeat"
    | "MeterValues"
    | "StartTransaction"
    | "StatusNotification"
    | "StopTransaction"
  >();
  expectTypeOf<"BootNotification">().not.toExtend<CallsFrom<"2.1", "CSMS">>();
  expectTypeOf<"Reset">().not.toExtend<CallsFrom<"2.1", "ChargingStation">>();
  expectTypeOf<"DataTransfer">().toExtend<CallsFrom<"2.1", "CSMS"> & CallsFrom<"2.1", "ChargingStation">>();
  expectTypeOf<SendsFrom<"2.1", "ChargingStation">>().toEqualTypeOf<"NotifyPeriodicEventStream">();
  expectTypeOf<SendsFrom<"2.1", "CSMS">>().toEqualTypeOf<never>();
  expectTypeOf<SendsFrom<"2.0.1", "ChargingStation">>().toEqualTypeOf<never>();
  expectTypeOf<"NotifyPeriodicEventStream">().not.toExtend<CallsFrom<"2.1", "ChargingStation">>();
  expectTypeOf<Peer<"CSMS">>().toEqualTypeOf<"ChargingStation">();
});

test("a call knows its response, and takes no action or payload of another version or role", () => {
  const start = (station: Csms16) => station.call("RemoteStartTransaction", { idTag: "04A1" });
  expectTypeOf(start).returns.resolves.toEqualTypeOf<{ status: "Accepted" | "Rejected" }>();

  // @ts-expect-error a field of 2.x
  const foreignField = (station: Csms16) => station.call("RemoteStartTransaction", { idTag: "04A1", remoteStartId: 1 });
  // @ts-expect-error an action of 2.x
  const foreignAction = (station: Csms16) => station.call("RequestStartTransaction", { idTag: "04A1" });
  const boot = { chargePointModel: "M", chargePointVendor: "V" };
  // @ts-expect-error only stations call BootNotification
  const foreignRole = (station: Csms16) => station.call("BootNotification", boot);
  // @ts-expect-error a SEND has no answer to wait for
  const sendAsCall = (csms: Station21) => csms.call("NotifyPeriodicEventStream", {});
  expect([foreignField, foreignAction, foreignRole, sendAsCall].every((each) => each.length === 1)).toBe(true);
});

test("a connection of unknown version is typed once its version was asked for", () => {
  const stop = async (station: AnyConnection<"CSMS">, transactionId: number): Promise<"Accepted" | "Rejected"> => {
    if (station.version !== "1.6") return "Rejected";
    const { status } = await station.call("RemoteStopTransaction", { transactionId });
    return status;
  };
  expectTypeOf(stop).parameter(0).toExtend<{ readonly identity: string }>();
  expectTypeOf<Extract<AnyConnection<"CSMS">, { version: "2.1" }>>().toEqualTypeOf<Connection<"2.1", "CSMS">>();
  // @ts-expect-error "Warm" is no reset of 1.5
  const reset = async (station: SoapPeer) => station.version === "1.5" && station.call("Reset", { type: "Warm" });
  expectTypeOf<SoapPeer["version"]>().toEqualTypeOf<"1.2" | "1.5" | "1.6">();
  expect(reset).toBeTypeOf("function");
});

test("a handler is given the request and must answer with the response of its version", () => {
  const authorize: Handler<"1.6", "CSMS", "Authorize"> = ({ idTag }) => ({
    idTagInfo: { status: idTag === "04A1" ? "Accepted" : "Invalid" },
  });
  expectTypeOf(authorize).parameter(0).toEqualTypeOf<Ocpp16.AuthorizeRequest>();
  // @ts-expect-error 2.x answers with idTokenInfo, 1.6 with idTagInfo
  const wrong: Handler<"1.6", "CSMS", "Authorize"> = () => ({ idTokenInfo: { status: "Accepted" } });
  expectTypeOf<
    Parameters<Handlers<"2.1", "CSMS">["TransactionEvent"]>[0]
  >().toEqualTypeOf<Ocpp21.TransactionEventRequest>();
  expectTypeOf<keyof Handlers<"1.2", "CSMS">>().toEqualTypeOf<CallsFrom<"1.2", "ChargingStation">>();
  expectTypeOf<keyof Handlers<"2.1", "ChargingStation">>().toEqualTypeOf<CallsFrom<"2.1", "CSMS">>();

  const context = {} as Parameters<typeof authorize>[1];
  const entry = catalogue("1.6").get("Authorize");
  expect(entry?.validateResponse(authorize({ idTag: "04A1" }, context))).toBeUndefined();
  expect(entry?.validateResponse(wrong({ idTag: "04A1" }, context))).toBeDefined();
});

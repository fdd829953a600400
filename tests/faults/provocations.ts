import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type HttpAnswer, RawStation, rawRequest, type WireFrame } from "../system/raw-station.ts";
import type { RestartableCsms } from "./restartable-csms.ts";

/** A station that is about to break a rule. */
export class Stage {
  readonly running: RestartableCsms;
  readonly id: string;
  readonly #open: RawStation[] = [];

  constructor(running: RestartableCsms, id: string) {
    this.running = running;
    this.id = id;
  }

  /** Time of the CSMS, moved by seconds. */
  at(offsetS = 0): string {
    return new Date(this.running.clock.now().getTime() + offsetS * 1_000).toISOString();
  }

  async connect(
    subprotocols: readonly string[] = ["ocpp1.6"],
    options: { readonly autoPong?: boolean } = {},
  ): Promise<RawStation> {
    const station = await RawStation.connect(this.running, this.id, subprotocols, options);
    this.#open.push(station);
    return station;
  }

  async boot16(): Promise<RawStation> {
    const station = await this.connect();
    await station.ask("BootNotification", { chargePointVendor: "Raw", chargePointModel: "R" });
    return station;
  }

  async boot2(subprotocol: "ocpp2.0.1" | "ocpp2.1" = "ocpp2.0.1"): Promise<RawStation> {
    const station = await this.connect([subprotocol]);
    const chargingStation = { vendorName: "Raw", model: "R" };
    await station.ask("BootNotification", { reason: "PowerUp", chargingStation });
    return station;
  }

  /** Decides about a rule of this station, which need not have connected yet. */
  async decide(rule: string, enabled: boolean): Promise<void> {
    await this.running.api("PUT", `/stations/${this.id}`, {});
    await this.running.api("PUT", `/stations/${this.id}/tolerances/${rule}`, { enabled });
  }

  /** Lets the CSMS call the station and answers the call on the wire. */
  async call(station: RawStation, action: string, payload: object, answer: (id: string) => string): Promise<void> {
    station.answerCall = () => undefined;
    const called = this.running.api("POST", `/stations/${this.id}/calls?timeoutS=5`, { action, payload });
    const [, messageId] = await station.callNumber(action, 0);
    station.send(answer(messageId));
    await called;
  }

  /** Begins a transaction of 1.6 and returns its id. */
  async start(station: RawStation, facts: object = {}): Promise<unknown> {
    const request = { connectorId: 1, idTag: "HONEST", meterStart: 1_000, timestamp: this.at(-60), ...facts };
    const frame = await station.ask("StartTransaction", request);
    return (frame[2] as { readonly transactionId?: unknown }).transactionId;
  }

  stop(station: RawStation, transactionId: unknown, facts: object = {}): Promise<WireFrame> {
    const request = { transactionId, meterStop: 2_000, timestamp: this.at(), ...facts };
    return station.ask("StopTransaction", request);
  }

  measure(station: RawStation, facts: object, sampledValue: readonly object[], offsetS = 0): Promise<WireFrame> {
    const meterValue = [{ timestamp: this.at(offsetS), sampledValue }];
    return station.ask("MeterValues", { connectorId: 1, meterValue, ...facts });
  }

  /** Sends a TransactionEvent of 2.x. */
  event(station: RawStation, eventType: string, seqNo: number, offsetS: number): Promise<WireFrame> {
    return station.ask("TransactionEvent", {
      ...{ eventType, seqNo, timestamp: this.at(offsetS), triggerReason: "CablePluggedIn", evse: { id: 1 } },
      transactionInfo: { transactionId: "tx-1" },
    });
  }

  /** Sends a request of OCPP-S 1.6, with all headers but those that are replaced. */
  soap(body: string, header: Partial<Record<SoapHeader, string>> = {}, path?: string): Promise<HttpAnswer> {
    const headers = Object.values({ ...soapHeaders(this.id), ...header }).join("");
    return rawRequest(this.running.urlFor("1.6S"), {
      method: "POST",
      body: envelope("urn://Ocpp/Cs/2015/10/", headers, body),
      headers: { "content-type": "application/soap+xml; charset=utf-8" },
      ...(path === undefined ? {} : { path }),
    });
  }

  async close(): Promise<void> {
    for (const station of this.#open.splice(0)) {
      station.socket.terminate();
      await station.ended;
    }
  }
}

type SoapHeader = "identity" | "action" | "messageId" | "from" | "replyTo" | "to";

const anonymous = "http://www.w3.org/2005/08/addressing/anonymous";

function soapHeaders(id: string): Record<SoapHeader, string> {
  return {
    identity: `<c:chargeBoxIdentity>${id}</c:chargeBoxIdentity>`,
    action: "<a:Action>/Heartbeat</a:Action>",
    messageId: "<a:MessageID>urn:uuid:1</a:MessageID>",
    from: "<a:From><a:Address>http://127.0.0.1:9/</a:Address></a:From>",
    replyTo: `<a:ReplyTo><a:Address>${anonymous}</a:Address></a:ReplyTo>`,
    to: "<a:To>http://csms</a:To>",
  };
}

function envelope(namespace: string, header: string, body: string): string {
  return (
    '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" ' +
    `xmlns:a="http://www.w3.org/2005/08/addressing" xmlns:c="${namespace}">` +
    `<s:Header>${header}</s:Header><s:Body>${body}</s:Body></s:Envelope>`
  );
}

const heartbeat = "<c:heartbeatRequest/>";
const status = (inner: string) => `<c:statusNotificationRequest>${inner}</c:statusNotificationRequest>`;
const fields = {
  connector: "<c:connectorId>1</c:connectorId>",
  error: "<c:errorCode>NoError</c:errorCode>",
  status: "<c:status>Available</c:status>",
};
const statusAction = { action: "<a:Action>/StatusNotification</a:Action>" };

/** Does what a broken charger does, over the wire. */
type Provocation = (stage: Stage) => Promise<unknown>;

/** A StatusNotification of 1.6 with other facts. */
const toldStatus =
  (facts: object): Provocation =>
  async (stage) =>
    (await stage.boot16()).ask("StatusNotification", {
      ...{ connectorId: 1, errorCode: "NoError", status: "Available", timestamp: stage.at() },
      ...facts,
    });

/** A frame that is sent as it is, and whatever it is answered. */
const sent =
  (text: (stage: Stage) => string): Provocation =>
  async (stage) =>
    (await stage.boot16()).answersTo(text(stage));

/** A call of the CSMS that is answered with a text. */
const answered =
  (answer: (id: string) => string): Provocation =>
  async (stage) =>
    stage.call(await stage.boot16(), "ClearCache", {}, answer);

/** How each rule that can be switched is met. Those that are off are switched on before. */
export const toleranceProvocations: Readonly<Record<string, Provocation>> = {
  "missing-subprotocol": (stage) => stage.connect([]),
  "no-ping": (stage) => stage.connect(),
  "delayed-start-answer": async (stage) => stage.start(await stage.boot16()),
  "spaced-calls": answered((id) => `[3,"${id}",{"status":"Accepted"}]`),
  "json-trailing-nul": sent(() => '[2,"x","StatusNotification",{}]\0'),
  "nul-in-text": toldStatus({ info: "padded\0\0" }),
  "json-leading-comma": sent(
    (stage) =>
      `[2,"x","MeterValues",{"connectorId":1,"meterValue":[,{"timestamp":"${stage.at()}","sampledValue":[{"value":"1"}]}]}]`,
  ),
  "json-empty-value": sent(
    () => '[2,"x","StatusNotification",{"connectorId":1,"info":,"errorCode":"NoError","status":"Available"}]',
  ),
  "null-values": toldStatus({ info: null }),
  "unknown-properties": toldStatus({ vendorThing: 1 }),
  "number-for-text": toldStatus({ info: 5 }),
  "text-for-number": toldStatus({ connectorId: "1" }),
  "object-for-text": async (stage) => (await stage.boot16()).ask("DataTransfer", { vendorId: "x", data: { a: 1 } }),
  "fractional-meter": async (stage) => stage.start(await stage.boot16(), { meterStart: 1_000.5 }),
  "missing-time": async (stage) => stage.start(await stage.boot16(), { timestamp: undefined }),
  "time-format": async (stage) => toldStatus({ timestamp: stage.at().replace("Z", "") })(stage),
  "enum-spelling": toldStatus({ status: "available" }),
  "unknown-values": toldStatus({ errorCode: "Error" }),
  "empty-lists": async (stage) => {
    const meterValue = [{ timestamp: stage.at(), sampledValue: [] }];
    const event = {
      eventType: "Started",
      timestamp: stage.at(),
      triggerReason: "CablePluggedIn",
      seqNo: 0,
      meterValue,
    };
    return (await stage.boot2()).ask("TransactionEvent", { ...event, transactionInfo: { transactionId: "1" } });
  },
  "over-long-texts": toldStatus({ info: "x".repeat(100) }),
  "json-error-code": answered((id) => `[4,"${id}","NotSuported","",{}]`),
  "soap-no-addressing": (stage) => stage.soap(heartbeat, { action: "", messageId: "", from: "", replyTo: "", to: "" }),
  "soap-no-from": (stage) => stage.soap(heartbeat, { from: "" }),
  "soap-no-message-id": (stage) => stage.soap(heartbeat, { messageId: "" }),
  "soap-action": (stage) => stage.soap(heartbeat, { action: "<a:Action>Heartbeat</a:Action>" }),
  "soap-reply-to": (stage) =>
    stage.soap(heartbeat, { replyTo: "<a:ReplyTo><a:Address>http://127.0.0.1:9/</a:Address></a:ReplyTo>" }),
  "soap-relates-to": async (stage) => {
    const body = "<c:clearCacheResponse><c:status>Accepted</c:status></c:clearCacheResponse>";
    const text = envelope("urn://Ocpp/Cp/2015/10/", "<a:RelatesTo>urn:uuid:another</a:RelatesTo>", body);
    const listener = createServer((request, response) => {
      request.resume().on("end", () => {
        response.writeHead(200, { "content-type": "application/soap+xml" }).end(text);
      });
    });
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const { port } = listener.address() as AddressInfo;
    await stage.soap(heartbeat, { from: `<a:From><a:Address>http://127.0.0.1:${port}/</a:Address></a:From>` });
    await stage.running.api("POST", `/stations/${stage.id}/calls`, { action: "ClearCache", payload: {} });
    await new Promise((resolve) => listener.close(resolve));
  },
  "soap-identity-in-path": (stage) => stage.soap(heartbeat, { identity: "" }, `/ocpp/soap/${stage.id}`),
  "xml-empty-element": (stage) =>
    stage.soap(status(`${fields.connector}${fields.status}${fields.error}<c:info/>`), statusAction),
  "xml-element-order": (stage) =>
    stage.soap(status(`${fields.error}${fields.status}${fields.connector}`), statusAction),
  "xml-unqualified-element": (stage) =>
    stage.soap(status(`<connectorId>1</connectorId>${fields.status}${fields.error}`), statusAction),
  "xml-date-time-without-zone": (stage) => {
    const timestamp = `<c:timestamp>${stage.at().slice(0, 19)}</c:timestamp>`;
    return stage.soap(status(`${fields.connector}${fields.status}${fields.error}${timestamp}`), statusAction);
  },
  "stop-by-evidence": async (stage) => {
    const station = await stage.boot16();
    await stage.start(station);
    await stage.stop(station, -1);
  },
  "meter-values-by-evse": async (stage) => {
    const station = await stage.boot16();
    await stage.start(station);
    await stage.measure(station, { transactionId: 0 }, [{ value: "1100" }], -30);
  },
  "meter-values-outside-transaction": async (stage) => {
    const station = await stage.boot2();
    await stage.event(station, "Started", 0, -60);
    const meterValue = [{ timestamp: stage.at(), sampledValue: [{ value: 1 }] }];
    await station.ask("MeterValues", { evseId: 1, meterValue });
  },
  "kwh-labelled-wh": async (stage) => {
    const station = await stage.boot16();
    await stage.measure(station, { transactionId: await stage.start(station) }, [{ value: "2.5", unit: "Wh" }]);
  },
  "report-from-one": async (stage) => {
    const station = await stage.connect(["ocpp2.0.1"]);
    station.answerCall = (action) => ({ status: action === "GetBaseReport" ? "Accepted" : "NotSupported" });
    await station.ask("BootNotification", { reason: "PowerUp", chargingStation: { vendorName: "Raw", model: "R" } });
    const { requestId } = (await station.called("GetBaseReport")) as { readonly requestId: number };
    const variableAttribute = [{ value: "1" }];
    const reportData = [{ component: { name: "C" }, variable: { name: "V" }, variableAttribute }];
    await station.ask("NotifyReport", { requestId, seqNo: 1, tbc: false, generatedAt: stage.at(), reportData });
  },
};

/** How each deviation is met that passes whatever was decided. */
export const fixedProvocations: Readonly<Record<string, Provocation>> = {
  "start-twice": async (stage) => {
    const station = await stage.boot16();
    await stage.start(station);
    await stage.start(station, { timestamp: stage.at(-30) });
  },
  "stop-without-start": async (stage) => stage.stop(await stage.boot16(), 999_999),
  "transaction-id-reused": async (stage) => {
    const station = await stage.boot2();
    await stage.event(station, "Started", 0, -90);
    await stage.event(station, "Ended", 1, -60);
    await stage.event(station, "Started", 0, -30);
  },
  "seq-no-twice": async (stage) => {
    const station = await stage.boot2();
    await stage.event(station, "Started", 0, -90);
    await stage.event(station, "Updated", 1, -60);
    await stage.event(station, "Updated", 1, -30);
  },
  "meter-stop-below-start": async (stage) => {
    const station = await stage.boot16();
    await stage.stop(station, await stage.start(station), { meterStop: 10 });
  },
  "begin-of-zero": async (stage) => {
    const station = await stage.boot16();
    const transactionId = await stage.start(station, { meterStart: 0 });
    await stage.measure(station, { transactionId }, [{ value: "910000" }], -40);
    await stage.measure(station, { transactionId }, [{ value: "910040" }], -20);
    await stage.stop(station, transactionId, { meterStop: 910_083 });
  },
  "values-after-end": async (stage) => {
    const station = await stage.boot16();
    const transactionId = await stage.start(station);
    await stage.stop(station, transactionId, { timestamp: stage.at(-30) });
    await stage.measure(station, { transactionId }, [{ value: "2500" }], -10);
  },
  "empty-sampled-value": async (stage) => {
    const station = await stage.boot16();
    await stage.measure(station, { transactionId: await stage.start(station) }, []);
  },
  "refused-token-started": async (stage) => stage.start(await stage.boot16(), { idTag: "NOBODY" }),
  "late-events": async (stage) => stage.start(await stage.boot16(), { timestamp: stage.at(-7_200) }),
  "clock-not-set": async (stage) => stage.start(await stage.boot16(), { timestamp: "1970-01-01T00:00:12Z" }),
  "clock-ahead": async (stage) => stage.start(await stage.boot16(), { timestamp: stage.at(7_200) }),
  "second-connection": async (stage) => {
    const first = await stage.boot16();
    await stage.connect();
    await first.ended;
  },
  "silent-connection": async (stage) => {
    const station = await stage.connect(["ocpp1.6"], { autoPong: false });
    await station.ended;
  },
  "unanswered-call": async (stage) => {
    (await stage.boot16()).answerCall = () => undefined;
    const call = { action: "ClearCache", payload: {} };
    await stage.running.api("POST", `/stations/${stage.id}/calls?timeoutS=0.1`, call);
  },
  "configuration-ignored": async (stage) => {
    const station = await stage.boot16();
    const key = "HeartbeatInterval";
    station.answerCall = (action) =>
      action === "GetConfiguration"
        ? { configurationKey: [{ key, readonly: false, value: "60" }] }
        : { status: "Accepted" };
    const address = { component: { name: "OCPPCommCtrlr" }, variable: { name: "HeartbeatInterval" } };
    const commands = `/stations/${stage.id}/commands`;
    const set = { setVariableData: [{ ...address, attributeValue: "300" }] };
    await stage.running.api("POST", `${commands}/setVariables`, set);
    await stage.running.api("POST", `${commands}/getVariables`, { getVariableData: [address] });
  },
};

/** How each rejection is met. */
export const rejectionProvocations: Readonly<Record<string, Provocation>> = {
  "no-subprotocol": async (stage) => (await stage.connect([])).ended,
  "unknown-subprotocol": async (stage) => {
    await stage.running.api("PUT", `/stations/${stage.id}`, {});
    // The client itself gives up when no subprotocol is chosen.
    await stage.connect(["ocpp9.9"]).catch(() => undefined);
  },
  "refused-handshake": async (stage) => {
    await stage.running.api("PUT", `/stations/${stage.id}`, { securityProfile: 1 });
    await stage.connect().catch(() => undefined);
  },
  "unreadable-frame": sent(() => "[2,"),
  "unreadable-answer": answered((id) => `[3,"${id}",{"status":"Acc`),
  "oversized-frame": async (stage) => {
    const station = await stage.boot16();
    station.send("x".repeat(2 ** 20 + 1));
    await station.ended;
  },
  "message-id-in-use": async (stage) => {
    await stage.decide("delayed-start-answer", true);
    const station = await stage.boot16();
    const start = { connectorId: 1, idTag: "HONEST", meterStart: 1, timestamp: stage.at() };
    station.send(JSON.stringify([2, "same", "StartTransaction", start]));
    await station.ask("Heartbeat", {}, "same");
  },
  "repeated-request": async (stage) => {
    await stage.decide("delayed-start-answer", true);
    const station = await stage.boot16();
    const start = { connectorId: 1, idTag: "HONEST", meterStart: 1, timestamp: stage.at() };
    station.send(JSON.stringify([2, "same", "StartTransaction", start]));
    await station.ask("StartTransaction", start, "same");
  },
  "unasked-answer": sent(() => '[3,"nobody",{}]'),
  "unread-message": async (stage) => (await stage.boot2()).answersTo('[4,"-1","RpcFrameworkError","",{}]'),
  "unknown-action": async (stage) => (await stage.boot16()).ask("MakeCoffee", {}),
  "unsupported-action": async (stage) => (await stage.boot16()).ask("Reset", { type: "Soft" }),
  "missing-property": toldStatus({ errorCode: undefined }),
  "unknown-property": async (stage) => {
    await stage.decide("unknown-properties", false);
    await toldStatus({ vendorThing: 1 })(stage);
  },
  "unknown-value": toldStatus({ status: "Broken" }),
  "wrong-type": toldStatus({ connectorId: "1" }),
  "text-too-long": toldStatus({ info: "x".repeat(500) }),
  "unreadable-time": toldStatus({ timestamp: "yesterday" }),
  "list-length": async (stage) => (await stage.boot2()).ask("MeterValues", { evseId: 1, meterValue: [] }),
  "invalid-payload": async (stage) =>
    (await stage.boot2("ocpp2.1")).ask("StatusNotification", {
      ...{ timestamp: stage.at(), connectorStatus: "Available", evseId: -1, connectorId: 1 },
    }),
  "invalid-answer": answered((id) => `[3,"${id}",{"status":"Perhaps"}]`),
  "not-tolerated": async (stage) => {
    await stage.decide("soap-no-from", false);
    await stage.soap(heartbeat, { from: "" });
  },
};

/** What a whole CSMS cannot be made to show within seconds, and the test that shows it instead. */
export const shownElsewhere: Readonly<Record<string, string>> = {
  "unsigned-message": "packages/csms/src/gateway/tolerance/rejections.test.ts",
  "trigger-not-executed": "packages/csms/src/gateway/gateway.test.ts",
  "boot-put-off": "packages/csms/src/blocks/provisioning/boot.test.ts",
};

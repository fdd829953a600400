import { request as httpRequest } from "node:http";
import { expect } from "vitest";
import { WebSocket } from "ws";
import { eventually, type Item, type RunningCsms } from "./running-csms.ts";

/** One frame of OCPP-J as it was on the wire. */
export type WireFrame = readonly [type: number, messageId: string, ...rest: readonly unknown[]];

/** The parts of a frame that no wording touches: type, message id, and action or error code. */
export function head(frame: WireFrame): readonly unknown[] {
  return frame.slice(0, 3);
}

/** How a connection ended. */
export interface SocketEnd {
  readonly code: number;
  readonly reason: string;
}

/** What a station answers to a call of the CSMS; undefined leaves it without an answer. */
export type AnswerCall = (action: string, payload: unknown) => unknown;

/** A station made of nothing but a WebSocket: it can say whatever a broken charger says. */
export class RawStation {
  readonly identity: string;
  readonly socket: WebSocket;
  /** Answers of the CSMS, in the order of their arrival. */
  readonly answers: WireFrame[] = [];
  /** Calls of the CSMS. */
  readonly calls: WireFrame[] = [];
  /** Answers a call of the CSMS; NotImplemented when absent. */
  answerCall: AnswerCall | undefined;
  /** Resolves when the connection is gone. */
  readonly ended: Promise<SocketEnd>;
  #number = 0;
  readonly #arrived = new Set<() => void>();

  private constructor(identity: string, socket: WebSocket) {
    this.identity = identity;
    this.socket = socket;
    this.ended = new Promise((resolve) => {
      socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    socket.on("error", () => {});
    socket.on("message", (data) => this.#receive(JSON.parse(data.toString())));
  }

  /** Connects; `subprotocols` may be empty. Rejects when the handshake is refused. */
  static async connect(
    running: RunningCsms,
    identity: string,
    subprotocols: readonly string[] = ["ocpp1.6"],
    options: { readonly autoPong?: boolean; readonly path?: string } = {},
  ): Promise<RawStation> {
    const { path = encodeURIComponent(identity), autoPong = true } = options;
    const socket = new WebSocket(`${running.urlFor("1.6")}/${path}`, [...subprotocols], { autoPong });
    const station = new RawStation(identity, socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
      socket.once("unexpected-response", (_request, response) => {
        response.resume();
        reject(new Error(`refused with ${response.statusCode}`));
      });
    });
    return station;
  }

  /** A station of 1.6 that has booted. */
  static async boot16(running: RunningCsms, identity: string): Promise<RawStation> {
    const station = await RawStation.connect(running, identity);
    expect(await station.call("BootNotification", { chargePointVendor: "Raw", chargePointModel: "R" })).toMatchObject({
      status: "Accepted",
    });
    return station;
  }

  /** A station of 2.x that has booted. */
  static async boot2(
    running: RunningCsms,
    identity: string,
    subprotocol: "ocpp2.0.1" | "ocpp2.1" = "ocpp2.0.1",
  ): Promise<RawStation> {
    const station = await RawStation.connect(running, identity, [subprotocol]);
    expect(
      await station.call("BootNotification", {
        reason: "PowerUp",
        chargingStation: { vendorName: "Raw", model: "R" },
      }),
    ).toMatchObject({ status: "Accepted" });
    return station;
  }

  /** Sends a text as it is. */
  send(text: string): void {
    this.socket.send(text);
  }

  /** Sends a call and resolves with the whole frame that answers it. */
  ask(action: string, payload: unknown, messageId = this.nextId()): Promise<WireFrame> {
    this.send(JSON.stringify([2, messageId, action, payload]));
    return this.answerTo(messageId);
  }

  /** Sends a call and resolves with the payload of its CALLRESULT. Rejects on a CALLERROR. */
  async call(action: string, payload: unknown): Promise<Record<string, unknown>> {
    const frame = await this.ask(action, payload);
    if (frame[0] !== 3) throw new Error(`${action} was answered with ${JSON.stringify(frame)}`);
    return frame[2] as Record<string, unknown>;
  }

  /** Resolves with the answer to a message id. */
  answerTo(messageId: string): Promise<WireFrame> {
    return this.#when(() => this.answers.find((frame) => frame[1] === messageId), `an answer to ${messageId}`);
  }

  /** Resolves with the payload of a call of the CSMS. */
  async called(action: string): Promise<unknown> {
    const frame = await this.#when(() => this.calls.find((call) => call[2] === action), `a call of ${action}`);
    return frame[3];
  }

  /** Resolves with the frame of the nth call of an action, counted from 0. */
  callNumber(action: string, index: number): Promise<WireFrame> {
    const find = () => this.calls.filter((call) => call[2] === action)[index];
    return this.#when(find, `call ${index} of ${action}`);
  }

  /** Resolves when the CSMS knows the station's variables as far as `status` says. */
  async untilInventory(running: RunningCsms, status: string): Promise<void> {
    await eventually(`the inventory of ${this.identity}`, async () => {
      const { body } = await running.api("GET", `/stations/${encodeURIComponent(this.identity)}`);
      return (body as { inventory?: { status?: string } }).inventory?.status === status ? true : undefined;
    });
  }

  /**
   * Sends texts that are answered at once or never, then a Heartbeat, and resolves with all that was answered before
   * the Heartbeat was. What must be stored is answered later.
   */
  async answersTo(...texts: readonly string[]): Promise<readonly WireFrame[]> {
    const before = this.answers.length;
    for (const text of texts) this.send(text);
    const messageId = this.nextId();
    const heartbeat = await this.ask("Heartbeat", {}, messageId);
    expect(heartbeat).toEqual([3, messageId, { currentTime: expect.any(String) }]);
    return this.answers.slice(before, this.answers.indexOf(heartbeat));
  }

  /** A message id that was not used before. */
  nextId(): string {
    this.#number += 1;
    return `m${this.#number}`;
  }

  /** Closes, and resolves when the connection is gone. */
  async close(): Promise<void> {
    this.socket.close();
    await this.ended;
  }

  #receive(frame: WireFrame): void {
    if (frame[0] !== 2) {
      this.answers.push(frame);
    } else {
      this.calls.push(frame);
      this.#answer(frame);
    }
    for (const arrived of [...this.#arrived]) arrived();
  }

  #answer([, messageId, action, payload]: WireFrame): void {
    if (this.answerCall === undefined) {
      this.send(JSON.stringify([4, messageId, "NotImplemented", "", {}]));
      return;
    }
    const answer = this.answerCall(String(action), payload);
    if (answer !== undefined) this.send(JSON.stringify([3, messageId, answer]));
  }

  #when<Value>(find: () => Value | undefined, what: string): Promise<Value> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = find();
        if (found === undefined) return;
        this.#arrived.delete(look);
        resolve(found);
      };
      this.#arrived.add(look);
      look();
      void this.ended.then(({ code, reason }) => {
        reject(new Error(`${this.identity}: no ${what}; the connection ended with ${code} ${reason}`));
      });
    });
  }
}

/** A raw answer over HTTP. */
export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** Sends an HTTP request whose path no client library tidies up. */
export function rawRequest(
  url: string,
  options: {
    readonly method: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string | Buffer;
    readonly path?: string;
  },
): Promise<HttpAnswer> {
  const { method, headers = {}, body, path } = options;
  return new Promise((resolve, reject) => {
    const made = httpRequest(url, { method, headers, agent: false, ...(path === undefined ? {} : { path }) });
    made.on("error", reject).on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    made.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, text: "" });
    });
    made.end(body);
  });
}

/** Sum of a counter of `/metrics` over its labels, or over those that hold all of `labels`, as Prometheus writes them. */
export async function counted(running: RunningCsms, name: string, labels: readonly string[] = []): Promise<number> {
  const response = await fetch(`${running.csms.httpUrl}/metrics`);
  return (await response.text())
    .split("\n")
    .filter((line) => line.startsWith(name) && labels.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** How often a tolerance rule was applied. */
export function tolerated(running: RunningCsms, rule: string): Promise<number> {
  return counted(running, "polyphase_station_tolerated_total", [`rule="${rule}"`]);
}

/** The transactions of a station, the newest first. */
export async function transactionsOf(running: RunningCsms, stationId: string): Promise<readonly Item[]> {
  const { body } = await running.api("GET", `/transactions?stationId=${encodeURIComponent(stationId)}&limit=200`);
  return body.items ?? [];
}

/** The only transaction of a station, with its timeline and totals. */
export async function onlyTransactionOf(running: RunningCsms, stationId: string): Promise<Item> {
  const items = await transactionsOf(running, stationId);
  expect(items).toHaveLength(1);
  return (await running.api("GET", `/transactions/${items[0]?.id}`)).body;
}

/** Resolves when the message log shows a message whose text holds `part`. */
export function logged(running: RunningCsms, stationId: string, part: string): Promise<Item> {
  return eventually(`a logged message with ${part}`, async () => {
    const path = `/stations/${encodeURIComponent(stationId)}/messages?limit=200`;
    const { body } = await running.api("GET", path);
    return body.items?.find(({ text }) => String(text).includes(part));
  });
}

/** A station that breaks no rule, to see whether the misbehaviour of others harms it. */
export class HonestStation {
  readonly #running: RunningCsms;
  readonly #raw: RawStation;
  #registerWh = 1_000;
  #second = 0;
  #failures = 0;

  private constructor(running: RunningCsms, raw: RawStation) {
    this.#running = running;
    this.#raw = raw;
  }

  static async connect(running: RunningCsms): Promise<HonestStation> {
    await running.api("PUT", "/id-tokens/HONEST", { type: "ISO14443", status: "Accepted" });
    return new HonestStation(running, await RawStation.boot16(running, "HONEST"));
  }

  /** Charges 1 234 Wh and finds exactly them by the API, on the connection it had from the beginning. */
  async expectServed(): Promise<void> {
    const raw = this.#raw;
    const timestamp = () => new Date(Date.parse("2026-03-01T00:00:00Z") + 1_000 * 60 * this.#second++).toISOString();
    const { transactionId, idTagInfo } = await raw.call("StartTransaction", {
      ...{ connectorId: 1, idTag: "HONEST", meterStart: this.#registerWh, timestamp: timestamp() },
    });
    expect(idTagInfo).toEqual({ status: "Accepted" });
    this.#registerWh += 1_234;
    await raw.call("StopTransaction", { transactionId, meterStop: this.#registerWh, timestamp: timestamp() });
    const { body } = await this.#running.api("GET", `/transactions?stationId=HONEST&transactionId=${transactionId}`);
    expect(body.items).toMatchObject([{ status: "Ended", energyWh: 1_234 }]);
    expect(raw.socket.readyState).toBe(WebSocket.OPEN);
    const failures = await counted(this.#running, "polyphase_station_failures_total");
    const before = this.#failures;
    this.#failures = failures;
    expect(failures, "messages that failed for reasons of ours").toBe(before);
  }
}

import type { FleetKind } from "./fleet-plan.ts";
import { SoapClient } from "./soap-client.ts";
import { bootBody, statusBody } from "./soap-envelopes.ts";
import { HandshakeRefusedError, StationSocket } from "./station-socket.ts";

/** Connectors of each station. */
const CONNECTORS = [1, 2];
/** A station that has not made it after so many attempts has failed. */
const MOST_ATTEMPTS = 20;
const WAIT_AFTER_LOSS_MS = 1_000;
/** The variables that a station tells when it is asked. */
const KEYS = 20;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One station: boots as often as it must, then answers and sends Heartbeats. */
export class FleetStation {
  readonly #options: { port: number; identity: string; password: string | undefined; kind: FleetKind };
  #socket: StationSocket | undefined;
  #calls = 0;
  #waiting = new Map<string, { resolve(payload: unknown): void; reject(error: Error): void }>();
  #heartbeatMs = Number.POSITIVE_INFINITY;
  #nextBeatMs = Number.POSITIVE_INFINITY;
  #dead = false;
  #closed: () => void = () => {};
  refused = 0;
  deferred = 0;

  constructor(options: { port: number; identity: string; password: string | undefined; kind: FleetKind }) {
    this.#options = options;
  }

  /** Connects, boots and reports until that was taken; false when it never was. */
  async boot(): Promise<boolean> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      try {
        const retryS = this.#options.kind.transport === "OCPP-S" ? await this.#bootBySoap() : await this.#bootByJson();
        if (retryS === undefined) return true;
        this.deferred++;
        await pause(retryS * 1_000);
      } catch (error) {
        this.refused++;
        this.#socket?.destroy();
        this.#socket = undefined;
        const retryAfterS = error instanceof HandshakeRefusedError ? error.retryAfterS : undefined;
        // As OCPP has it: a random part keeps stations that were refused together from returning together.
        await pause((retryAfterS === undefined ? WAIT_AFTER_LOSS_MS : retryAfterS * 1_000) * (1 + Math.random()));
      }
    }
    return false;
  }

  /** Sends a Heartbeat when the interval that the CSMS gave has passed. */
  beatIfDue(): void {
    if (this.#dead || this.#socket === undefined || performance.now() < this.#nextBeatMs) return;
    this.#nextBeatMs += this.#heartbeatMs;
    void this.#call("Heartbeat", {}).catch(() => {});
  }

  /** Falls silent without closing its socket, and resolves when the server has closed it. */
  die(): Promise<void> {
    this.#dead = true;
    if (this.#socket === undefined) return Promise.resolve();
    this.#socket.answersPings = false;
    return new Promise((resolve) => {
      this.#closed = resolve;
    });
  }

  /** Resolves with the seconds after which to boot again, or undefined when accepted and reported. */
  async #bootByJson(): Promise<number | undefined> {
    this.#socket ??= await this.#connect();
    const family2 = this.#options.kind.version.startsWith("2");
    const answer = (await this.#call("BootNotification", bootPayload(family2))) as { status: string; interval: number };
    if (answer.status !== "Accepted") return answer.interval;
    this.#heartbeatMs = answer.interval * 1_000;
    this.#nextBeatMs = performance.now() + this.#heartbeatMs * Math.random();
    const connectors = family2 ? CONNECTORS : [0, ...CONNECTORS];
    for (const connectorId of connectors) await this.#call("StatusNotification", statusPayload(family2, connectorId));
    return undefined;
  }

  async #bootBySoap(): Promise<number | undefined> {
    const { port, identity, password, kind } = this.#options;
    const client = await SoapClient.connect(port, kind.version === "1.5" ? "1.5" : "1.6", identity, password);
    try {
      const answer = await client.call("BootNotification", bootBody);
      if (!answer.includes(">Accepted<")) return Number(/nterval>(\d+)</.exec(answer)?.[1] ?? 5);
      for (const connectorId of [0, ...CONNECTORS]) await client.call("StatusNotification", statusBody(connectorId));
      return undefined;
    } finally {
      client.destroy();
    }
  }

  async #connect(): Promise<StationSocket> {
    const { port, identity, password, kind } = this.#options;
    const socket = await StationSocket.connect({ port, identity, password, subprotocol: `ocpp${kind.version}` });
    socket.onText = (text) => this.#receive(text);
    socket.onClose = () => this.#lost();
    return socket;
  }

  #lost(): void {
    this.#socket = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new Error("the connection was lost"));
    this.#closed();
  }

  #call(action: string, payload: object): Promise<unknown> {
    const id = String(this.#calls++);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#socket?.send(JSON.stringify([2, id, action, payload]));
    });
  }

  #receive(text: string): void {
    if (this.#dead) return;
    const [type, id, ...rest] = JSON.parse(text) as [number, string, ...unknown[]];
    if (type === 2) {
      this.#answer(id, String(rest[0]), rest[1]);
      return;
    }
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (type === 3) waiting?.resolve(rest[0]);
    else waiting?.reject(new Error(`answered ${text.slice(0, 300)}`));
  }

  #answer(id: string, action: string, payload: unknown): void {
    const result = answerTo(action);
    const socket = this.#socket;
    if (result === undefined) socket?.send(JSON.stringify([4, id, "NotSupported", "", {}]));
    else socket?.send(JSON.stringify([3, id, result]));
    if (action !== "GetBaseReport") return;
    const { requestId } = payload as { requestId: number };
    void this.#call("NotifyReport", { ...report, requestId, generatedAt: new Date().toISOString() }).catch(() => {});
  }
}

function bootPayload(family2: boolean): object {
  if (!family2) return { chargePointVendor: "Bench", chargePointModel: "B", firmwareVersion: "1.2.3" };
  return { reason: "PowerUp", chargingStation: { vendorName: "Bench", model: "B", firmwareVersion: "1.2.3" } };
}

function statusPayload(family2: boolean, connectorId: number): object {
  const timestamp = new Date().toISOString();
  if (!family2) return { connectorId, errorCode: "NoError", status: "Available", timestamp };
  return { timestamp, connectorStatus: "Available", evseId: connectorId, connectorId: 1 };
}

const report = {
  seqNo: 0,
  tbc: false,
  reportData: Array.from({ length: KEYS }, (_, index) => ({
    component: { name: "OCPPCommCtrlr" },
    variable: { name: `Variable${index}` },
    variableAttribute: [{ value: String(index), mutability: "ReadWrite" }],
  })),
};

function answerTo(action: string): object | undefined {
  switch (action) {
    case "GetConfiguration":
      return {
        configurationKey: Array.from({ length: KEYS }, (_, index) => ({
          key: `Key${index}`,
          readonly: false,
          value: String(index),
        })),
      };
    case "GetBaseReport":
    case "ClearCache":
      return { status: "Accepted" };
    default:
      return undefined;
  }
}

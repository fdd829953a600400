import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Connection, JsonCsms, type OcppVersion, SoapCsms } from "@polyphase/ocpp";
import { ManualClock } from "./clock.ts";
import { SimulatedStation } from "./simulated-station.ts";
import type { SimulatedStationOptions, StationVersion } from "./simulated-station-options.ts";

/** A request that the station sent, in its version's words. */
export interface Received {
  readonly action: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

type Answer = (payload: Readonly<Record<string, unknown>>, received: Received) => unknown;

/** A small CSMS for tests: accepts everything unless told otherwise and remembers what it got. */
export class CounterpartCsms {
  readonly received: Received[] = [];
  /** Answers in place of the usual ones, by action. May throw OcppError. */
  readonly answers = new Map<string, Answer>();
  /** Passwords that stations presented at their WebSocket handshakes, oldest first. */
  readonly passwords: (Buffer | undefined)[] = [];
  readonly #json = new JsonCsms({
    authenticate: ({ authorization }) => {
      this.passwords.push(authorization?.password);
      return { accept: true };
    },
    onConnect: (connection) => {
      this.#connection = connection;
    },
  });
  readonly #soap = new SoapCsms({});
  readonly #server: Server = createServer();
  readonly #waiters: { readonly wanted: (received: Received) => boolean; readonly resolve: (r: Received) => void }[] =
    [];
  #connection: Connection<OcppVersion, "CSMS"> | undefined;
  #transactionId = 0;
  /** What the CSMS says the time is. */
  time: () => number = () => Date.now();

  constructor() {
    for (const csms of [this.#json, this.#soap]) {
      csms.handleOthers((payload, context) => {
        this.#connection = context.connection;
        return this.#answer(
          { action: context.action, payload: payload as Received["payload"] },
          context.connection.version,
        );
      });
      csms.attach(this.#server);
    }
  }

  async listen(port = 0): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Address for a station of this version. */
  url(version: StationVersion): string {
    const { port } = this;
    const soap = version === "1.2" || version === "1.5" || version === "1.6S";
    return soap ? `http://127.0.0.1:${port}/ocpp/soap` : `ws://127.0.0.1:${port}/ocpp`;
  }

  /** Requests with this action, oldest first. */
  all(action: string): Received["payload"][] {
    return this.received.filter((received) => received.action === action).map((received) => received.payload);
  }

  actions(): string[] {
    return this.received.map((received) => received.action);
  }

  forget(): void {
    this.received.length = 0;
  }

  /** Resolves with the first request from now on that is wanted. */
  next(action: string, wanted: (payload: Received["payload"]) => boolean = () => true): Promise<Received["payload"]> {
    return new Promise((resolve) => {
      this.#waiters.push({
        wanted: (received) => received.action === action && wanted(received.payload),
        resolve: (received) => resolve(received.payload),
      });
    });
  }

  /** Calls the station. */
  async call(action: string, payload: unknown): Promise<Record<string, unknown>> {
    if (this.#connection === undefined) throw new Error("the station has not called yet");
    return (await this.#connection.callUntyped(action, payload)) as Record<string, unknown>;
  }

  /** Cuts the connection of a WebSocket station, as a network does. */
  async cut(): Promise<void> {
    await this.#connection?.close({ code: 1011, graceMs: 0 });
  }

  async close(): Promise<void> {
    await Promise.all([this.#json.close({ graceMs: 100 }), this.#soap.close({ graceMs: 100 })]);
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #answer(received: Received, version: OcppVersion): unknown {
    this.received.push(received);
    for (const waiter of this.#waiters.filter(({ wanted }) => wanted(received))) {
      this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
      waiter.resolve(received);
    }
    const answer = this.answers.get(received.action);
    return answer === undefined ? this.usual(received, version) : answer(received.payload, received);
  }

  /** The answer of a CSMS that accepts everything. */
  usual({ action, payload }: Received, version: OcppVersion): unknown {
    const family2 = version === "2.0.1" || version === "2.1";
    const currentTime = new Date(this.time()).toISOString();
    switch (action) {
      case "BootNotification":
        return version === "1.2" || version === "1.5"
          ? { status: "Accepted", currentTime, heartbeatInterval: 300 }
          : { status: "Accepted", currentTime, interval: 300 };
      case "Heartbeat":
        return { currentTime };
      case "Authorize":
        return family2 ? { idTokenInfo: { status: "Accepted" } } : { idTagInfo: { status: "Accepted" } };
      case "StartTransaction":
        return { transactionId: ++this.#transactionId, idTagInfo: { status: "Accepted" } };
      case "TransactionEvent":
        return payload.idToken === undefined ? {} : { idTokenInfo: { status: "Accepted" } };
      default:
        return {};
    }
  }
}

/** A CSMS, a station of a version and the clock that both go by. */
export class Bench {
  csms = new CounterpartCsms();
  readonly version: StationVersion;
  readonly clock: ManualClock;
  #options: Partial<SimulatedStationOptions>;
  #station: SimulatedStation | undefined;

  constructor(version: StationVersion, options: Partial<SimulatedStationOptions> = {}) {
    this.version = version;
    this.#options = options;
    this.clock = new ManualClock(Date.UTC(2030, 0, 7, 8, 0, 1), async () => {
      await this.#station?.settled();
    });
    this.csms.time = () => this.clock.now();
  }

  get station(): SimulatedStation {
    if (this.#station === undefined) throw new Error("the bench has not been set up");
    return this.#station;
  }

  /** A station that is not started yet, in place of the one before. */
  makeStation(options: Partial<SimulatedStationOptions> = {}): SimulatedStation {
    this.#options = { ...this.#options, ...options };
    this.#station = new SimulatedStation({
      id: "CS-1",
      version: this.version,
      csmsUrl: this.csms.url(this.version),
      clock: this.clock,
      backOff: { waitMinimumMs: 5, randomRangeMs: 5, repeatTimes: 1 },
      rebootDurationMs: 5_000,
      ...this.#options,
    });
    return this.#station;
  }

  /** A CSMS that listens and a station that is registered, with all it had to say at boot said. */
  async start(): Promise<this> {
    await this.csms.listen();
    await this.makeStation().start();
    await this.station.settled();
    return this;
  }

  /** The CSMS ends and another one comes up in its place, after `meanwhile`. */
  async replaceCsms(meanwhile: () => Promise<void>): Promise<void> {
    const { port } = this.csms;
    await this.csms.close();
    await meanwhile();
    this.csms = new CounterpartCsms();
    this.csms.time = () => this.clock.now();
    await this.csms.listen(port);
  }

  async stop(): Promise<void> {
    await this.#station?.stop();
    await this.csms.close();
  }

  /** The status with which the station answers a call. */
  async status(action: string, payload: unknown): Promise<unknown> {
    return (await this.csms.call(action, payload)).status;
  }

  /** Lets simulated minutes pass. */
  async minutes(count: number): Promise<void> {
    await this.clock.advance(count * 60_000);
  }
}

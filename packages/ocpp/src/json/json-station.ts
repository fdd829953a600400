import type { OcppVersion } from "../catalogue/version.ts";
import { HandlingEndpoint } from "../endpoint/handling-endpoint.ts";
import { runHook } from "../endpoint/observer.ts";
import type { Cancel } from "../endpoint/timers.ts";
import { BackOff, type BackOffOptions } from "./back-off.ts";
import { ConnectError } from "./connect-error.ts";
import { ConnectionWaiters } from "./connection-waiters.ts";
import { type Attempt, dial } from "./dial.ts";
import { allowsIdentity, versionOf } from "./handshake.ts";
import type { JsonStationOptions, StationConnection } from "./json-station-options.ts";
import { Liveness } from "./liveness.ts";
import type { OcppSocket } from "./ocpp-socket.ts";
import { OutgoingCalls } from "./peer/outgoing-calls.ts";
import { type PeerSettings, peerSettings } from "./peer/peer-settings.ts";
import { RpcPeer } from "./peer/rpc-peer.ts";
import type { Ending } from "./peer/transport.ts";

const DEFAULT_BACK_OFF: BackOffOptions = { waitMinimumMs: 10_000, randomRangeMs: 10_000, repeatTimes: 3 };

/**
 * A charging station of OCPP-J: a WebSocket client that stays connected until it is closed.
 *
 * @example
 * ```ts
 * const station = new JsonStation({ url: "ws://localhost:9000/ocpp", identity: "CP1", versions: ["1.6"] });
 * station.handle("1.6", "Reset", () => ({ status: "Accepted" }));
 * const connection = await station.connect();
 * await connection.call("Heartbeat", {});
 * ```
 */
export class JsonStation<V extends OcppVersion = OcppVersion> extends HandlingEndpoint<"ChargingStation", V> {
  readonly #options: JsonStationOptions<V>;
  readonly #settings: PeerSettings;
  readonly #calls: OutgoingCalls;
  readonly #backOff: BackOff;
  readonly #liveness: Liveness;
  #pingIntervalMs: number;
  #socket: OcppSocket | undefined;
  #peer: RpcPeer<"ChargingStation"> | undefined;
  readonly #waiters = new ConnectionWaiters<StationConnection<V>>();
  #cancelRetry: Cancel | undefined;
  #isRunning = false;
  #isClosed = false;
  #connections = 0;
  readonly #outcome: Attempt = {
    opened: (socket) => this.#opened(socket),
    failed: (socket, error) => {
      // A socket that was given up for another one concerns nobody any more.
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#failed(error);
    },
  };

  /** @throws RangeError for a limit that is not above 0, no versions, or an identity that 2.x does not allow */
  constructor(options: JsonStationOptions<V>) {
    if (options.versions.length === 0) throw new RangeError("a station speaks at least one version");
    if (options.versions.some((version) => !allowsIdentity(version, options.identity))) {
      throw new RangeError("an identity of 2.x has at most 48 characters and no colon");
    }
    const settings = peerSettings("ChargingStation", options);
    super(settings.handlers);
    this.#options = options;
    this.#settings = settings;
    this.#calls = new OutgoingCalls(this.#settings);
    this.#backOff = new BackOff(options.backOff ?? DEFAULT_BACK_OFF, options.random?.bind(options));
    this.#liveness = new Liveness(this.#settings.timers, options.pongTimeoutMs ?? 15_000);
    this.#pingIntervalMs = options.pingIntervalMs ?? 0;
  }

  /** The connection, while there is one. */
  get connection(): StationConnection<V> | undefined {
    return this.#peer as unknown as StationConnection<V> | undefined;
  }

  /**
   * Connects, and from then on reconnects by itself. Resolves with the first connection, however many attempts it
   * takes; `onConnectFailed` tells of those that fail. Aborting the signal while it is pending closes the station.
   */
  connect(signal?: AbortSignal): Promise<StationConnection<V>> {
    if (this.#isClosed) return Promise.reject(new ConnectError("the station was closed"));
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (this.connection !== undefined) return Promise.resolve(this.connection);
    const connected = this.#waiters.wait(signal, () => void this.close());
    if (!this.#isRunning) {
      this.#isRunning = true;
      this.#attempt();
    }
    return connected;
  }

  /** Takes new values of RetryBackOffWaitMinimum, RandomRange and RepeatTimes. @throws RangeError for a negative one */
  updateBackOff(options: Partial<BackOffOptions>): void {
    this.#backOff.update(options);
  }

  /** Takes a new WebSocketPingInterval, in milliseconds; 0 ends pinging. @throws RangeError for a negative one */
  updatePingInterval(pingIntervalMs: number): void {
    if (!(pingIntervalMs >= 0)) throw new RangeError("pingIntervalMs must not be negative");
    this.#pingIntervalMs = pingIntervalMs;
    if (this.#socket === undefined || this.#peer === undefined) return;
    this.#liveness.delete(this.#socket);
    this.#liveness.add(this.#socket, pingIntervalMs);
  }

  /** Drops the connection and connects anew at once, as after a reset. Calls that wait stay in the queue. */
  reconnect(reason = "reconnecting"): void {
    if (this.#isClosed || !this.#isRunning) return;
    this.#cancelRetry?.();
    const socket = this.#socket;
    const peer = this.#peer;
    this.#socket = undefined;
    socket?.close(1000, reason);
    peer?.end({ code: 1000, reason });
    this.#cancelRetry?.();
    this.#attempt();
  }

  /** Lets running answers out, ends the connection for good and rejects all calls that wait. */
  async close(
    options: { readonly code?: number; readonly reason?: string; readonly graceMs?: number } = {},
  ): Promise<void> {
    this.#isClosed = true;
    this.#isRunning = false;
    this.#cancelRetry?.();
    const peer = this.#peer;
    const socket = this.#socket;
    this.#waiters.reject(new ConnectError("the station was closed"));
    await peer?.close(options);
    this.#calls.close(new ConnectError("the station was closed"));
    this.#settings.deadlines.rest();
    if (socket === undefined || socket.readyState === socket.CLOSED) return;
    const gone = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    if (peer === undefined) socket.terminate();
    await gone;
  }

  #attempt(): void {
    this.#cancelRetry = undefined;
    try {
      this.#socket = dial(this.#options, this.#settings.maxFrameBytes, this.#outcome);
    } catch (error) {
      this.#failed(error as ConnectError);
    }
  }

  #failed(error: ConnectError): void {
    if (!this.#isRunning) return;
    const retryInMs = this.#backOff.next();
    this.#retryIn(retryInMs);
    this.#tell(() => this.#options.onConnectFailed?.(error, retryInMs));
  }

  #retryIn(delayMs: number): void {
    this.#cancelRetry = this.#settings.timers.after(delayMs, () => this.#attempt(), true);
  }

  #opened(socket: OcppSocket): void {
    const version = versionOf(socket.protocol);
    if (this.#socket !== socket || version === undefined) {
      socket.terminate();
      return;
    }
    this.#backOff.reset();
    const remote = { identity: this.#options.identity, version, remoteAddress: new URL(socket.url).host };
    const peer = new RpcPeer<"ChargingStation">(this.#settings, remote, socket, this.#calls, true);
    this.#peer = peer;
    socket.carry(peer as unknown as RpcPeer, this.#settings.maxUnsentBytes);
    peer.onEnd((ending) => this.#ended(socket, peer, ending));
    this.#liveness.add(socket, this.#pingIntervalMs);
    const connection = peer as unknown as StationConnection<V>;
    const first = this.#connections++ === 0;
    this.#tell(() => this.#options.onConnect?.(connection, { first }));
    this.#waiters.resolve(connection);
    peer.start();
  }

  #ended(socket: OcppSocket, peer: RpcPeer<"ChargingStation">, ending: Ending): void {
    this.#liveness.delete(socket);
    if (this.#peer === peer) this.#peer = undefined;
    if (this.#socket === socket) this.#socket = undefined;
    if (this.#isRunning && this.#socket === undefined) this.#retryIn(this.#backOff.next());
    this.#tell(() => this.#options.onDisconnect?.(peer as unknown as StationConnection<V>, ending));
  }

  #tell(hook: () => void): void {
    runHook(this.#settings.observer, this.#options.identity, hook);
  }
}

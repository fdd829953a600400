import type { IncomingMessage } from "node:http";
import type { ConnectionOptions } from "node:tls";
import type { ClientOptions } from "ws";
import type { OcppVersion } from "../catalogue/version.ts";
import type { AnyConnection, FallbackHandler, Handlers } from "../connection.ts";
import { basicAuthorization } from "../endpoint/basic-authentication.ts";
import type { UntypedHandler } from "../endpoint/handler-table.ts";
import type { Cancel } from "../endpoint/timers.ts";
import { BackOff, type BackOffOptions } from "./back-off.ts";
import { type CompressionOptions, deflateOptions } from "./compression.ts";
import { allowsIdentity, subprotocolOf, versionOf } from "./handshake.ts";
import { Liveness } from "./liveness.ts";
import { OcppSocket } from "./ocpp-socket.ts";
import { OutgoingCalls } from "./peer/outgoing-calls.ts";
import { type PeerOptions, type PeerSettings, peerSettings } from "./peer/peer-settings.ts";
import { RpcPeer } from "./peer/rpc-peer.ts";
import type { Ending } from "./peer/transport.ts";

/** A connection to the CSMS, as a station sees it. */
export type StationConnection<V extends OcppVersion = OcppVersion> = AnyConnection<"ChargingStation", V>;

/** How a {@link JsonStation} behaves. */
export interface JsonStationOptions<V extends OcppVersion = OcppVersion> extends PeerOptions {
  /** Endpoint of the CSMS, `ws://host/ocpp`; the identity is appended, percent-encoded. */
  readonly url: string;
  readonly identity: string;
  /** Versions that the station speaks, the one it prefers first. */
  readonly versions: readonly V[];
  /** Password of HTTP Basic authentication: the text of 2.x, or the decoded bytes of the AuthorizationKey of 1.6. */
  readonly password?: string | Buffer;
  /** For `wss`: authorities, and the station's own certificate in security profile 3. */
  readonly tls?: ConnectionOptions;
  /** Further headers of the handshake. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Waits between attempts; 10 s and up to 10 s at random, doubled 3 times, when absent. */
  readonly backOff?: BackOffOptions;
  /** Called for every connection before the first message of the CSMS is handled. */
  onConnect?(connection: StationConnection<V>, occasion: { readonly first: boolean }): void;
  onDisconnect?(connection: StationConnection<V>, ending: Ending): void;
  /** Called for every attempt that failed, with the milliseconds until the next one. */
  onConnectFailed?(error: ConnectError, retryInMs: number): void;
  /** Milliseconds that an attempt may take; 30 000 when absent. */
  readonly handshakeTimeoutMs?: number;
  /** Messages from 1 024 bytes on when absent; false asks for no compression. */
  readonly compression?: CompressionOptions | false;
  /** WebSocketPingInterval in milliseconds; 0, which is no ping, when absent. */
  readonly pingIntervalMs?: number;
  /** Milliseconds to wait for a pong, or any other sign of life; 15 000 when absent. */
  readonly pongTimeoutMs?: number;
  /** Random part of the back-off, from 0 to 1. */
  random?(): number;
}

/** An attempt to connect failed. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
  /** Status of the HTTP response that refused the handshake, if there was one: 404 for an unknown identity, 401 for a wrong password. */
  readonly status: number | undefined;

  constructor(message: string, options: { status?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.status = options.status;
  }
}

const DEFAULT_BACK_OFF: BackOffOptions = { waitMinimumMs: 10_000, randomRangeMs: 10_000, repeatTimes: 3 };
const CLOSE_HANDSHAKE_MS = 5_000;

function connectError(error: Error): ConnectError {
  if (error instanceof ConnectError) return error;
  const message = /no subprotocol|invalid subprotocol/i.test(error.message)
    ? "the CSMS speaks none of the offered OCPP versions"
    : `cannot connect: ${error.message}`;
  return new ConnectError(message, { cause: error });
}

interface Waiter<V extends OcppVersion> {
  resolve(connection: StationConnection<V>): void;
  reject(reason: unknown): void;
}

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
export class JsonStation<V extends OcppVersion = OcppVersion> {
  readonly #options: JsonStationOptions<V>;
  readonly #settings: PeerSettings;
  readonly #calls: OutgoingCalls;
  readonly #backOff: BackOff;
  readonly #liveness: Liveness;
  #pingIntervalMs: number;
  #socket: OcppSocket | undefined;
  #peer: RpcPeer<"ChargingStation"> | undefined;
  #waiters: Waiter<V>[] = [];
  #cancelRetry: Cancel | undefined;
  #isRunning = false;
  #isClosed = false;
  #connections = 0;

  /** @throws RangeError for a limit that is not above 0, no versions, or an identity that 2.x does not allow */
  constructor(options: JsonStationOptions<V>) {
    if (options.versions.length === 0) throw new RangeError("a station speaks at least one version");
    if (options.versions.some((version) => !allowsIdentity(version, options.identity))) {
      throw new RangeError("an identity of 2.x has at most 48 characters and no colon");
    }
    this.#options = options;
    this.#settings = peerSettings("ChargingStation", options);
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
   * Registers what answers an action of a CSMS of one version.
   *
   * @throws TypeError when a CSMS of this version does not send the action
   */
  handle<Spoken extends V, A extends keyof Handlers<Spoken, "ChargingStation"> & string>(
    version: Spoken,
    action: A,
    handler: Handlers<Spoken, "ChargingStation">[A],
  ): this {
    this.#settings.handlers.set(version, action, handler as unknown as UntypedHandler);
    return this;
  }

  /** Registers what answers every other action of every version; without it the answer is NotSupported. */
  handleOthers(handler: FallbackHandler<"ChargingStation">): this {
    this.#settings.handlers.fallback = handler as unknown as UntypedHandler;
    return this;
  }

  /**
   * Connects, and from then on reconnects by itself. Resolves with the first connection, however many attempts it
   * takes; `onConnectFailed` tells of those that fail. Aborting the signal while it is pending closes the station.
   */
  connect(signal?: AbortSignal): Promise<StationConnection<V>> {
    if (this.#isClosed) return Promise.reject(new ConnectError("the station was closed"));
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (this.connection !== undefined) return Promise.resolve(this.connection);
    const connected = new Promise<StationConnection<V>>((resolve, reject) => {
      const onAbort = () => {
        reject(signal?.reason);
        void this.close();
      };
      const release = () => signal?.removeEventListener("abort", onAbort);
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters.push({
        resolve: (connection) => {
          release();
          resolve(connection);
        },
        reject: (reason) => {
          release();
          reject(reason);
        },
      });
    });
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
    for (const waiter of this.#waiters.splice(0)) waiter.reject(new ConnectError("the station was closed"));
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
    let socket: OcppSocket;
    try {
      socket = this.#createSocket();
    } catch (error) {
      this.#failed(connectError(error as Error));
      return;
    }
    this.#socket = socket;
    this.#watch(socket);
  }

  /** @throws when the URL, a header or the TLS options are none */
  #createSocket(): OcppSocket {
    const { url, identity, versions, compression, headers, password, tls } = this.#options;
    const target = `${url.replace(/\/+$/, "")}/${encodeURIComponent(identity)}`;
    const options: ClientOptions & { closeTimeout: number } = {
      ...(tls as ClientOptions | undefined),
      headers: {
        ...(password !== undefined && { Authorization: basicAuthorization(identity, password) }),
        ...headers,
      },
      handshakeTimeout: this.#options.handshakeTimeoutMs ?? 30_000,
      maxPayload: this.#settings.maxFrameBytes,
      perMessageDeflate: deflateOptions(compression),
      closeTimeout: CLOSE_HANDSHAKE_MS,
    };
    return new OcppSocket(target, versions.map(subprotocolOf), options);
  }

  /** Follows one attempt until it is open or has failed. */
  #watch(socket: OcppSocket): void {
    let failure: ConnectError | undefined;
    socket.on("unexpected-response", (request, response: IncomingMessage) => {
      const status = response.statusCode ?? 0;
      failure = new ConnectError(`the CSMS refused the handshake with status ${status}`, { status });
      request.destroy();
      response.destroy();
      socket.terminate();
    });
    socket.on("error", (error: Error) => {
      failure ??= connectError(error);
    });
    socket.once("close", () => {
      // Nothing to do for a socket that was open, or that was given up for another one.
      if (socket.peer !== undefined || this.#socket !== socket) return;
      this.#socket = undefined;
      this.#failed(failure ?? new ConnectError("the connection ended during the handshake"));
    });
    socket.once("open", () => this.#opened(socket));
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
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(connection);
    peer.start();
  }

  #ended(socket: OcppSocket, peer: RpcPeer<"ChargingStation">, ending: Ending): void {
    this.#liveness.delete(socket);
    if (this.#peer === peer) this.#peer = undefined;
    if (this.#socket === socket) this.#socket = undefined;
    if (this.#isRunning && this.#socket === undefined) this.#retryIn(this.#backOff.next());
    this.#tell(() => this.#options.onDisconnect?.(peer as unknown as StationConnection<V>, ending));
  }

  /** Runs a hook of the caller, whose failure must not reach the socket. */
  #tell(hook: () => void): void {
    try {
      hook();
    } catch (error) {
      this.#settings.observer?.failed?.({ identity: this.#options.identity, action: "", error });
    }
  }
}

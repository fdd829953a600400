import type { IncomingMessage, Server } from "node:http";
import type { Server as TlsServer } from "node:https";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { type OcppVersion, ocppVersions } from "../catalogue/version.ts";
import type { AnyConnection, FallbackHandler, Handlers } from "../connection.ts";
import type { UntypedHandler } from "../endpoint/handler-table.ts";
import { type ListenOptions, listenHttp } from "../endpoint/http-endpoint.ts";
import { withinMs } from "../endpoint/timers.ts";
import { type CompressionOptions, deflateOptions } from "./compression.ts";
import { type Handshake, type HandshakeDecision, pathOf, subprotocolOf } from "./handshake.ts";
import { refuse } from "./http-refusal.ts";
import { Liveness } from "./liveness.ts";
import { OcppSocket } from "./ocpp-socket.ts";
import { OutgoingCalls } from "./peer/outgoing-calls.ts";
import { type PeerOptions, type PeerSettings, peerSettings } from "./peer/peer-settings.ts";
import { RpcPeer } from "./peer/rpc-peer.ts";
import type { Ending } from "./peer/transport.ts";
import { type AcceptedHandshake, type Admission, UpgradeGate } from "./upgrade-gate.ts";

/** How a {@link JsonCsms} behaves. */
export interface JsonCsmsOptions extends PeerOptions {
  /** Path in front of the identity, `/ocpp` when absent. */
  readonly path?: string;
  /** Versions that stations may choose from; all when absent. */
  readonly versions?: readonly OcppVersion[];
  /** Decides who may connect; everybody when absent. */
  authenticate?(handshake: Handshake): HandshakeDecision | Promise<HandshakeDecision>;
  /** Called before the first message of the connection is handled. */
  onConnect?(connection: AnyConnection<"CSMS">, accepted: AcceptedHandshake): void;
  onDisconnect?(connection: AnyConnection<"CSMS">, ending: Ending): void;
  /** Milliseconds that {@link authenticate} may take; 10 000 when absent. Then the station gets 503. */
  readonly handshakeTimeoutMs?: number;
  /** Connections at a time, and as many again that are being authenticated; no limit when absent. Beyond it stations get 503. */
  readonly maxConnections?: number;
  /** Messages from 1 024 bytes on when absent; false offers no compression. */
  readonly compression?: CompressionOptions | false;
  /** Milliseconds of silence before a ping; 30 000 when absent, 0 for none. */
  readonly pingIntervalMs?: number;
  /** Milliseconds to wait for a pong, or any other sign of life; 15 000 when absent. */
  readonly pongTimeoutMs?: number;
  /** Source of the moments at which first pings go out, from 0 to 1. */
  random?(): number;
}

/** What is open and under way at an endpoint at one moment. */
export interface JsonCsmsLoad {
  /** WebSockets, also those that are being closed. */
  readonly sockets: number;
  /** Stations that are being authenticated. */
  readonly handshakes: number;
  /** Requests of stations that handlers have not answered yet, also those whose connection is gone. */
  readonly requests: number;
}

const CLOSE_HANDSHAKE_MS = 5_000;

/**
 * The CSMS of OCPP-J: a WebSocket server for stations of every version.
 *
 * @example
 * ```ts
 * const csms = new JsonCsms({ authenticate: ({ identity }) => ({ accept: identity.startsWith("CP") }) });
 * csms.handle("1.6", "Heartbeat", () => ({ currentTime: new Date().toISOString() }));
 * await csms.listen({ port: 9000 });
 * ```
 */
export class JsonCsms {
  readonly #options: JsonCsmsOptions;
  readonly #settings: PeerSettings;
  readonly #path: string;
  readonly #gate: UpgradeGate;
  readonly #webSockets: WebSocketServer;
  readonly #liveness: Liveness;
  readonly #random: () => number;
  readonly #connections = new Map<string, RpcPeer<"CSMS">>();
  /** When the handshake of every connection began, as its place among all handshakes. */
  readonly #arrivals = new Map<string, number>();
  #handshakes = 0;
  readonly #sockets = new Set<OcppSocket>();
  readonly #servers = new Set<Server | TlsServer>();
  readonly #attached = new Map<Server | TlsServer, (request: IncomingMessage, socket: Duplex, head: Buffer) => void>();
  // Set while `ws` completes one handshake, which it does synchronously.
  #subprotocol: string | false = false;

  /** @throws RangeError for a limit that is not above 0 */
  constructor(options: JsonCsmsOptions = {}) {
    this.#options = options;
    this.#settings = peerSettings("CSMS", options);
    this.#path = (options.path ?? "/ocpp").replace(/\/+$/, "");
    this.#gate = new UpgradeGate({
      path: this.#path,
      versions: new Set(options.versions ?? ocppVersions),
      authenticate: options.authenticate?.bind(options) ?? (() => ({ accept: true })),
      handshakeTimeoutMs: options.handshakeTimeoutMs ?? 10_000,
      timers: this.#settings.timers,
      observer: this.#settings.observer,
    });
    this.#liveness = new Liveness(this.#settings.timers, options.pongTimeoutMs ?? 15_000);
    this.#random = options.random?.bind(options) ?? Math.random;
    const serverOptions = {
      noServer: true,
      clientTracking: false,
      maxPayload: this.#settings.maxFrameBytes,
      perMessageDeflate: deflateOptions(options.compression),
      closeTimeout: CLOSE_HANDSHAKE_MS,
      WebSocket: OcppSocket,
      handleProtocols: () => this.#subprotocol,
    };
    this.#webSockets = new WebSocketServer(serverOptions);
  }

  /** The newest connection of every identity. */
  get connections(): ReadonlyMap<string, AnyConnection<"CSMS">> {
    return this.#connections as ReadonlyMap<string, unknown> as ReadonlyMap<string, AnyConnection<"CSMS">>;
  }

  /** What is open and under way now. */
  get load(): JsonCsmsLoad {
    return {
      sockets: this.#sockets.size,
      handshakes: this.#gate.waiting,
      requests: this.#settings.work.running,
    };
  }

  /**
   * Registers what answers an action of stations of one version.
   *
   * @throws TypeError when stations of this version do not send the action
   */
  handle<V extends OcppVersion, A extends keyof Handlers<V, "CSMS"> & string>(
    version: V,
    action: A,
    handler: Handlers<V, "CSMS">[A],
  ): this {
    this.#settings.handlers.set(version, action, handler as unknown as UntypedHandler);
    return this;
  }

  /** Registers what answers every other action of every version; without it the answer is NotSupported. */
  handleOthers(handler: FallbackHandler<"CSMS">): this {
    this.#settings.handlers.fallback = handler as unknown as UntypedHandler;
    return this;
  }

  /**
   * Takes the upgrade requests of the caller's server that are below the path. Others are left to the server's other
   * listeners, and refused with 404 when there are none.
   */
  attach(server: Server | TlsServer): void {
    if (this.#attached.has(server)) return;
    const listener = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const isOurs = pathOf(request.url).startsWith(`${this.#path}/`);
      if (isOurs || server.listenerCount("upgrade") === 1) this.handleUpgrade(request, socket, head);
    };
    this.#attached.set(server, listener);
    server.on("upgrade", listener);
  }

  /** Opens a server of its own. @throws the listening error, such as EADDRINUSE */
  async listen(options: ListenOptions): Promise<{ port: number }> {
    const { server, port } = await listenHttp(options, (_request, response) => {
      response.writeHead(426, { Connection: "close", Upgrade: "websocket", "Content-Type": "text/plain" });
      response.end("This is a WebSocket endpoint of OCPP-J.\n");
    });
    this.attach(server);
    this.#servers.add(server);
    return { port };
  }

  /** Answers one upgrade request: refuses it, or makes a connection of it. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const limit = this.#options.maxConnections ?? Number.POSITIVE_INFINITY;
    if (this.#gate.waiting >= limit) {
      refuse(socket, 503, "too many connections");
      return;
    }
    const arrival = ++this.#handshakes;
    this.#gate.admit(request, socket, (admission) => this.#admitted(request, socket, head, admission, arrival));
  }

  /**
   * Takes no more connections, lets running answers out, closes every connection with 1001 and the servers that
   * {@link listen} opened. `graceMs` (5 000 when absent) bounds the wait for answers.
   */
  async close(options: { readonly graceMs?: number } = {}): Promise<void> {
    this.#gate.shut();
    const ending = { code: 1001, reason: "shutting down", graceMs: options.graceMs ?? 5_000 };
    const servers = [...this.#servers].map((server) => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      return closed;
    });
    await Promise.all([...this.#connections.values()].map((connection) => connection.close(ending)));
    this.#settings.deadlines.rest();
    await this.#socketsClosed();
    for (const server of this.#servers) server.closeAllConnections();
    await Promise.all(servers);
    this.#servers.clear();
    for (const [server, listener] of this.#attached) server.off("upgrade", listener);
    this.#attached.clear();
  }

  #admitted(request: IncomingMessage, socket: Duplex, head: Buffer, admission: Admission, arrival: number): void {
    const { identity, version, accepted } = admission;
    // The station has given this one up already: it asked again, and that handshake was decided sooner.
    if ((this.#arrivals.get(identity) ?? 0) > arrival) {
      refuse(socket, 409, "a newer connection of this station is there");
      return;
    }
    const limit = this.#options.maxConnections ?? Number.POSITIVE_INFINITY;
    if (this.#connections.size >= limit && !this.#connections.has(identity)) {
      refuse(socket, 503, "too many connections");
      return;
    }
    this.#subprotocol = version === undefined || accepted.isWithoutSubprotocol ? false : subprotocolOf(version);
    this.#webSockets.handleUpgrade(request, socket, head, (client) => {
      const webSocket = client as OcppSocket;
      if (version === undefined) {
        rejectProtocol(webSocket);
        return;
      }
      this.#arrivals.set(identity, arrival);
      const remoteAddress = request.socket.remoteAddress ?? "";
      this.#connected(webSocket, socket, { identity, version, remoteAddress }, accepted, admission.pingIntervalMs);
    });
  }

  #connected(
    socket: OcppSocket,
    stream: Duplex,
    station: { identity: string; version: OcppVersion; remoteAddress: string },
    accepted: AcceptedHandshake,
    pingIntervalMs = this.#options.pingIntervalMs ?? 30_000,
  ): void {
    const { identity } = station;
    const peer = new RpcPeer<"CSMS">(this.#settings, station, socket, new OutgoingCalls(this.#settings));
    const previous = this.#connections.get(identity);
    this.#connections.set(identity, peer);
    this.#sockets.add(socket);
    socket.carry(peer as unknown as RpcPeer, this.#settings.maxUnsentBytes, stream);
    socket.once("close", () => this.#sockets.delete(socket));
    peer.onEnd((ending) => this.#ended(socket, peer, ending));
    this.#liveness.add(socket, pingIntervalMs, this.#random());
    previous?.replace();
    this.#tell(identity, () => this.#options.onConnect?.(peer as unknown as AnyConnection<"CSMS">, accepted));
    peer.start();
  }

  #ended(socket: OcppSocket, peer: RpcPeer<"CSMS">, ending: Ending): void {
    this.#liveness.delete(socket);
    if (this.#connections.get(peer.identity) === peer) {
      this.#connections.delete(peer.identity);
      this.#arrivals.delete(peer.identity);
    }
    this.#tell(peer.identity, () => this.#options.onDisconnect?.(peer as unknown as AnyConnection<"CSMS">, ending));
  }

  /** Runs a hook of the caller, whose failure must not reach the socket. */
  #tell(identity: string, hook: () => void): void {
    try {
      hook();
    } catch (error) {
      this.#settings.observer?.failed?.({ identity, action: "", error });
    }
  }

  async #socketsClosed(): Promise<void> {
    const closing = [...this.#sockets].map((socket) => new Promise<void>((resolve) => socket.once("close", resolve)));
    await withinMs(this.#settings.timers, CLOSE_HANDSHAKE_MS, Promise.all(closing));
    for (const socket of this.#sockets) socket.terminate();
  }
}

// OCPP-J 1.6 §3.2, 2.x Part 4 §3.3: the handshake was completed without a subprotocol; now close.
function rejectProtocol(socket: OcppSocket): void {
  socket.on("error", () => {});
  socket.close(1002, "none of the offered subprotocols is spoken here");
}

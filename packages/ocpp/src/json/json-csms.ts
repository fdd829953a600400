import type { IncomingMessage, Server } from "node:http";
import type { Server as TlsServer } from "node:https";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { ocppVersions } from "../catalogue/version.ts";
import type { AnyConnection } from "../connection.ts";
import { HandlingEndpoint } from "../endpoint/handling-endpoint.ts";
import type { ListenOptions } from "../endpoint/http-endpoint.ts";
import { runHook } from "../endpoint/observer.ts";
import { withinMs } from "../endpoint/timers.ts";
import { deflateOptions } from "./compression.ts";
import { subprotocolOf } from "./handshake.ts";
import { refuse } from "./http-refusal.ts";
import type { JsonCsmsLoad, JsonCsmsOptions } from "./json-csms-options.ts";
import { Liveness } from "./liveness.ts";
import { OcppSocket, type SocketOwner } from "./ocpp-socket.ts";
import { OutgoingCalls } from "./peer/outgoing-calls.ts";
import { type PeerSettings, peerSettings } from "./peer/peer-settings.ts";
import { RpcPeer } from "./peer/rpc-peer.ts";
import type { Ending } from "./peer/transport.ts";
import type { PeerIdentity } from "./peer/wire.ts";
import { type AcceptedHandshake, type Admission, UpgradeGate } from "./upgrade-gate.ts";
import { UpgradeServers } from "./upgrade-servers.ts";

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
export class JsonCsms extends HandlingEndpoint<"CSMS"> {
  readonly #options: JsonCsmsOptions;
  readonly #settings: PeerSettings;
  readonly #gate: UpgradeGate;
  readonly #webSockets: WebSocketServer;
  readonly #liveness: Liveness;
  readonly #random: () => number;
  readonly #connections = new Map<string, RpcPeer<"CSMS">>();
  /** When the handshake of every connection began, as its place among all handshakes. */
  readonly #arrivals = new Map<string, number>();
  #handshakes = 0;
  readonly #sockets = new Set<OcppSocket>();
  readonly #owner: SocketOwner = { closed: (socket) => this.#sockets.delete(socket) };
  readonly #servers: UpgradeServers;
  // Set while `ws` completes one handshake, which it does synchronously.
  #subprotocol: string | false = false;

  /** @throws RangeError for a limit that is not above 0 */
  constructor(options: JsonCsmsOptions = {}) {
    const settings = peerSettings("CSMS", options);
    super(settings.handlers);
    this.#options = options;
    this.#settings = settings;
    const path = (options.path ?? "/ocpp").replace(/\/+$/, "");
    this.#servers = new UpgradeServers(path, (request, socket, head) => this.handleUpgrade(request, socket, head));
    this.#gate = new UpgradeGate({
      path,
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
   * Takes the upgrade requests of the caller's server that are below the path. Others are left to the server's other
   * listeners, and refused with 404 when there are none.
   */
  attach(server: Server | TlsServer): void {
    this.#servers.attach(server);
  }

  /** Opens a server of its own. @throws the listening error, such as EADDRINUSE */
  async listen(options: ListenOptions): Promise<{ port: number }> {
    return { port: await this.#servers.listen(options) };
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
    await this.#servers.close(async () => {
      await Promise.all([...this.#connections.values()].map((connection) => connection.close(ending)));
      this.#settings.deadlines.rest();
      await this.#socketsClosed();
    });
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
    station: PeerIdentity,
    accepted: AcceptedHandshake,
    pingIntervalMs = this.#options.pingIntervalMs ?? 30_000,
  ): void {
    const { identity } = station;
    const peer = new RpcPeer<"CSMS">(this.#settings, station, socket, new OutgoingCalls(this.#settings));
    const previous = this.#connections.get(identity);
    this.#connections.set(identity, peer);
    this.#sockets.add(socket);
    socket.carry(peer as unknown as RpcPeer, this.#settings.maxUnsentBytes, stream);
    socket.owner = this.#owner;
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

  #tell(identity: string, hook: () => void): void {
    runHook(this.#settings.observer, identity, hook);
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

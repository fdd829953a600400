import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Server as TlsServer } from "node:https";
import type { Socket } from "node:net";
import { peerNetwork } from "./peer-network.ts";

/** How many connections may be open that ask for nothing. */
export interface UnfinishedLimits {
  /** From one network. */
  readonly perNetwork: number;
  /** From all networks together. */
  readonly total: number;
}

interface Unfinished {
  readonly socket: Socket;
  readonly network: string;
}

/** The same for the stream of TLS as for the socket below it. */
const keyOf = ({ localPort, remoteAddress, remotePort }: Socket) => `${localPort} ${remoteAddress} ${remotePort}`;

/** Whether the request is there as a whole once its headers are. */
function isWithoutBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) === 0;
}

/**
 * Bounds how many connections a network may hold without asking for anything: in front of or within a TLS handshake, the
 * headers or the body of a request, or between two requests. One too many costs the oldest of its network its
 * connection, and when there are too many in all, the oldest of the network that has most. An honest peer has said what it
 * wants within a few round trips, so whoever waits longest is least likely one, and a newcomer always gets in.
 */
export class UnfinishedConnections {
  readonly #limits: UnfinishedLimits;
  readonly #all = new Map<string, Unfinished>();
  /** Of each network, those that wait longest first. */
  readonly #ofNetworks = new Map<string, Map<string, Unfinished>>();
  #cut = 0;

  constructor(limits: UnfinishedLimits) {
    this.#limits = limits;
  }

  /** Connections that ask for nothing at this moment. */
  get count(): number {
    return this.#all.size;
  }

  /** Connections that were cut for others since the start. */
  get cut(): number {
    return this.#cut;
  }

  /** Follows all connections of a server, but for {@link upgrades}. Call it before others listen to the server. */
  watch(server: Server | TlsServer): void {
    server.on("connection", (socket: Socket) => this.#opened(socket));
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      if (isWithoutBody(request)) this.#asks(request.socket, response);
      else request.once("end", () => this.#asks(request.socket, response));
    });
  }

  /**
   * Tells that a request for another protocol is there as a whole. Whoever listens to the server for those has to: to
   * listen for them would take them from servers that answer them like any other request.
   */
  upgrades(request: IncomingMessage): void {
    this.#leave(keyOf(request.socket));
  }

  /** Cuts every connection that asks for nothing at this moment. */
  cutAll(): void {
    for (const [key, { socket }] of [...this.#all]) {
      this.#leave(key);
      socket.destroy();
    }
  }

  #opened(socket: Socket): void {
    const key = keyOf(socket);
    this.#add(key, { socket, network: peerNetwork(socket.remoteAddress ?? "") });
    socket.once("close", () => {
      if (this.#all.get(key)?.socket === socket) this.#leave(key);
    });
  }

  /** A whole request is there: the connection is ours to answer, and waits again after that. */
  #asks(stream: Socket, response: ServerResponse): void {
    const key = keyOf(stream);
    const asking = this.#all.get(key);
    if (asking === undefined) return;
    this.#leave(key);
    response.once("close", () => {
      if (!asking.socket.destroyed && !stream.destroyed) this.#add(key, asking);
    });
  }

  #add(key: string, unfinished: Unfinished): void {
    const ofNetwork = this.#ofNetworks.get(unfinished.network) ?? new Map<string, Unfinished>();
    this.#ofNetworks.set(unfinished.network, ofNetwork);
    this.#all.set(key, unfinished);
    ofNetwork.set(key, unfinished);
    if (ofNetwork.size > this.#limits.perNetwork) this.#cutOldest(ofNetwork);
    else if (this.#all.size > this.#limits.total) this.#cutOldest(this.#largest());
  }

  #leave(key: string): void {
    const left = this.#all.get(key);
    if (left === undefined) return;
    this.#all.delete(key);
    const ofNetwork = this.#ofNetworks.get(left.network);
    ofNetwork?.delete(key);
    if (ofNetwork?.size === 0) this.#ofNetworks.delete(left.network);
  }

  #largest(): ReadonlyMap<string, Unfinished> {
    let largest: ReadonlyMap<string, Unfinished> = new Map();
    for (const ofNetwork of this.#ofNetworks.values()) if (ofNetwork.size > largest.size) largest = ofNetwork;
    return largest;
  }

  #cutOldest(ofNetwork: ReadonlyMap<string, Unfinished>): void {
    for (const [key, { socket }] of ofNetwork) {
      this.#cut += 1;
      this.#leave(key);
      socket.destroy();
      return;
    }
  }
}

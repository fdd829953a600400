import type { IncomingMessage, Server } from "node:http";
import type { Server as TlsServer } from "node:https";
import type { Duplex } from "node:stream";
import { type ListenOptions, listenHttp } from "../endpoint/http-endpoint.ts";
import { pathOf } from "./handshake.ts";

/** Takes one upgrade request. */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** The HTTP servers whose upgrade requests come to an endpoint: those of the caller, and its own. */
export class UpgradeServers {
  readonly #path: string;
  readonly #upgrade: UpgradeListener;
  readonly #attached = new Map<Server | TlsServer, UpgradeListener>();
  readonly #own = new Set<Server | TlsServer>();

  /** `upgrade` gets the requests below `path`, and those that nobody else would take. */
  constructor(path: string, upgrade: UpgradeListener) {
    this.#path = path;
    this.#upgrade = upgrade;
  }

  /** Takes upgrade requests of a server, once however often it is attached. */
  attach(server: Server | TlsServer): void {
    if (this.#attached.has(server)) return;
    const listener: UpgradeListener = (request, socket, head) => {
      const isOurs = pathOf(request.url).startsWith(`${this.#path}/`);
      if (isOurs || server.listenerCount("upgrade") === 1) this.#upgrade(request, socket, head);
    };
    this.#attached.set(server, listener);
    server.on("upgrade", listener);
  }

  /** Opens a server of its own, and returns its port. @throws the listening error, such as EADDRINUSE */
  async listen(options: ListenOptions): Promise<number> {
    const { server, port } = await listenHttp(options, (_request, response) => {
      response.writeHead(426, { Connection: "close", Upgrade: "websocket", "Content-Type": "text/plain" });
      response.end("This is a WebSocket endpoint of OCPP-J.\n");
    });
    this.attach(server);
    this.#own.add(server);
    return port;
  }

  /** Stops listening, lets `drain` end what is open, and lets the servers go. */
  async close(drain: () => Promise<void>): Promise<void> {
    const closed = [...this.#own].map((server) => {
      const isClosed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      return isClosed;
    });
    await drain();
    for (const server of this.#own) server.closeAllConnections();
    await Promise.all(closed);
    this.#own.clear();
    for (const [server, listener] of this.#attached) server.off("upgrade", listener);
    this.#attached.clear();
  }
}

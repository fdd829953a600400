import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../system/csms-process.ts";

/** Both ends of a connection that goes through the relay. */
interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

/**
 * Stands between a program and a server on the loopback interface, and does to the connections what networks do. It
 * listens on one port for as long as it lives, except while it refuses.
 */
export class TcpRelay {
  readonly port: number;
  readonly #target: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #isStalled = false;
  #latencyMs = 0;

  private constructor(server: Server, port: number, target: number) {
    this.#server = server;
    this.port = port;
    this.#target = target;
    server.on("connection", (near) => this.#connected(near));
  }

  /** @param target port of the server on the loopback interface */
  static async to(target: number): Promise<TcpRelay> {
    const server = createServer();
    const port = await freePort();
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return new TcpRelay(server, port, target);
  }

  /** Address of a database or other server, with the relay's port in place of its own. */
  urlFor(url: string): string {
    const relayed = new URL(url);
    relayed.hostname = "127.0.0.1";
    relayed.port = String(this.port);
    return relayed.href;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Says nothing more in either direction and breaks nothing: connections are taken and stay silent. */
  stall(): void {
    this.#isStalled = true;
    for (const { near, far } of this.#pairs) {
      near.pause();
      far.pause();
    }
  }

  /** Lets what was held pass, in its order. */
  resume(): void {
    this.#isStalled = false;
    for (const { near, far } of this.#pairs) {
      near.resume();
      far.resume();
    }
  }

  /** Holds every piece for so long on its way, in either direction. */
  slowDown(latencyMs: number): void {
    this.#latencyMs = latencyMs;
  }

  /** Breaks every connection; new ones are taken. */
  cut(): void {
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy();
      far.destroy();
    }
  }

  /** Breaks every connection, and nothing listens any more. */
  async refuse(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }

  /** Listens again after {@link refuse}. */
  async admit(): Promise<void> {
    this.#server.listen(this.port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async close(): Promise<void> {
    if (this.#server.listening) await this.refuse();
  }

  #connected(near: Socket): void {
    const far = connect(this.#target, "127.0.0.1");
    const pair = { near, far };
    this.#pairs.add(pair);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on("error", () => undefined);
      one.on("close", () => {
        this.#pairs.delete(pair);
        other.destroy();
      });
      this.#forward(one, other);
      if (this.#isStalled) one.pause();
    }
  }

  #forward(from: Socket, to: Socket): void {
    let passed = Promise.resolve();
    from.on("data", (chunk) => {
      const latencyMs = this.#latencyMs;
      if (latencyMs === 0) {
        passed = passed.then(() => void to.write(chunk));
        return;
      }
      const due = delay(latencyMs);
      passed = passed.then(() => due).then(() => void to.write(chunk));
    });
  }
}

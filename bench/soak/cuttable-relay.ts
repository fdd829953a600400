import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

interface Pair {
  readonly station: Socket;
  readonly csms: Socket;
}

/** Stands between stations and the CSMS and does to their connections what networks do. */
export class CuttableRelay {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #isOpen = true;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens on a free port of the loopback interface and relays to another one. */
  static async start(targetPort: number): Promise<CuttableRelay> {
    const server = createServer({ noDelay: true });
    const relay = new CuttableRelay(server);
    server.on("connection", (station) => relay.#relay(station, targetPort));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Cuts a share of the connections, chosen by `random` from 0 up to below 1. */
  cut(share: number, random: () => number): number {
    const chosen = this.#choose(share, random);
    for (const pair of chosen) this.#end(pair);
    return chosen.length;
  }

  /** Lets a share of the stations hear nothing for a while, not even answers, and then cuts them. */
  async deafen(share: number, random: () => number, timeMs: number): Promise<number> {
    const chosen = this.#choose(share, random);
    for (const { csms } of chosen) csms.pause();
    await new Promise((resolve) => setTimeout(resolve, timeMs));
    for (const pair of chosen) this.#end(pair);
    return chosen.length;
  }

  /** Cuts all and lets nobody connect until `open`. */
  shut(): void {
    this.#isOpen = false;
    for (const pair of [...this.#pairs]) this.#end(pair);
  }

  open(): void {
    this.#isOpen = true;
  }

  async close(): Promise<void> {
    this.shut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #choose(share: number, random: () => number): Pair[] {
    return [...this.#pairs].filter(() => random() < share);
  }

  #relay(station: Socket, targetPort: number): void {
    if (!this.#isOpen) {
      station.resetAndDestroy();
      return;
    }
    const csms = connect({ port: targetPort, host: "127.0.0.1", noDelay: true });
    const pair = { station, csms };
    this.#pairs.add(pair);
    for (const socket of [station, csms]) {
      socket.on("error", () => this.#end(pair));
      socket.on("close", () => this.#end(pair));
    }
    station.pipe(csms);
    csms.pipe(station);
  }

  #end(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    pair.station.destroy();
    pair.csms.destroy();
  }
}

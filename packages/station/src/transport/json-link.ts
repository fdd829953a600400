import { CallTimeoutError, JsonStation, NotConnectedError, OcppError, type StationConnection } from "@polyphase/ocpp";
import type { BackOff, Link, LinkListener, LinkOptions } from "./link.ts";

/** A WebSocket to the CSMS (OCPP-J). */
export class JsonLink implements Link {
  readonly #options: LinkOptions;
  readonly #listener: LinkListener;
  #station: JsonStation | undefined;
  #connection: StationConnection | undefined;
  #pingIntervalMs: number;

  #password: string | Buffer | undefined;
  #backOff: BackOff | undefined;

  constructor(options: LinkOptions, listener: LinkListener) {
    this.#options = options;
    this.#listener = listener;
    this.#password = options.password;
    this.#backOff = options.backOff;
    this.#pingIntervalMs = options.pingIntervalMs ?? 0;
  }

  get isOnline(): boolean {
    return this.#connection?.isOpen === true;
  }

  async start(): Promise<void> {
    if (this.#station !== undefined) return;
    const password = this.#password;
    const { url, identity, version, tls, random } = this.#options;
    const backOff = this.#backOff;
    const station: JsonStation = new JsonStation({
      url,
      identity,
      versions: [version],
      pingIntervalMs: this.#pingIntervalMs,
      random,
      observer: { message: (message) => this.#listener.message(message) },
      onConnect: (connection) => this.#connected(station, connection),
      onDisconnect: (connection) => this.#disconnected(connection),
      onConnectFailed: (error) => this.#listener.connectFailed(error),
      ...(password === undefined ? {} : { password }),
      ...(tls === undefined ? {} : { tls }),
      ...(backOff === undefined ? {} : { backOff }),
    });
    station.handleOthers((payload, context) => this.#listener.answer(context.action, payload));
    this.#station = station;
    // Rejects when the link is stopped before the first connection, which is no failure.
    station.connect().catch(() => {});
  }

  async stop(): Promise<void> {
    const station = this.#station;
    this.#station = undefined;
    const connection = this.#connection;
    if (connection !== undefined) this.#disconnected(connection);
    await station?.close({ graceMs: 1000 });
  }

  async call(action: string, payload: unknown, timeoutMs: number): Promise<unknown> {
    const connection = this.#connection;
    if (connection === undefined) throw new NotConnectedError(action, false);
    try {
      // The signal keeps a waiting call from surviving into the next connection: the station decides what to resend.
      return await connection.callUntyped(action, payload, { timeoutMs, signal: connection.closed });
    } catch (error) {
      if (error instanceof OcppError || error instanceof CallTimeoutError || !connection.closed.aborted) throw error;
      throw error instanceof NotConnectedError ? error : new NotConnectedError(action, true, error);
    }
  }

  updatePingInterval(pingIntervalMs: number): void {
    this.#pingIntervalMs = pingIntervalMs;
    this.#station?.updatePingInterval(pingIntervalMs);
  }

  updateBackOff(backOff: BackOff): void {
    this.#backOff = backOff;
    this.#station?.updateBackOff(backOff);
  }

  updatePassword(password: string | Buffer): void {
    this.#password = password;
  }

  #connected(station: JsonStation, connection: StationConnection): void {
    if (this.#station !== station) return;
    this.#connection = connection;
    this.#listener.online();
  }

  #disconnected(connection: StationConnection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#listener.offline();
  }
}

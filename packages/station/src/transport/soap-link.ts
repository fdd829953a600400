import { NotConnectedError, SoapStation, type SoapVersion } from "@polyphase/ocpp";
import type { Link, LinkListener, LinkOptions } from "./link.ts";

/**
 * HTTP in both directions (OCPP-S). There is no connection whose end could be seen: the CSMS counts as unreachable
 * from a request that did not reach it until one that did.
 */
export class SoapLink implements Link {
  readonly #options: LinkOptions & { readonly version: SoapVersion };
  readonly #listener: LinkListener;
  #station: SoapStation | undefined;
  #reachable = false;

  #password: string | Buffer | undefined;

  constructor(options: LinkOptions & { readonly version: SoapVersion }, listener: LinkListener) {
    this.#options = options;
    this.#listener = listener;
    this.#password = options.password;
  }

  get isOnline(): boolean {
    return this.#station !== undefined && this.#reachable;
  }

  async start(): Promise<void> {
    if (this.#station !== undefined) return;
    const password = this.#password;
    const { url, identity, version, tls, listen, publicUrl } = this.#options;
    const station = new SoapStation<SoapVersion>({
      url,
      identity,
      version,
      listen: listen ?? { port: 0, host: "127.0.0.1" },
      observer: { message: (message) => this.#listener.message(message) },
      ...(password === undefined ? {} : { password }),
      ...(tls === undefined ? {} : { tls }),
      ...(publicUrl === undefined ? {} : { publicUrl }),
    });
    station.handleOthers((payload, context) => this.#listener.answer(context.action, payload));
    this.#station = station;
    await station.start();
    if (this.#station !== station) return;
    this.#reachable = true;
    this.#listener.online();
  }

  async stop(): Promise<void> {
    const station = this.#station;
    this.#station = undefined;
    if (this.#reachable) {
      this.#reachable = false;
      this.#listener.offline();
    }
    await station?.close({ graceMs: 1000 });
  }

  async call(action: string, payload: unknown, timeoutMs: number): Promise<unknown> {
    const station = this.#station;
    if (station === undefined) throw new NotConnectedError(action, false);
    try {
      const response = await station.connection.callUntyped(action, payload, { timeoutMs });
      this.#reached(station, true);
      return response;
    } catch (error) {
      if (this.#station !== station) throw new NotConnectedError(action, true, error);
      if (error instanceof NotConnectedError) this.#reached(station, false);
      throw error;
    }
  }

  updatePingInterval(): void {
    // OCPP-S has no pings.
  }

  updateBackOff(): void {
    // Nothing is kept connected.
  }

  updatePassword(password: string | Buffer): void {
    this.#password = password;
  }

  #reached(station: SoapStation, reachable: boolean): void {
    if (this.#station !== station || this.#reachable === reachable) return;
    this.#reachable = reachable;
    if (reachable) this.#listener.online();
    else this.#listener.offline();
  }
}

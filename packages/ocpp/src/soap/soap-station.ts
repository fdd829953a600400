import { Agent as HttpAgent, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AgentOptions, Agent as HttpsAgent } from "node:https";
import type { Connection, FallbackHandler, Handlers } from "../connection.ts";
import { basicAuthorization } from "../endpoint/basic-authentication.ts";
import { HandlerTable, type UntypedHandler } from "../endpoint/handler-table.ts";
import { closeHttp, type ListenOptions, listenHttp } from "../endpoint/http-endpoint.ts";
import type { Timers } from "../endpoint/timers.ts";
import { SoapFault } from "./fault.ts";
import { credentialsOf, refusal, type SoapCredentials, type SoapDecision } from "./http-request.ts";
import { IncomingSoap, type OpenedRequest } from "./incoming.ts";
import { SoapConnection } from "./soap-connection.ts";
import { type SoapOptions, soapSettings } from "./soap-options.ts";
import type { SoapVersion } from "./soap-version.ts";
import { answerDescription } from "./wsdl-page.ts";

/** What a {@link SoapStation} must and can be told. */
export interface SoapStationOptions<V extends SoapVersion> extends SoapOptions {
  /** Address of the CSMS, `http:` or `https:`. */
  readonly url: string;
  readonly identity: string;
  readonly version: V;
  /**
   * Where to listen for the CSMS. `publicUrl` is the address given to it, needed when it is not
   * `http://host:port/`. Without `listen` and `publicUrl` the CSMS cannot call.
   */
  readonly listen?: ListenOptions;
  /** Our own address as the CSMS reaches it, also when requests come by {@link SoapStation.handleRequest}. */
  readonly publicUrl?: string;
  /** Password for HTTP Basic authentication at the CSMS; the user name is the identity. */
  readonly password?: string | Buffer;
  /** TLS settings for calling the CSMS: trusted roots, our client certificate. */
  readonly tls?: AgentOptions;
  /** Decides about every request of the CSMS; all are accepted when absent. */
  authenticate?(request: SoapCredentials): SoapDecision | Promise<SoapDecision>;
}

/**
 * A ChargingStation of OCPP-S. It calls the CSMS, and listens for the calls of the CSMS at an address that it
 * gives in the `From` of each request.
 *
 * @example
 * const station = new SoapStation({ url: "http://127.0.0.1:9000/ocpp/soap", identity: "CP1", version: "1.6", listen: { port: 0 } });
 * station.handle("1.6", "Reset", () => ({ status: "Accepted" }));
 * await station.start();
 * await station.connection.call("Heartbeat", {});
 */
export class SoapStation<V extends SoapVersion = SoapVersion> {
  /** The CSMS, as a peer to call. */
  readonly connection: SoapConnection<V, "ChargingStation">;
  readonly #options: SoapStationOptions<V>;
  readonly #timers: Timers;
  readonly #handlers = new HandlerTable("ChargingStation");
  readonly #incoming: IncomingSoap;
  readonly #httpAgent = new HttpAgent({ keepAlive: true });
  readonly #httpsAgent: HttpsAgent;
  #server: Server | undefined;
  #listeningUrl: string | undefined;

  /** @throws TypeError when `url` is not an HTTP or HTTPS address */
  constructor(options: SoapStationOptions<V>) {
    const settings = soapSettings(options);
    const address = new URL(options.url);
    if (address.protocol !== "http:" && address.protocol !== "https:") {
      throw new TypeError("the address of the CSMS must begin with http: or https:");
    }
    this.#options = options;
    this.#timers = settings.timers;
    this.#httpsAgent = new HttpsAgent({ keepAlive: true, ...options.tls });
    const from = () => this.address;
    const authorization =
      options.password === undefined ? undefined : basicAuthorization(options.identity, options.password);
    this.connection = new SoapConnection(
      "ChargingStation",
      { identity: options.identity, version: options.version, remoteAddress: address.hostname, address },
      {
        ...settings,
        httpAgent: this.#httpAgent,
        httpsAgent: this.#httpsAgent,
        from,
        authorization: () => authorization,
      },
      () => {},
    );
    this.#incoming = new IncomingSoap({
      ...settings,
      role: "ChargingStation",
      versions: new Set([options.version]),
      handlers: this.#handlers,
      from,
      identify: async (request) => (await this.#identify(request)) as unknown as Connection,
    });
  }

  /** The address that `From` gives to the CSMS; undefined while we do not listen. */
  get address(): string | undefined {
    return this.#options.publicUrl ?? this.#listeningUrl;
  }

  /** Registers or replaces the handler of an action. @throws TypeError when the CSMS does not send it */
  handle<A extends keyof Handlers<V, "ChargingStation"> & string>(
    version: V,
    action: A,
    handler: Handlers<V, "ChargingStation">[A],
  ): this {
    this.#handlers.set(version, action, handler as unknown as UntypedHandler);
    return this;
  }

  /** Answers every action that has no handler of its own; without it they get the Fault NotSupported. */
  handleOthers(handler: FallbackHandler<"ChargingStation">): this {
    this.#handlers.fallback = handler as unknown as UntypedHandler;
    return this;
  }

  /** Starts to listen when `listen` was given. @throws the listening error, such as EADDRINUSE */
  async start(): Promise<void> {
    const { listen } = this.#options;
    if (listen === undefined || this.#server !== undefined) return;
    const { server, port } = await listenHttp(listen, (request, response) => this.handleRequest(request, response));
    this.#server = server;
    const host = listen.host ?? "127.0.0.1";
    this.#listeningUrl = `${listen.tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}/`;
  }

  /** Handles a request to the caller's own HTTP server, which may serve many stations under a path each. */
  handleRequest(request: IncomingMessage, response: ServerResponse): void {
    if (request.method === "POST") void this.#incoming.serve(request, response);
    else {
      const query = (request.url ?? "").split("?", 2)[1] ?? "";
      answerDescription(request, response, query, new Set([this.#options.version]), this.address, "ChargePointService");
    }
  }

  /** Stops: calls that wait fail, answers and the call under way get at most `graceMs` (5 000 when absent). */
  async close(options: { readonly graceMs?: number } = {}): Promise<void> {
    const graceMs = options.graceMs ?? 5000;
    void this.#incoming.stop();
    const stopped = this.#server === undefined ? undefined : closeHttp(this.#server, graceMs, this.#timers);
    await this.connection.end({ reason: "the station closes" }, graceMs);
    await stopped;
    this.#httpAgent.destroy();
    this.#httpsAgent.destroy();
  }

  async #identify(request: OpenedRequest): Promise<SoapConnection<V, "ChargingStation">> {
    const { identity } = this.#options;
    const { chargeBoxIdentity, version, deviations } = request;
    if (chargeBoxIdentity === undefined) deviations.add("soap-no-identity");
    else if (chargeBoxIdentity !== identity) {
      // OCPP-S 1.6 §3.3: a Charge Point that is not the intended one answers with a Fault.
      throw new SoapFault("Sender", "IdentityMismatch", "this is not the station that the request is for");
    }
    const decision = await (this.#options.authenticate?.(credentialsOf(request.http, identity, version)) ?? {
      accept: true,
    });
    if (!decision.accept) throw refusal(decision);
    return this.connection;
  }
}

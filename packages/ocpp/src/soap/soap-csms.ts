import {
  Agent as HttpAgent,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { type AgentOptions, Agent as HttpsAgent, type Agent as HttpsAgentType } from "node:https";
import type { FallbackHandler, Handlers } from "../connection.ts";
import { basicAuthorization } from "../endpoint/basic-authentication.ts";
import { HandlerTable, type UntypedHandler } from "../endpoint/handler-table.ts";
import { closeHttp, type ListenOptions, listenHttp } from "../endpoint/http-endpoint.ts";
import { type Timers, withinMs } from "../endpoint/timers.ts";
import { ANONYMOUS_ADDRESS } from "./envelope.ts";
import { SoapFault } from "./fault.ts";
import { credentialsOf, refusal, type SoapCredentials, type SoapDecision } from "./http-request.ts";
import { IncomingSoap, type OpenedRequest } from "./incoming.ts";
import type { CallSettings, SoapDisconnection } from "./soap-connection.ts";
import { type SoapOptions, soapSettings } from "./soap-options.ts";
import { type SoapVersion, soapVersions } from "./soap-version.ts";
import { type AcceptedRequest, type SoapPeer, StationRegistry } from "./station-registry.ts";
import { answerDescription } from "./wsdl-page.ts";

/** Everything a {@link SoapCsms} can be told; nothing is required. */
export interface SoapCsmsOptions extends SoapOptions {
  /** Path of the endpoint; "/ocpp/soap" when absent. */
  readonly path?: string;
  /** Versions that are served; all three when absent. */
  readonly versions?: readonly SoapVersion[];
  /** Our own address as stations know it, for `From`; without it `From` is anonymous. */
  readonly publicUrl?: string;
  /** Decides about every request; all are accepted when absent. */
  authenticate?(request: SoapCredentials): SoapDecision | Promise<SoapDecision>;
  /** The address that a station gave last, kept over a restart; asked when a station gives none. */
  stationAddress?(identity: string): string | undefined;
  /** Whether we may call this address; any HTTP and HTTPS address when absent. */
  acceptAddress?(station: {
    readonly identity: string;
    readonly address: URL;
    readonly remoteAddress: string;
  }): boolean;
  /** Credentials for calling a station that asks for HTTP Basic authentication. */
  stationCredentials?(identity: string): { readonly username: string; readonly password: string | Buffer } | undefined;
  /** TLS settings for calling stations over HTTPS: trusted roots, our client certificate. */
  readonly stationTls?: AgentOptions;
  /** Milliseconds without a request after which a station counts as gone; 24 h and 10 min when absent, 0 for never. */
  readonly silenceTimeoutMs?: number;
  /** The first request of an identity, or its first in another version. Comes before the request is handled. */
  onConnect?(connection: SoapPeer, accepted: AcceptedRequest): void;
  /** A station gave an address for the first time or a new one; comes after `onConnect`. */
  onAddress?(connection: SoapPeer, address: string): void;
  onDisconnect?(connection: SoapPeer, ended: SoapDisconnection): void;
}

// A station that is configured to send one Heartbeat a day must not fall out between two.
const DEFAULT_SILENCE_MS = (24 * 60 + 10) * 60_000;

const ACCEPTED: SoapDecision = { accept: true };

/** OCPP-S sets no limits; what this leaves out is no identity but an attack, or another path to a proxy. */
function isIdentity(text: string): boolean {
  if (/^[\w-]{1,255}$/.test(text)) return true;
  return text.length <= 255 && text !== "." && text !== ".." && !/[\p{Cc}\p{Cs}]/u.test(text);
}

function parseAddress(text: string | undefined): URL | undefined {
  if (text === undefined || text.length > 2000 || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  return url.protocol === "http:" || url.protocol === "https:" ? url : undefined;
}

/**
 * The CSMS of OCPP-S 1.2, 1.5 and 1.6: one endpoint for all three, the version taken from the XML namespace of
 * each request. Stations are called at the address of their last `From`.
 *
 * @example
 * const csms = new SoapCsms({});
 * csms.handle("1.5", "Heartbeat", () => ({ currentTime: new Date().toISOString() }));
 * const { port } = await csms.listen({ port: 9000 });
 * // once CP1 has sent something:
 * await csms.connections.get("CP1")?.callUntyped("ClearCache", {});
 */
export class SoapCsms {
  readonly #options: SoapCsmsOptions;
  readonly #timers: Timers;
  readonly #path: string;
  readonly #versions: ReadonlySet<SoapVersion>;
  readonly #handlers = new HandlerTable("CSMS");
  readonly #incoming: IncomingSoap;
  readonly #httpAgent = new HttpAgent({ keepAlive: false });
  readonly #httpsAgent: HttpsAgentType;
  readonly #stations: StationRegistry;
  readonly #servers = new Set<Server>();
  readonly #attached = new Map<Server, RequestListener>();

  constructor(options: SoapCsmsOptions = {}) {
    const settings = soapSettings(options);
    this.#options = options;
    this.#timers = settings.timers;
    this.#path = options.path ?? "/ocpp/soap";
    this.#versions = new Set(options.versions ?? soapVersions);
    this.#httpsAgent = new HttpsAgent({ keepAlive: false, ...options.stationTls });
    const from = () => options.publicUrl;
    const calls: CallSettings = {
      ...settings,
      httpAgent: this.#httpAgent,
      httpsAgent: this.#httpsAgent,
      from,
      authorization: (identity) => {
        const credentials = options.stationCredentials?.(identity);
        return credentials && basicAuthorization(credentials.username, credentials.password);
      },
    };
    const silenceMs = options.silenceTimeoutMs ?? DEFAULT_SILENCE_MS;
    this.#stations = new StationRegistry(calls, options, settings.timers, silenceMs);
    this.#incoming = new IncomingSoap({
      ...settings,
      role: "CSMS",
      versions: this.#versions,
      handlers: this.#handlers,
      from,
      identify: (request) => this.#identify(request),
    });
  }

  /** The newest connection of every identity that has sent something, or was opened by {@link connectionTo}. */
  get connections(): ReadonlyMap<string, SoapPeer> {
    return this.#stations.peers;
  }

  /** Requests that are not answered yet, also those that have not arrived as a whole. */
  get pendingRequests(): number {
    return this.#incoming.pending;
  }

  /** Registers or replaces the handler of an action. @throws TypeError when stations of the version do not send it */
  handle<V extends SoapVersion, A extends keyof Handlers<V, "CSMS"> & string>(
    version: V,
    action: A,
    handler: Handlers<V, "CSMS">[A],
  ): this {
    this.#handlers.set(version, action, handler as unknown as UntypedHandler);
    return this;
  }

  /** Answers every action that has no handler of its own; without it they get the Fault NotSupported. */
  handleOthers(handler: FallbackHandler<"CSMS">): this {
    this.#handlers.fallback = handler as unknown as UntypedHandler;
    return this;
  }

  /**
   * Handles a request to the caller's own HTTP server if its path is ours, and says whether it is. Serves the
   * service descriptions at `?wsdl`, of an older version at `?wsdl=1.5`.
   */
  handleRequest(request: IncomingMessage, response: ServerResponse): boolean {
    const [path = "", query = ""] = (request.url ?? "").split("?", 2);
    if (path !== this.#path && !path.startsWith(`${this.#path}/`)) return false;
    if (request.method === "POST") void this.#incoming.serve(request, response);
    else answerDescription(request, response, query, this.#versions, this.#options.publicUrl);
    return true;
  }

  /**
   * Serves the path on the caller's own HTTP server. Other requests are left to the server's other listeners, and get
   * 404 when there are none.
   */
  attach(server: Server): void {
    if (this.#attached.has(server)) return;
    const listener = (request: IncomingMessage, response: ServerResponse) => {
      if (this.handleRequest(request, response) || server.listenerCount("request") > 1) return;
      response.writeHead(404).end();
    };
    this.#attached.set(server, listener);
    server.on("request", listener);
  }

  /** Starts a server of our own. @throws the listening error, such as EADDRINUSE */
  async listen(options: ListenOptions): Promise<{ port: number }> {
    const { server, port } = await listenHttp(options, (request, response) => {
      if (!this.handleRequest(request, response)) response.writeHead(404).end();
    });
    this.#servers.add(server);
    return { port };
  }

  /**
   * The connection of a station that may not have sent anything since we started: its last one, or a new one to the
   * address that `stationAddress` knows; undefined when no address is known.
   */
  connectionTo(identity: string, version: SoapVersion): SoapPeer | undefined {
    return this.#stations.open(identity, version, () => parseAddress(this.#options.stationAddress?.(identity)));
  }

  /** Refuses further requests, lets answers and calls out for at most `graceMs` (5 000 when absent), and stops. */
  async close(options: { readonly graceMs?: number } = {}): Promise<void> {
    const graceMs = options.graceMs ?? 5000;
    const answered = this.#incoming.stop();
    const stopped = [...this.#servers].map((server) => closeHttp(server, graceMs, this.#timers));
    const ended = this.#stations.close("the CSMS closes", graceMs);
    await withinMs(this.#timers, graceMs, answered);
    await Promise.all([...stopped, ended]);
    for (const [server, listener] of this.#attached) server.off("request", listener);
    this.#attached.clear();
    this.#httpAgent.destroy();
    this.#httpsAgent.destroy();
  }

  #identify(request: OpenedRequest): SoapPeer | Promise<SoapPeer> {
    const identity = request.chargeBoxIdentity ?? this.#identityInPath(request);
    if (identity === undefined || !isIdentity(identity)) {
      const what = identity === undefined ? "missing" : "not an identity";
      throw new SoapFault("Sender", "IdentityMismatch", `the header chargeBoxIdentity is ${what}`);
    }
    const credentials = credentialsOf(request.http, identity, request.version);
    const decision = this.#options.authenticate?.(credentials) ?? ACCEPTED;
    return decision instanceof Promise
      ? decision.then((decided) => this.#contact(request, credentials, decided))
      : this.#contact(request, credentials, decision);
  }

  #contact(request: OpenedRequest, credentials: SoapCredentials, decision: SoapDecision): SoapPeer {
    if (!decision.accept) throw refusal(decision);
    const { identity, version, remoteAddress } = credentials;
    const address = this.#givenAddress(request, credentials);
    return this.#stations.contact({ identity, version, remoteAddress, address, context: decision.context }, () =>
      parseAddress(this.#options.stationAddress?.(identity)),
    );
  }

  /** Some stations leave the header out and are configured with an address of their own instead. */
  #identityInPath({ http, deviations }: OpenedRequest): string | undefined {
    const rest = (http.url ?? "").split("?", 1)[0]?.slice(this.#path.length + 1);
    if (rest === undefined || rest === "" || rest.includes("/")) return undefined;
    try {
      const identity = decodeURIComponent(rest);
      deviations.add("soap-identity-in-path");
      return identity;
    } catch {
      return undefined;
    }
  }

  #givenAddress({ addressing, version }: OpenedRequest, { identity, remoteAddress }: SoapCredentials): URL | undefined {
    if (addressing.from === undefined || addressing.from === ANONYMOUS_ADDRESS) return undefined;
    // The one it gave before was looked at then.
    const known = this.#stations.peers.get(identity);
    if (known?.version === version && known.address === addressing.from) return undefined;
    const address = parseAddress(addressing.from);
    if (address === undefined) return undefined;
    return (this.#options.acceptAddress?.({ identity, address, remoteAddress }) ?? true) ? address : undefined;
  }
}

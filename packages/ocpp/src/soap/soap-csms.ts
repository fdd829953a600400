import {
  Agent as HttpAgent,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { type AgentOptions, Agent as HttpsAgent, type Agent as HttpsAgentType } from "node:https";
import type { OcppVersion } from "../catalogue/version.ts";
import type { Connection, FallbackHandler, Handlers } from "../connection.ts";
import { HandlerTable, type UntypedHandler } from "../json/handler-table.ts";
import { basicAuthorization } from "../json/handshake.ts";
import type { ListenOptions } from "../json/json-csms.ts";
import { ANONYMOUS_ADDRESS } from "./envelope.ts";
import { SoapFault } from "./fault.ts";
import {
  closeHttp,
  credentialsOf,
  listenHttp,
  refusal,
  type SoapCredentials,
  type SoapDecision,
} from "./http-request.ts";
import { IncomingSoap, type OpenedRequest } from "./incoming.ts";
import { type CallSettings, SoapConnection, type SoapDisconnection } from "./soap-connection.ts";
import { type SoapOptions, soapSettings } from "./soap-options.ts";
import { type SoapVersion, soapVersions } from "./soap-version.ts";
import { answerDescription } from "./wsdl-page.ts";

/** A station as the CSMS of OCPP-S knows it. */
export interface SoapPeer extends Connection<OcppVersion, "CSMS"> {
  /** Where calls go: the address of the station's last `From`. Undefined until one is known. */
  readonly address: string | undefined;
}

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
  onConnect?(connection: SoapPeer): void;
  /** A station gave an address for the first time or a new one; comes after `onConnect`. */
  onAddress?(connection: SoapPeer, address: string): void;
  onDisconnect?(connection: SoapPeer, ended: SoapDisconnection): void;
}

interface Station {
  readonly connection: SoapConnection<SoapVersion, "CSMS">;
  lastSeenMs: number;
}

// A station that is configured to send one Heartbeat a day must not fall out between two.
const DEFAULT_SILENCE_MS = (24 * 60 + 10) * 60_000;

/** The types of actions differ from version to version; at run time every connection can do what any can. */
function asPeer(connection: SoapConnection<SoapVersion, "CSMS">): SoapPeer {
  return connection as unknown as SoapPeer;
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
  readonly #path: string;
  readonly #versions: ReadonlySet<SoapVersion>;
  readonly #handlers = new HandlerTable("CSMS");
  readonly #incoming: IncomingSoap;
  readonly #calls: CallSettings;
  readonly #httpAgent = new HttpAgent({ keepAlive: false });
  readonly #httpsAgent: HttpsAgentType;
  readonly #stations = new Map<string, Station>();
  readonly #connections = new Map<string, SoapConnection<SoapVersion, "CSMS">>();
  readonly #servers = new Set<Server>();
  readonly #attached = new Map<Server, RequestListener>();
  readonly #elapsedMs: () => number;
  #cancelSweep: (() => void) | undefined;
  readonly #sweep: (callback: () => void, delayMs: number) => () => void;

  constructor(options: SoapCsmsOptions = {}) {
    const settings = soapSettings(options);
    this.#options = options;
    this.#path = options.path ?? "/ocpp/soap";
    this.#versions = new Set(options.versions ?? soapVersions);
    this.#httpsAgent = new HttpsAgent({ keepAlive: false, ...options.stationTls });
    this.#elapsedMs = () => settings.timers.elapsedMs();
    this.#sweep = (callback, delayMs) => settings.timers.after(delayMs, callback);
    const from = () => options.publicUrl;
    this.#calls = {
      ...settings,
      httpAgent: this.#httpAgent,
      httpsAgent: this.#httpsAgent,
      from,
      authorization: (identity) => {
        const credentials = options.stationCredentials?.(identity);
        return credentials && basicAuthorization(credentials.username, credentials.password);
      },
    };
    this.#incoming = new IncomingSoap({
      ...settings,
      role: "CSMS",
      versions: this.#versions,
      handlers: this.#handlers,
      from,
      identify: async (request) => asPeer(await this.#identify(request)),
    });
  }

  /** The newest connection of every identity that has sent something, or was opened by {@link connectionTo}. */
  get connections(): ReadonlyMap<string, SoapPeer> {
    return this.#connections as ReadonlyMap<string, unknown> as ReadonlyMap<string, SoapPeer>;
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
    const present = this.#stations.get(identity)?.connection;
    if (present?.version === version) return asPeer(present);
    const address = parseAddress(this.#options.stationAddress?.(identity));
    if (address === undefined) return undefined;
    return asPeer(this.#connect(identity, version, address.hostname, address));
  }

  /** Refuses further requests, lets answers and calls out for at most `graceMs` (5 000 when absent), and stops. */
  async close(options: { readonly graceMs?: number } = {}): Promise<void> {
    const graceMs = options.graceMs ?? 5000;
    this.#cancelSweep?.();
    const answered = this.#incoming.stop();
    const stopped = [...this.#servers].map((server) => closeHttp(server, graceMs));
    const ended = [...this.#stations.values()].map(({ connection }) =>
      connection.end({ reason: "the CSMS closes" }, graceMs),
    );
    let cancel = () => {};
    const overdue = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      cancel = () => clearTimeout(timer);
    });
    await Promise.race([answered, overdue]);
    cancel();
    await Promise.all([...stopped, ...ended]);
    for (const [server, listener] of this.#attached) server.off("request", listener);
    this.#attached.clear();
    this.#httpAgent.destroy();
    this.#httpsAgent.destroy();
  }

  async #identify(request: OpenedRequest): Promise<SoapConnection<SoapVersion, "CSMS">> {
    const identity = request.chargeBoxIdentity ?? this.#identityInPath(request);
    if (identity === undefined) {
      throw new SoapFault("Sender", "IdentityMismatch", "the header chargeBoxIdentity is missing");
    }
    if (identity.length > 255) throw new SoapFault("Sender", "IdentityMismatch", "chargeBoxIdentity is too long");
    const { version } = request;
    const credentials = credentialsOf(request.http, identity, version);
    const decision = await (this.#options.authenticate?.(credentials) ?? { accept: true });
    if (!decision.accept) throw refusal(decision);
    const given = this.#givenAddress(request, credentials);
    const station = this.#stations.get(identity);
    const { remoteAddress } = credentials;
    if (station?.connection.version === version) {
      station.lastSeenMs = this.#elapsedMs();
      station.connection.remoteAddress = remoteAddress;
      if (given !== undefined) this.#move(station.connection, given);
      return station.connection;
    }
    const address = given ?? parseAddress(this.#options.stationAddress?.(identity));
    const connection = this.#connect(identity, version, remoteAddress, address);
    if (given !== undefined) this.#tell(identity, () => this.#options.onAddress?.(asPeer(connection), given.href));
    return connection;
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

  #givenAddress({ addressing }: OpenedRequest, { identity, remoteAddress }: SoapCredentials): URL | undefined {
    if (addressing.from === undefined || addressing.from === ANONYMOUS_ADDRESS) return undefined;
    const address = parseAddress(addressing.from);
    if (address === undefined) return undefined;
    return (this.#options.acceptAddress?.({ identity, address, remoteAddress }) ?? true) ? address : undefined;
  }

  #move(connection: SoapConnection<SoapVersion, "CSMS">, address: URL): void {
    if (connection.address === address.href) return;
    connection.moveTo(address);
    this.#tell(connection.identity, () => this.#options.onAddress?.(asPeer(connection), address.href));
  }

  #connect(
    identity: string,
    version: SoapVersion,
    remoteAddress: string,
    address: URL | undefined,
  ): SoapConnection<SoapVersion, "CSMS"> {
    const replaced = this.#stations.get(identity)?.connection;
    const connection: SoapConnection<SoapVersion, "CSMS"> = new SoapConnection(
      "CSMS",
      { identity, version, remoteAddress, address },
      this.#calls,
      (ended) => this.#disconnected(connection, ended),
    );
    this.#stations.set(identity, { connection, lastSeenMs: this.#elapsedMs() });
    this.#connections.set(identity, connection);
    if (replaced !== undefined) void replaced.end({ reason: `now speaks OCPP ${version}`, replacedBy: true }, 0);
    this.#tell(identity, () => this.#options.onConnect?.(asPeer(connection)));
    this.#watchSilence();
    return connection;
  }

  #disconnected(connection: SoapConnection<SoapVersion, "CSMS">, ended: SoapDisconnection): void {
    if (this.#connections.get(connection.identity) === connection) {
      this.#stations.delete(connection.identity);
      this.#connections.delete(connection.identity);
    }
    this.#tell(connection.identity, () => this.#options.onDisconnect?.(asPeer(connection), ended));
  }

  /** Runs a callback of the caller's; what it throws is reported and harms nothing. */
  #tell(identity: string, callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#calls.observer?.failed?.({ identity, action: "", error });
    }
  }

  #watchSilence(): void {
    const silenceMs = this.#options.silenceTimeoutMs ?? DEFAULT_SILENCE_MS;
    if (silenceMs === 0 || this.#cancelSweep !== undefined) return;
    const check = () => {
      const limit = this.#elapsedMs() - silenceMs;
      for (const { connection, lastSeenMs } of [...this.#stations.values()]) {
        if (lastSeenMs <= limit) void connection.end({ reason: `silent for ${silenceMs} ms` }, 0);
      }
      this.#cancelSweep = this.#stations.size > 0 ? this.#sweep(check, silenceMs / 10) : undefined;
    };
    this.#cancelSweep = this.#sweep(check, silenceMs / 10);
  }
}

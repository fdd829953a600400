import type { EndpointObserver, JsonCsms } from "@polyphase/ocpp";
import type { Logger } from "pino";
import type { Metrics } from "../api/metrics.ts";
import type { Clock } from "../clock.ts";
import type { GroupCommit } from "../database/write-unit.ts";
import { ConnectedStationCalls } from "./connected-station-calls.ts";
import { CredentialThrottle } from "./credential-throttle.ts";
import { GatewayMetrics } from "./gateway-metrics.ts";
import { createJsonEndpoint, type EndpointDeps, type JsonEndpointLimits } from "./json-endpoint.ts";
import type { KnownStations, StationCredentials } from "./known-stations.ts";
import { PresenceRecord } from "./presence-record.ts";
import { StationAuthentication } from "./station-authentication.ts";
import { StationListeners, type StationListenOptions } from "./station-listeners.ts";
import type { StationCalls, StationMessageRoutes } from "./station-messages.ts";
import { StationRouter } from "./station-router.ts";
import { RegisteredRoutes } from "./station-routes.ts";
import { StationSessions } from "./station-sessions.ts";

/** What the gateway works with. */
export interface GatewayDeps {
  readonly stations: KnownStations;
  readonly credentials: StationCredentials;
  readonly groupCommit: GroupCommit;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Organization that client certificates of security profile 3 must name (A00.FR.404); any when absent. */
  readonly operatorName?: string | undefined;
  readonly limits?: JsonEndpointLimits;
}

/** The OCPP edge: where stations connect, and how they are called. */
export interface Gateway {
  /** Where blocks register what they answer. Register before {@link listen}. */
  readonly routes: StationMessageRoutes;
  readonly calls: StationCalls;
  /** @throws ListenError when a port cannot be had */
  listen(options: StationListenOptions): Promise<{ readonly port: number; readonly tlsPort?: number }>;
  /** Takes no more connections, lets running answers out, closes every connection with 1001 and writes what waits. */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

/** How often connection changes, and how often the times of stations that were seen, are written. */
const presenceIntervalMs = 1_000;
const seenIntervalMs = 30_000;

/** Builds the gateway; nothing listens yet. */
export function createGateway(deps: GatewayDeps): Gateway {
  return new StationGateway(deps);
}

class StationGateway implements Gateway {
  readonly routes: RegisteredRoutes;
  readonly calls: StationCalls;
  readonly #log: Logger;
  readonly #stations: KnownStations;
  readonly #metrics: GatewayMetrics;
  readonly #presence: PresenceRecord;
  readonly #listeners: StationListeners;
  readonly #json: JsonCsms;
  readonly #seenTimer: NodeJS.Timeout;

  constructor(deps: GatewayDeps) {
    const { stations, groupCommit, clock } = deps;
    this.#log = deps.log;
    this.#stations = stations;
    this.#presence = new PresenceRecord({ groupCommit, log: deps.log, intervalMs: presenceIntervalMs });
    const sessions = new StationSessions({ clock, presence: this.#presence });
    this.#seenTimer = setInterval(() => sessions.recordSeen(), seenIntervalMs);
    this.#seenTimer.unref();
    this.#metrics = new GatewayMetrics(deps.metrics, sessions);
    this.routes = new RegisteredRoutes();
    this.calls = new ConnectedStationCalls({ sessions, stations });
    const authentication = new StationAuthentication({
      stations,
      credentials: deps.credentials,
      throttle: new CredentialThrottle(clock),
      operatorName: deps.operatorName,
    });
    const router = new StationRouter({ routes: this.routes, sessions, stations, log: deps.log });
    const endpointDeps = this.#endpointDeps({ authentication, sessions, router, clock });
    this.#json = createJsonEndpoint(endpointDeps, deps.limits);
    this.#listeners = new StationListeners({
      attachWebSockets: (server) => this.#json.attach(server),
      handleRequest: () => false,
    });
  }

  listen(options: StationListenOptions): Promise<{ readonly port: number; readonly tlsPort?: number }> {
    return this.#listeners.listen(options);
  }

  async close(options: { readonly graceMs?: number } = {}): Promise<void> {
    const graceMs = options.graceMs ?? 5_000;
    clearInterval(this.#seenTimer);
    const closed = this.#listeners.close(graceMs);
    await this.#json.close({ graceMs });
    await closed;
    await this.#presence.close();
  }

  #endpointDeps(parts: Pick<EndpointDeps, "authentication" | "sessions" | "router" | "clock">): EndpointDeps {
    const log = this.#log;
    return {
      ...parts,
      tolerance: {},
      observer: this.#observer(),
      refused: (identity, remoteAddress, { cause, status, reason }) => {
        this.#metrics.handshakeRefused(cause);
        log.warn({ stationId: identity.slice(0, 128), remoteAddress, cause, status, reason }, "station refused");
      },
      upgraded: (station, securityProfile) => {
        // A05.FR.07; only where a profile was set at all: profile 0 is an operator's choice.
        if (station.securityProfile === 0) return;
        this.#stations.setSecurityProfile(station.stationId, securityProfile).catch((error: unknown) => {
          log.error({ err: error, stationId: station.stationId, securityProfile }, "security profile was not raised");
        });
      },
      versionWithoutSubprotocol: (station) => station.configuredVersion,
      withoutSubprotocol: (stationId, version) => {
        log.info({ stationId, version }, "connected without a subprotocol");
      },
    };
  }

  #observer(): EndpointObserver {
    const log = this.#log;
    const metrics = this.#metrics;
    return {
      message: ({ version, direction, kind }) => metrics.message(version, direction, kind),
      tolerated: ({ identity, version, action, rule }) => {
        metrics.tolerated(rule, version);
        log.info({ stationId: identity, version, action, rule }, "deviation tolerated");
      },
      violated: ({ identity, version, action, direction, violation }) => {
        metrics.violated(version, direction);
        log.warn({ stationId: identity, version, action, direction, violation }, "payload refused");
      },
      ignored: ({ identity, reason, messageId }) => {
        metrics.ignored();
        log.info({ stationId: identity, reason, messageId }, "frame ignored");
      },
      failed: ({ identity, action, error }) => {
        metrics.failed();
        log.error({ err: error, stationId: identity, action }, "message failed");
      },
    };
  }
}

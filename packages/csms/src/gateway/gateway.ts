import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout } from "node:timers/promises";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { EndpointObserver, JsonCsms, OcppVersion, SoapCsms, SoapVersion } from "@polyphase/ocpp";
import type { Kysely } from "kysely";
import type { Logger } from "pino";
import type { Metrics } from "../api/metrics.ts";
import type { Clock, ElapsedMs } from "../clock.ts";
import type { GroupCommit, WriteUnit } from "../database/write-unit.ts";
import { gatewayApi } from "./api.ts";
import { StationCommands } from "./command-registry.ts";
import type { CommandRegistry } from "./commands.ts";
import { ConnectedStationCalls } from "./connected-station-calls.ts";
import { CredentialThrottle } from "./credential-throttle.ts";
import type { EndpointDeps } from "./endpoint.ts";
import { GatewayMetrics } from "./gateway-metrics.ts";
import { createJsonEndpoint, type JsonEndpointLimits } from "./json-endpoint.ts";
import type { KnownStations, StationCredentials } from "./known-stations.ts";
import { registerLoadMetrics } from "./load-metrics.ts";
import { MessageLog } from "./message-log/message-log.ts";
import { PresenceRecord } from "./presence-record.ts";
import { createSoapEndpoint } from "./soap-endpoint.ts";
import { StationAuthentication } from "./station-authentication.ts";
import {
  type HttpLimits,
  type StationEndpoints,
  StationListeners,
  type StationListenOptions,
} from "./station-listeners.ts";
import type { StationCalls, StationMessageRoutes } from "./station-messages.ts";
import { deletePresence, forgetConnections, rememberedAddresses } from "./station-presence.ts";
import { StationRouter } from "./station-router.ts";
import { RegisteredRoutes } from "./station-routes.ts";
import { StationSessions } from "./station-sessions.ts";
import { deviationRoutes } from "./tolerance/api.ts";
import { delayedStartAnswer, missingSubprotocol, noPing, spacedCalls } from "./tolerance/connection-rules.ts";
import { deleteDeviations } from "./tolerance/deviation-store.ts";
import type { DeviationWatch } from "./tolerance/deviation-watch.ts";
import { deleteTolerances } from "./tolerance/tolerance-settings.ts";
import { TriggerWatch } from "./tolerance/trigger-watch.ts";
import { pageRefusal, WebPages } from "./web-page.ts";

/** What the gateway works with. */
export interface GatewayDeps {
  readonly stations: KnownStations;
  readonly credentials: StationCredentials;
  /** For presence and connection events. */
  readonly groupCommit: GroupCommit;
  /** For the message log and settings; has the gateway's migrations. */
  readonly database: Kysely<unknown>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** What is tolerated of whom, and who showed what. The gateway loads and closes it. */
  readonly deviations: DeviationWatch;
  /** Organization that client certificates of security profile 3 must name (A00.FR.404); any when absent. */
  readonly operatorName?: string | undefined;
  /** Origins of web pages that may speak as stations; none when absent. */
  readonly stationOrigins?: readonly string[] | undefined;
  /** Address of the SOAP endpoint as stations reach it, for `From`; anonymous when absent. */
  readonly soapPublicUrl?: string | undefined;
  readonly limits?: JsonEndpointLimits;
  /** What differs from the usual times of the listeners. */
  readonly httpLimits?: Partial<HttpLimits>;
  /** Whether the disk of the database has no room for what may be left out. */
  isDiskShort?(): boolean;
  /** Passing time, by which triggered messages are late; the machine's when absent. */
  readonly elapsedMs?: ElapsedMs;
  /** Resolves after so many milliseconds; by a timer of the system when absent. */
  wait?(durationMs: number): Promise<void>;
}

/** The OCPP edge: where stations connect, and how they are called. */
export interface Gateway {
  /** Where blocks register what they answer. Register before {@link listen}. */
  readonly routes: StationMessageRoutes;
  readonly calls: StationCalls;
  readonly commands: CommandRegistry;
  /** Routes below `/api/v1`. */
  readonly api: FastifyPluginAsyncTypebox;
  /** Removes what the gateway keeps of a station in the unit that removes the station; returns what to do after the commit. */
  removeStation(stationId: string, unit: WriteUnit): () => void;
  /** Reads settings, and the addresses of OCPP-S stations. Call it after `stations` is loaded and before {@link listen}. */
  load(): Promise<void>;
  /** @throws ListenError when a port cannot be had */
  listen(options: StationListenOptions): Promise<{ readonly port: number; readonly tlsPort?: number }>;
  /** Takes no more connections, lets running answers out, closes every connection with 1001 and writes what waits. */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

/** What `delayed-start-answer` waits. */
const startAnswerDelayMs = 1_000;

/** What `spaced-calls` leaves between an answer and the next call. */
const callSpacingMs = 2_000;

/** How often it is looked for triggered messages that did not come. */
const triggerLookMs = 1_000;

/** How often connection changes, and how often the times of stations that were seen, are written. */
const presenceIntervalMs = 1_000;
const seenIntervalMs = 30_000;

/** Builds the gateway; nothing listens yet. */
export function createGateway(deps: GatewayDeps): Gateway {
  return new StationGateway(deps);
}

class StationGateway implements Gateway {
  readonly routes = new RegisteredRoutes();
  readonly calls: StationCalls;
  readonly commands: CommandRegistry;
  readonly api: FastifyPluginAsyncTypebox;
  readonly #deps: GatewayDeps;
  readonly #metrics: GatewayMetrics;
  readonly #presence: PresenceRecord;
  readonly #messageLog: MessageLog;
  readonly #deviations: DeviationWatch;
  readonly #triggers: TriggerWatch;
  readonly #listeners: StationListeners;
  readonly #json: JsonCsms;
  readonly #soap: SoapCsms;
  readonly #soapAddresses = new Map<string, string>();
  readonly #seenTimer: NodeJS.Timeout;
  readonly #triggerTimer: NodeJS.Timeout;

  constructor(deps: GatewayDeps) {
    const { stations, groupCommit, clock, log, database, deviations } = deps;
    this.#deps = deps;
    this.#deviations = deviations;
    this.#presence = new PresenceRecord({ groupCommit, log, intervalMs: presenceIntervalMs });
    const sessions = new StationSessions({ clock, presence: this.#presence });
    this.#seenTimer = setInterval(() => sessions.recordSeen(), seenIntervalMs);
    this.#seenTimer.unref();
    this.#metrics = new GatewayMetrics(deps.metrics, sessions);
    this.#messageLog = new MessageLog({
      ...{ database, clock, log },
      ...(deps.isDiskShort === undefined ? {} : { isDiskShort: deps.isDiskShort.bind(deps) }),
    });
    deviations.followVersions((stationId) => sessions.find(stationId)?.version);
    this.#triggers = new TriggerWatch(
      (stationId, action) => deviations.showed(stationId, "trigger-not-executed", { requestedMessage: action }),
      deps.elapsedMs,
    );
    this.#triggerTimer = setInterval(() => this.#triggers.look(), triggerLookMs);
    this.#triggerTimer.unref();
    const calls = new ConnectedStationCalls({
      ...{ sessions, stations, deviations, triggers: this.#triggers },
      spacing: {
        isNeeded: (stationId) => deviations.rules.isEnabled(stationId, spacedCalls),
        pass: (stationId) => this.#spaceCalls(stationId),
      },
    });
    this.calls = calls;
    this.commands = new StationCommands({ calls: this.calls, groupCommit, clock, log });
    const messagesAndCommands = gatewayApi({ database, stations, calls: this.calls, commands: this.commands });
    this.api = async (server) => {
      await server.register(messagesAndCommands);
      await server.register(deviationRoutes({ database, groupCommit, stations, deviations }));
    };
    const endpointDeps = this.#endpointDeps(sessions);
    this.#json = createJsonEndpoint(endpointDeps, deps.limits);
    this.#soap = createSoapEndpoint(endpointDeps, {
      publicUrl: deps.soapPublicUrl,
      callTimeoutMs: deps.limits?.callTimeoutMs,
      stationAddress: (identity) => this.#soapAddresses.get(identity),
      addressChanged: (identity, address) => {
        this.#soapAddresses.set(identity, address);
        sessions.addressChanged(identity, address);
      },
    });
    const endpoints: StationEndpoints = {
      handleUpgrade: (request, socket, head) => this.#json.handleUpgrade(request, socket, head),
      handleRequest: (request, response) =>
        this.#refusePage(endpointDeps, request, response) || this.#soap.handleRequest(request, response),
    };
    this.#listeners = new StationListeners(endpoints, log, deps.httpLimits);
    registerLoadMetrics(deps.metrics, () => ({
      sockets: this.#listeners.connections,
      unfinished: this.#listeners.unfinished.count,
      cut: this.#listeners.unfinished.cut,
      handshakes: this.#json.load.handshakes,
      requests: this.#json.load.requests + this.#soap.pendingRequests,
      calls: calls.pending,
    }));
  }

  async load(): Promise<void> {
    const { database, stations } = this.#deps;
    await this.#deviations.settings.load();
    await forgetConnections(database);
    for (const { stationId, version, address, connected } of await rememberedAddresses(database)) {
      if (stations.find(stationId) === undefined) continue;
      this.#soapAddresses.set(stationId, address);
      // It may be called at once; whether it still listens there shows when it is.
      if (connected) this.#soap.connectionTo(stationId, version as SoapVersion);
    }
  }

  removeStation(stationId: string, unit: WriteUnit): () => void {
    const row = { station_id: stationId };
    unit.add(deletePresence, row).add(deleteTolerances, row).add(deleteDeviations, row);
    return () => {
      this.#soapAddresses.delete(stationId);
      this.#deviations.rules.forget(stationId);
      this.#deviations.record.forget(stationId);
    };
  }

  listen(options: StationListenOptions): Promise<{ readonly port: number; readonly tlsPort?: number }> {
    return this.#listeners.listen(options);
  }

  async close(options: { readonly graceMs?: number } = {}): Promise<void> {
    const graceMs = options.graceMs ?? 5_000;
    clearInterval(this.#seenTimer);
    clearInterval(this.#triggerTimer);
    const closed = this.#listeners.close(graceMs);
    await Promise.all([this.#json.close({ graceMs }), this.#soap.close({ graceMs })]);
    await closed;
    await this.#deviations.record.close();
    await this.#presence.close();
    await this.#messageLog.close();
  }

  #endpointDeps(sessions: StationSessions): EndpointDeps {
    const { stations, credentials, clock, log, operatorName, stationOrigins } = this.#deps;
    const throttle = new CredentialThrottle();
    return {
      sessions,
      clock,
      webPages: new WebPages(stationOrigins),
      authentication: new StationAuthentication({ stations, credentials, throttle, operatorName }),
      router: new StationRouter({
        ...{ routes: this.routes, sessions, stations, log },
        answerAfter: (stationId, version, action) =>
          action === "StartTransaction" ? this.#startAnswerDelay(stationId, version) : undefined,
      }),
      tolerance: this.#deviations.rules,
      deviations: this.#deviations,
      observer: this.#observer(),
      refused: (identity, remoteAddress, { cause, status, reason }) => {
        this.#metrics.handshakeRefused(cause);
        const evidence = { cause, status, remoteAddress };
        this.#deviations.rejected("refused-handshake", { stationId: identity, evidence });
        log.warn({ stationId: identity.slice(0, 128), remoteAddress, cause, status, reason }, "station refused");
      },
      upgraded: ({ stationId }, securityProfile) => {
        stations.setSecurityProfile(stationId, securityProfile).catch((error: unknown) => {
          log.error({ err: error, stationId, securityProfile }, "the security profile was not raised");
        });
      },
      versionWithoutSubprotocol: (station) =>
        station.configuredVersion ??
        (this.#deviations.rules.isEnabled(station.stationId, missingSubprotocol) ? "1.6" : undefined),
      pingIntervalMs: ({ stationId }) => {
        if (!this.#deviations.rules.isEnabled(stationId, noPing)) return undefined;
        this.#deviations.tolerated(noPing.name, { stationId });
        return 0;
      },
      withoutSubprotocol: (stationId, version) =>
        this.#deviations.tolerated(missingSubprotocol.name, { stationId, version }),
    };
  }

  /** A page needs no leave of ours to post a text: what it asks by SOAP must not even be read. */
  #refusePage(deps: EndpointDeps, request: IncomingMessage, response: ServerResponse): boolean {
    const origin = deps.webPages.refusedOrigin(request.headers);
    if (origin === undefined) return false;
    const refusal = pageRefusal(origin);
    deps.refused("", request.socket.remoteAddress ?? "", refusal);
    response.writeHead(refusal.status, { Connection: "close", "Content-Type": "text/plain; charset=utf-8" });
    response.end(`${refusal.reason}\n`);
    return true;
  }

  #startAnswerDelay(stationId: string, version: OcppVersion): Promise<void> | undefined {
    const rule = delayedStartAnswer;
    if (!this.#deviations.rules.isEnabled(stationId, rule)) return undefined;
    this.#deviations.tolerated(rule.name, { stationId, version, action: "StartTransaction" });
    return this.#wait(startAnswerDelayMs);
  }

  #spaceCalls(stationId: string): Promise<void> {
    this.#deviations.tolerated(spacedCalls.name, { stationId });
    return this.#wait(callSpacingMs);
  }

  #wait(durationMs: number): Promise<void> {
    return this.#deps.wait?.(durationMs) ?? setTimeout(durationMs, undefined, { ref: false });
  }

  #observer(): EndpointObserver {
    const { log } = this.#deps;
    const metrics = this.#metrics;
    const messageLog = this.#messageLog;
    const triggers = this.#triggers;
    const deviations = this.#deviations.observer();
    return {
      message: (message) => {
        metrics.message(message.version, message.direction, message.kind);
        messageLog.record(message);
        if (triggers.size > 0 && message.kind === "CALL" && message.direction === "received") {
          triggers.settled(message.identity, message.action);
        }
      },
      tolerated: deviations.tolerated,
      refused: deviations.refused,
      violated: (deviation) => {
        const { identity, version, action, direction, violation } = deviation;
        metrics.violated(version, direction);
        deviations.violated(deviation);
        log.warn({ stationId: identity, version, action, direction, violation }, "payload refused");
      },
      ignored: (event) => {
        const { identity, reason, messageId } = event;
        metrics.ignored();
        deviations.ignored(event);
        log.info({ stationId: identity, reason, messageId }, "frame ignored");
      },
      failed: ({ identity, action, error }) => {
        metrics.failed();
        log.error({ err: error, stationId: identity, action }, "message failed");
      },
    };
  }
}

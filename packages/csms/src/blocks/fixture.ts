import type { FastifyPluginAsyncTypebox, TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import { catalogue, describeViolation, type OcppVersion } from "@polyphase/ocpp";
import Fastify, { type FastifyInstance } from "fastify";
import type { Kysely, Migration } from "kysely";
import { pino } from "pino";
import { toProblem } from "../api/error-mapping.ts";
import { problemDocument } from "../api/problem.ts";
import { requestValidatorCompiler } from "../api/request-validation.ts";
import type { Clock } from "../clock.ts";
import { connectDatabase } from "../database/connection.ts";
import { createGroupCommit, type GroupCommitter } from "../database/group-commit.ts";
import { migrateDatabase } from "../database/migrate.ts";
import type { GroupCommit } from "../database/write-unit.ts";
import type { DomainEvent } from "../events/domain-event.ts";
import type { EventInsertRow, EventSink, ReservedEvents } from "../events/event-sink.ts";
import { StationCommands } from "../gateway/command-registry.ts";
import {
  type StationCalls,
  type StationContext,
  StationOfflineError,
  type StationSession,
} from "../gateway/station-messages.ts";
import { RegisteredRoutes } from "../gateway/station-routes.ts";

/** A log that nobody reads. */
export const silentLog = pino({ level: "silent" });

/** Remembers the events that were committed. */
class CommittedEvents implements EventSink {
  readonly events: DomainEvent[] = [];

  insert(events: readonly DomainEvent[]) {
    return { name: "test-events", text: "select generate_series(1, $1::int) as id", values: [events.length] };
  }

  reserve(events: readonly DomainEvent[], _rows: readonly EventInsertRow[]): ReservedEvents {
    return {
      committed: () => void this.events.push(...events),
      rolledBack: () => undefined,
      unknown: () => undefined,
      // Nothing stores them: a group in doubt is stored again.
      storedBy: () => ({ text: "select false as stored", values: [] }),
    };
  }
}

/** A real database with the tables of some blocks, and the events that were committed to it. */
export interface BlockDatabase {
  readonly database: Kysely<unknown>;
  readonly groupCommit: GroupCommitter;
  readonly events: DomainEvent[];
  close(): Promise<void>;
}

/** Opens the database at `url` and makes its tables. */
export async function openBlockDatabase(
  url: string,
  migrations: Readonly<Record<string, Migration>>,
): Promise<BlockDatabase> {
  const connected = await connectDatabase({ url, log: silentLog });
  await migrateDatabase(connected.kysely, migrations);
  const sink = new CommittedEvents();
  const groupCommit = createGroupCommit({
    openClient: () => connected.openClient({ pipeline: true }),
    events: sink,
    log: silentLog,
  });
  return {
    database: connected.kysely,
    groupCommit,
    events: sink.events,
    async close() {
      await groupCommit.close();
      await connected.close();
    },
  };
}

/** Answers the calls that the CSMS makes in a test. */
export type Responder = (action: string, payload: never) => unknown;

/** A station of a test: what the CSMS called on it, and how it answers. */
export interface TestStation {
  readonly version: OcppVersion;
  readonly calls: { readonly action: string; readonly payload: unknown }[];
  respond: Responder;
}

/** Stations that are connected in a test. Every call and response is checked by the schemas of the station's family. */
export class TestStations implements StationCalls {
  readonly disconnected: string[] = [];
  readonly #clock: Clock;
  readonly #stations = new Map<string, TestStation>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  connect(stationId: string, version: OcppVersion, respond: Responder): TestStation {
    const station: TestStation = { version, calls: [], respond };
    this.#stations.set(stationId, station);
    return station;
  }

  session(stationId: string): StationSession | undefined {
    const station = this.#stations.get(stationId);
    if (station === undefined) return undefined;
    const { version } = station;
    const now = this.#clock.now();
    return {
      stationId,
      version,
      family: version === "2.0.1" || version === "2.1" ? 2 : 1,
      transport: "OCPP-J",
      remoteAddress: "127.0.0.1",
      connectedAt: now,
      lastSeenAt: now,
    };
  }

  sessions(): Iterable<StationSession> {
    return [...this.#stations.keys()].map((id) => this.session(id)).filter((session) => session !== undefined);
  }

  call1(stationId: string, action: string, payload: unknown): Promise<never> {
    return this.#call(stationId, "1.6", action, payload);
  }

  call2(stationId: string, action: string, payload: unknown): Promise<never> {
    return this.#call(stationId, "2.1", action, payload);
  }

  callRaw(stationId: string, action: string, payload: unknown): Promise<never> {
    return this.#call(stationId, "2.1", action, payload);
  }

  async disconnect(stationId: string): Promise<void> {
    this.disconnected.push(stationId);
    this.#stations.delete(stationId);
  }

  async #call(stationId: string, version: OcppVersion, action: string, payload: unknown): Promise<never> {
    const station = this.#stations.get(stationId);
    if (station === undefined) throw new StationOfflineError(stationId);
    const entry = catalogue(version).get(action);
    const refused = entry?.validateRequest(payload);
    if (refused !== undefined) throw new Error(`${action} request: ${describeViolation(refused)}`);
    station.calls.push({ action, payload });
    const response = await station.respond(action, payload as never);
    const wrong = entry?.validateResponse(response);
    if (wrong !== undefined) throw new Error(`${action} response: ${describeViolation(wrong)}`);
    return response as never;
  }
}

/** The gateway's tables of routes and commands, without the gateway. */
export class TestGateway {
  readonly routes = new RegisteredRoutes();
  readonly stations: TestStations;
  readonly commands: StationCommands;
  readonly #clock: Clock;

  constructor(clock: Clock, groupCommit: GroupCommit) {
    this.#clock = clock;
    this.stations = new TestStations(clock);
    this.commands = new StationCommands({ calls: this.stations, groupCommit, clock, log: silentLog });
  }

  /** Brings a message of a station to its handler, and checks that the answer is one that its version allows. */
  async receive(version: OcppVersion, stationId: string, action: string, payload: object): Promise<unknown> {
    const family = version === "2.0.1" || version === "2.1" ? 2 : 1;
    const handler = this.routes.find(family, action);
    if (handler === undefined) throw new Error(`nothing answers ${action} of family ${family}`);
    const entry = catalogue(version).get(action);
    const refused = entry?.validateRequest(payload);
    if (refused !== undefined) throw new Error(`${action} request: ${describeViolation(refused)}`);
    const context: StationContext = {
      stationId,
      family,
      version,
      messageId: `${stationId} ${action}`,
      receivedAt: this.#clock.now(),
      remoteAddress: "127.0.0.1",
    };
    const response = await handler(payload as never, context);
    const wrong = entry?.kind === "CALL" ? entry.validateResponse(response) : undefined;
    if (wrong !== undefined) throw new Error(`${action} response: ${describeViolation(wrong)}`);
    return response;
  }
}

/** An HTTP server with the routes of blocks below `/api/v1`; every caller is an administrator named `tester`. */
export async function serveBlocks(...plugins: readonly FastifyPluginAsyncTypebox[]): Promise<FastifyInstance> {
  const server = Fastify().withTypeProvider<TypeBoxTypeProvider>();
  server.setValidatorCompiler(requestValidatorCompiler);
  server.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error);
    return reply.code(problem.status).send(problemDocument(problem, request.id));
  });
  server.decorateRequest("caller", undefined);
  server.addHook("onRequest", async (request) => {
    request.caller = { name: "tester", role: "administrator" };
  });
  await server.register(
    async (api) => {
      for (const plugin of plugins) await api.register(plugin);
    },
    { prefix: "/api/v1" },
  );
  await server.ready();
  return server;
}

/** Timers that a test lets run out. */
export class ManualTimers {
  readonly #waiting = new Set<{ readonly delayMs: number; readonly task: () => void }>();

  after(delayMs: number, task: () => void): () => void {
    const timer = { delayMs, task };
    this.#waiting.add(timer);
    return () => this.#waiting.delete(timer);
  }

  /** Delays of the timers that wait. */
  get delaysMs(): readonly number[] {
    return [...this.#waiting].map(({ delayMs }) => delayMs);
  }

  /** Lets all that wait now run out. */
  elapse(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const { task } of waiting) task();
  }
}

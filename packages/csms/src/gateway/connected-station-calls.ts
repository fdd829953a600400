import {
  CallTimeoutError,
  catalogue,
  describeViolation,
  NotConnectedError,
  OcppError,
  PeerError,
  type RequestOf,
  type ResponseOf,
  ValidationError,
} from "@polyphase/ocpp";
import type { KnownStations } from "./known-stations.ts";
import { NotTranslatableError, requestFrom16, responseTo16 } from "./ocpp1-translation/translation.ts";
import { admitCall, rememberTriggered } from "./registration-gate.ts";
import {
  CommandNotSupportedError,
  type CsmsAction,
  type Family,
  StationAnsweredError,
  type StationCallOptions,
  type StationCalls,
  StationOfflineError,
  type StationSession,
  StationTimeoutError,
} from "./station-messages.ts";
import type { ConnectedStation, StationSessions } from "./station-sessions.ts";
import type { StationDeviations } from "./tolerance/conduct.ts";
import { type CallSpacing, SpacedCalls } from "./tolerance/spaced-calls.ts";
import { type TriggerWatch, triggeredAction } from "./tolerance/trigger-watch.ts";

/** As long as an answer is waited for when nobody says otherwise. */
const defaultQueueTimeoutMs = 30_000;

/** What {@link ConnectedStationCalls} works with. */
export interface ConnectedStationCallsOptions {
  readonly sessions: StationSessions;
  readonly stations: KnownStations;
  readonly deviations: StationDeviations;
  readonly triggers: TriggerWatch;
  readonly spacing: CallSpacing;
}

/** Calls to the stations whose connections this process holds. */
export class ConnectedStationCalls implements StationCalls {
  readonly #sessions: StationSessions;
  readonly #stations: KnownStations;
  readonly #deviations: StationDeviations;
  readonly #triggers: TriggerWatch;
  readonly #spaced: SpacedCalls;
  #pending = 0;

  constructor(options: ConnectedStationCallsOptions) {
    this.#sessions = options.sessions;
    this.#stations = options.stations;
    this.#deviations = options.deviations;
    this.#triggers = options.triggers;
    this.#spaced = new SpacedCalls(options.spacing);
  }

  /** Calls that wait for their turn or for their answer. */
  get pending(): number {
    return this.#pending;
  }

  session(stationId: string): StationSession | undefined {
    return this.#sessions.find(stationId);
  }

  sessions(): Iterable<StationSession> {
    return this.#sessions.all();
  }

  async call1<A extends CsmsAction<1>>(
    stationId: string,
    action: A,
    payload: RequestOf<"1.6", A>,
    options?: StationCallOptions,
  ): Promise<ResponseOf<"1.6", A>> {
    const session = this.#connected(stationId);
    refuseOtherFamily(session, 1, action);
    const { version } = session;
    let request: unknown;
    try {
      request = requestFrom16(version, action, payload);
    } catch (error) {
      if (error instanceof NotTranslatableError) throw new CommandNotSupportedError(stationId, action, error.message);
      throw error;
    }
    const response = await this.#call(session, action, request, options);
    return responseTo16(version, action, response) as ResponseOf<"1.6", A>;
  }

  async call2<A extends CsmsAction<2>>(
    stationId: string,
    action: A,
    payload: RequestOf<"2.1", A>,
    options?: StationCallOptions,
  ): Promise<ResponseOf<"2.1", A>> {
    const session = this.#connected(stationId);
    refuseOtherFamily(session, 2, action);
    if (session.version === "2.0.1") refuseWhat201Lacks(session, action, payload);
    return (await this.#call(session, action, payload, options)) as ResponseOf<"2.1", A>;
  }

  async callRaw(stationId: string, action: string, payload: unknown, options?: StationCallOptions): Promise<unknown> {
    return this.#call(this.#connected(stationId), action, payload, options);
  }

  async disconnect(stationId: string, reason: string): Promise<void> {
    await this.#sessions.find(stationId)?.connection.close({ code: 1001, reason });
  }

  #connected(stationId: string): ConnectedStation {
    const session = this.#sessions.find(stationId);
    if (session === undefined || !session.connection.isOpen) throw new StationOfflineError(stationId);
    return session;
  }

  async #call(
    session: ConnectedStation,
    action: string,
    payload: unknown,
    options: StationCallOptions | undefined,
  ): Promise<unknown> {
    const { stationId } = session;
    const station = this.#stations.find(stationId);
    admitCall(station, stationId, action);
    // Before the answer, for the triggered message may overtake it.
    if (station?.registrationStatus !== "Accepted") rememberTriggered(session, action, payload);
    const triggered = triggeredAction(action, payload);
    if (triggered !== undefined) this.#triggers.expect(stationId, triggered);
    let isAccepted = false;
    this.#pending += 1;
    try {
      // Behind a station that never answers nobody waits longer than for an answer.
      const queueTimeoutMs = options?.timeoutMs ?? defaultQueueTimeoutMs;
      const send = () => session.connection.callUntyped(action, payload, { queueTimeoutMs, ...options });
      const response = await this.#spaced.run(stationId, action, send);
      isAccepted = (response as { readonly status?: unknown } | null)?.status === "Accepted";
      return response;
    } catch (error) {
      if (error instanceof CallTimeoutError && error.sent)
        this.#deviations.showed(stationId, "unanswered-call", { action });
      throw callError(stationId, error);
    } finally {
      this.#pending -= 1;
      if (triggered !== undefined && !isAccepted) this.#triggers.settled(stationId, triggered);
    }
  }
}

function refuseOtherFamily(session: ConnectedStation, family: Family, action: string): void {
  if (session.family === family) return;
  throw new CommandNotSupportedError(session.stationId, action, `it speaks OCPP ${session.version}`);
}

/** @throws CommandNotSupportedError when 2.1 allows the call and 2.0.1 does not; what 2.1 refuses too is left to the connection */
function refuseWhat201Lacks(session: ConnectedStation, action: string, payload: unknown): void {
  const entry = catalogue("2.0.1").get(action);
  if (entry === undefined) {
    throw new CommandNotSupportedError(session.stationId, action, `OCPP 2.0.1 has no ${action}`);
  }
  const violation = entry.validateRequest(payload);
  if (violation === undefined || catalogue("2.1").get(action)?.validateRequest(payload) !== undefined) return;
  throw new CommandNotSupportedError(
    session.stationId,
    action,
    `OCPP 2.0.1 cannot say it: ${describeViolation(violation)}`,
  );
}

/** What callers of StationCalls are told; a queue that is full or does not move, and errors of theirs (a wrong payload, an abort), stay as they are. */
function callError(stationId: string, error: unknown): unknown {
  if (error instanceof NotConnectedError) return new StationOfflineError(stationId, error, error.sent);
  if (error instanceof CallTimeoutError && error.sent)
    return new StationTimeoutError(stationId, error.timeoutMs, error);
  if (error instanceof PeerError) return new StationAnsweredError(stationId, error.wireCode, error.message, error);
  if (error instanceof ValidationError) {
    return error.direction === "response"
      ? new StationAnsweredError(stationId, error.code, error.message, error)
      : error;
  }
  if (error instanceof OcppError) return new StationAnsweredError(stationId, error.code, error.message, error);
  return error;
}

import { type CallContext, catalogue, OcppError, type OcppVersion } from "@polyphase/ocpp";
import type { Logger } from "pino";
import { ColumnRangeError } from "../database/column-codec.ts";
import { DatabaseUnavailableError } from "../database/write-unit.ts";
import type { KnownStation, KnownStations } from "./known-stations.ts";
import { requestTo16, responseFrom16 } from "./ocpp1-translation/translation.ts";
import { requestTo21, responseFrom21 } from "./ocpp2-compatibility/family2.ts";
import { admitMessage } from "./registration-gate.ts";
import type { StationContext } from "./station-messages.ts";
import type { RegisteredRoutes } from "./station-routes.ts";
import type { ConnectedStation, StationSessions } from "./station-sessions.ts";

type CsmsCallContext = CallContext<OcppVersion, "CSMS">;

/** What {@link StationRouter} works with. */
export interface StationRouterOptions {
  readonly routes: RegisteredRoutes;
  readonly sessions: StationSessions;
  readonly stations: KnownStations;
  readonly log: Logger;
  /** What an answer waits for besides its handler; undefined lets it out at once. */
  answerAfter?(stationId: string, version: OcppVersion, action: string): Promise<void> | undefined;
}

class MessageContext implements StationContext {
  readonly #session: ConnectedStation;
  readonly #context: CsmsCallContext;

  constructor(session: ConnectedStation, context: CsmsCallContext) {
    this.#session = session;
    this.#context = context;
  }

  get stationId(): string {
    return this.#session.stationId;
  }

  get family(): 1 | 2 {
    return this.#session.family;
  }

  get version(): OcppVersion {
    return this.#session.version;
  }

  get messageId(): string {
    return this.#context.messageId;
  }

  get receivedAt(): Date {
    return this.#context.receivedAt;
  }

  get remoteAddress(): string {
    return this.#session.remoteAddress;
  }
}

/**
 * Brings a validated message of a station to the block that answers it, in the words of its family, and the answer
 * back in the words of its version.
 */
export class StationRouter {
  readonly #routes: RegisteredRoutes;
  readonly #sessions: StationSessions;
  readonly #stations: KnownStations;
  readonly #log: Logger;
  readonly #answerAfter: StationRouterOptions["answerAfter"];

  constructor(options: StationRouterOptions) {
    this.#routes = options.routes;
    this.#sessions = options.sessions;
    this.#stations = options.stations;
    this.#log = options.log;
    this.#answerAfter = options.answerAfter?.bind(options);
  }

  /**
   * Answers one message; synchronously when its handler does. A fallback handler for the endpoints.
   *
   * @throws OcppError where the answer is an error; others become InternalError
   */
  route(payload: unknown, context: CsmsCallContext): unknown | Promise<unknown> {
    const { connection, action } = context;
    const session = this.#sessions.find(connection.identity);
    if (session === undefined || session.connection !== connection) {
      throw new OcppError("GenericError", "another connection has taken this one's place");
    }
    session.lastSeenMs = context.receivedAt.getTime();
    const station = this.#stations.find(session.stationId);
    admitMessage(station, session, action);
    if (action === "BootNotification") this.#checkSerialNumber(session, station, payload);
    const handler = this.#routes.find(session.family, action);
    if (handler === undefined) {
      throw new OcppError("NotSupported", `${action} is not supported here`);
    }
    const { version } = session;
    const isTranslated = version !== "1.6" && version !== "2.1";
    try {
      const request = isTranslated ? toFamilyWords(version, action, payload) : payload;
      const answer = handler(request as never, new MessageContext(session, context));
      const pause = this.#answerAfter?.(session.stationId, version, action);
      if (pause !== undefined) return this.#answerLater(Promise.all([answer, pause]).then(first), version, action);
      if (answer instanceof Promise) return this.#answerLater(answer, version, action);
      return isTranslated ? toVersionWords(version, action, answer) : answer;
    } catch (error) {
      throw asAnswer(error);
    }
  }

  async #answerLater(answer: Promise<unknown>, version: OcppVersion, action: string): Promise<unknown> {
    try {
      return toVersionWords(version, action, await answer);
    } catch (error) {
      throw asAnswer(error);
    }
  }

  /** B01.FR.11 and FR.12: with profile 3 the serial number must be the one that the certificate names. */
  #checkSerialNumber(session: ConnectedStation, station: KnownStation | undefined, payload: unknown): void {
    const { certificateCommonName, family } = session;
    if (session.securityProfile !== 3 || certificateCommonName === undefined || family !== 2) return;
    const { serialNumber } = (payload as { readonly chargingStation: { readonly serialNumber?: string } })
      .chargingStation;
    if (serialNumber === undefined || serialNumber === certificateCommonName) return;
    this.#log.warn(
      { stationId: session.stationId, serialNumber, certificateCommonName, known: station?.serialNumber },
      "the serial number is not the one of the client certificate",
    );
    void session.connection.close({ code: 1008, reason: "serial number differs from the certificate" });
    throw new OcppError("SecurityError", "the serial number is not the one of the client certificate");
  }
}

const first = ([value]: readonly unknown[]): unknown => value;

function toFamilyWords(version: OcppVersion, action: string, payload: unknown): unknown {
  return version === "2.0.1" ? requestTo21(version, action, payload) : requestTo16(version, action, payload);
}

function toVersionWords(version: OcppVersion, action: string, payload: unknown): unknown {
  // A SEND has no response to translate.
  if (payload === undefined || catalogue(version).get(action)?.kind === "SEND") return payload;
  return version === "2.0.1" ? responseFrom21(version, action, payload) : responseFrom16(version, action, payload);
}

/**
 * The station repeats what was answered with an error, so a database that is away must not look like success. What no
 * database will ever take is told apart by PostgreSQL's codes: texts with NUL, which remain where no tolerance rule
 * removed it, and over-long texts that a rule let pass and no index can hold. Numbers have no bounds in most schemas.
 */
function asAnswer(error: unknown): unknown {
  if (error instanceof DatabaseUnavailableError) {
    return new OcppError("InternalError", "the message cannot be stored now", { cause: error });
  }
  if (error instanceof ColumnRangeError) {
    return new OcppError("PropertyConstraintViolation", "a number is too large to be stored", { cause: error });
  }
  const { code } = (error ?? {}) as { readonly code?: unknown };
  if (code === "22021" || code === "22P05") {
    return new OcppError("FormatViolation", "a text holds a character that cannot be stored", { cause: error });
  }
  if (code === "54000") {
    return new OcppError("PropertyConstraintViolation", "a text is too long to be stored", { cause: error });
  }
  return error;
}

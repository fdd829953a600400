import type { CallsFrom, OcppVersion, RequestOf, ResponseOf, SendsFrom } from "@polyphase/ocpp";

/** 1.2, 1.5 and 1.6 are family 1 and are written as 1.6; 2.0.1 and 2.1 are family 2 and are written as 2.1. */
export type Family = 1 | 2;

/** The version whose messages stand for the whole family. */
export type FamilyVersion<F extends Family> = F extends 1 ? "1.6" : "2.1";

/** Actions that stations of a family may send. */
export type StationAction<F extends Family> =
  | CallsFrom<FamilyVersion<F>, "ChargingStation">
  | SendsFrom<FamilyVersion<F>, "ChargingStation">;

/** Actions that the CSMS may call on stations of a family. */
export type CsmsAction<F extends Family> = CallsFrom<FamilyVersion<F>, "CSMS">;

/** What a handler knows of the station that sent a message. */
export interface StationContext {
  readonly stationId: string;
  readonly family: Family;
  /** Version on the wire; for display and records only: behaviour must not depend on it. */
  readonly version: OcppVersion;
  readonly messageId: string;
  readonly receivedAt: Date;
  readonly remoteAddress: string;
}

/** Answers one action of a family. Throw OcppError to answer with an error. A synchronous answer is the fastest. */
export type StationMessageHandler<F extends Family, A extends StationAction<F>> = (
  request: RequestOf<FamilyVersion<F>, A>,
  context: StationContext,
) => ResponseOf<FamilyVersion<F>, A> | Promise<ResponseOf<FamilyVersion<F>, A>>;

/** The handlers of a family by action. Indexing it keeps the literals of an inline handler's answer. */
export type StationMessageHandlers<F extends Family> = {
  readonly [A in StationAction<F>]: StationMessageHandler<F, A>;
};

/** Where blocks register what they answer. Registering an action twice is a programming error and throws. */
export interface StationMessageRoutes {
  on1<A extends StationAction<1>>(action: A, handler: StationMessageHandlers<1>[A]): void;
  on2<A extends StationAction<2>>(action: A, handler: StationMessageHandlers<2>[A]): void;
}

/** A station that is connected, or (OCPP-S) whose address is known. */
export interface StationSession {
  readonly stationId: string;
  readonly family: Family;
  readonly version: OcppVersion;
  readonly transport: "OCPP-J" | "OCPP-S";
  readonly remoteAddress: string;
  readonly connectedAt: Date;
  /** Last message or pong of the station: G02.FR.05 makes any message a sign of life. */
  readonly lastSeenAt: Date;
}

/** How long a call may take, and how it is given up. */
export interface StationCallOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Calls to stations. The owner of the socket may be another node; that is not visible here. */
export interface StationCalls {
  session(stationId: string): StationSession | undefined;
  sessions(): Iterable<StationSession>;
  /**
   * Calls a station of family 1 in 1.6 words; 1.2 and 1.5 are translated at the edge.
   *
   * @throws StationOfflineError, StationTimeoutError, StationAnsweredError, CommandNotSupportedError
   */
  call1<A extends CsmsAction<1>>(
    stationId: string,
    action: A,
    payload: RequestOf<"1.6", A>,
    options?: StationCallOptions,
  ): Promise<ResponseOf<"1.6", A>>;
  /** Calls a station of family 2 in 2.1 words. Throws as {@link call1}. */
  call2<A extends CsmsAction<2>>(
    stationId: string,
    action: A,
    payload: RequestOf<"2.1", A>,
    options?: StationCallOptions,
  ): Promise<ResponseOf<"2.1", A>>;
  /**
   * Calls any action of the station's own version with a payload that is validated by its schema.
   *
   * @throws ValidationError, UnknownActionError (of \@polyphase/ocpp) and as {@link call1}
   */
  callRaw(stationId: string, action: string, payload: unknown, options?: StationCallOptions): Promise<unknown>;
  /** Ends the station's connection. Nothing happens when there is none. */
  disconnect(stationId: string, reason: string): Promise<void>;
}

/** A station did not do what it was asked, and which station. */
abstract class StationFailure extends Error {
  readonly stationId: string;

  constructor(stationId: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.stationId = stationId;
  }
}

/** The station is not connected, or its connection ended before it answered. */
export class StationOfflineError extends StationFailure {
  override readonly name = "StationOfflineError";
  /** The request was sent before the connection ended: whether the station acted is unknown. */
  readonly wasAsked: boolean;

  constructor(stationId: string, cause?: unknown, wasAsked = false) {
    const what = wasAsked
      ? `the connection of station ${stationId} ended before it answered; whether it acted is not known`
      : `station ${stationId} is not connected`;
    super(stationId, what, cause);
    this.wasAsked = wasAsked;
  }
}

/** The station did not answer in time; whether it acted is unknown. */
export class StationTimeoutError extends StationFailure {
  override readonly name = "StationTimeoutError";
  readonly timeoutMs: number;

  constructor(stationId: string, timeoutMs: number, cause?: unknown) {
    super(stationId, `station ${stationId} did not answer within ${timeoutMs} ms`, cause);
    this.timeoutMs = timeoutMs;
  }
}

/** The station answered with CALLERROR or a Fault, or with a response that breaks its schema. */
export class StationAnsweredError extends StationFailure {
  override readonly name = "StationAnsweredError";
  readonly code: string;

  constructor(stationId: string, code: string, description: string, cause?: unknown) {
    super(stationId, description, cause);
    this.code = code;
  }
}

/** The station's version has no way to do what was asked. */
export class CommandNotSupportedError extends StationFailure {
  override readonly name = "CommandNotSupportedError";
  readonly command: string;

  constructor(stationId: string, command: string, why: string) {
    super(stationId, `station ${stationId} cannot ${command}: ${why}`);
    this.command = command;
  }
}

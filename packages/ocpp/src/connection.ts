import type { CallsFrom, Peer, RequestOf, ResponseOf, SendsFrom } from "./catalogue/messages.ts";
import type { OcppVersion, Role } from "./catalogue/version.ts";
import type { Violation } from "./validation/violation.ts";

/** How one call is made. */
export interface CallOptions {
  /** Milliseconds to wait for the response from the moment the request is sent; the endpoint's default otherwise. */
  readonly timeoutMs?: number;
  /** Milliseconds to wait for a turn behind other calls; as long as it takes when absent. */
  readonly queueTimeoutMs?: number;
  /** Gives up: a queued call is never sent, an outstanding one frees its slot and its late response is ignored. */
  readonly signal?: AbortSignal;
  /** Message id to use, at most 36 characters: a retry may repeat the id of the first try (2.x). */
  readonly messageId?: string;
}

/** A peer that can be called: a WebSocket, or the two HTTP directions of OCPP-S. `R` is our own role. */
export interface Connection<V extends OcppVersion = OcppVersion, R extends Role = Role> {
  /** Identity of the charging station, decoded. */
  readonly identity: string;
  readonly version: V;
  readonly transport: "OCPP-J" | "OCPP-S";
  /** Address of the peer as the transport knows it; for logs. */
  readonly remoteAddress: string;
  /** False from the moment the transport is known to be lost or replaced. */
  readonly isOpen: boolean;
  /** Aborted when the connection ends, with the reason. */
  readonly closed: AbortSignal;
  /**
   * Sends a request and resolves with the validated response.
   *
   * @throws ValidationError when the request, or the response, breaks its schema
   * @throws PeerError when the peer answers with CALLERROR or a Fault
   * @throws CallTimeoutError, NotConnectedError, CallQueueFullError, UnknownActionError
   */
  call<A extends CallsFrom<V, R>>(
    action: A,
    payload: RequestOf<V, A>,
    options?: CallOptions,
  ): Promise<ResponseOf<V, A>>;
  /** As {@link call}, for callers that learn action and payload at run time; both are checked. */
  callUntyped(action: string, payload: unknown, options?: CallOptions): Promise<unknown>;
  /** Sends a message that is never answered (2.1). Resolves when it was handed to the transport. */
  send<A extends SendsFrom<V, R>>(action: A, payload: RequestOf<V, A>): Promise<void>;
  /** Lets running answers out, then ends the connection. */
  close(options?: { readonly code?: number; readonly reason?: string; readonly graceMs?: number }): Promise<void>;
}

/**
 * A connection whose version is known at run time only. Asking for its `version` tells the compiler which actions it
 * has: after `if (connection.version === "1.6")` a call of `RemoteStartTransaction` is typed.
 */
export type AnyConnection<R extends Role, V extends OcppVersion = OcppVersion> = {
  [Each in V]: Connection<Each, R>;
}[V];

/** What a handler knows besides the payload. `R` is our own role. */
export interface CallContext<V extends OcppVersion = OcppVersion, R extends Role = Role> {
  readonly connection: Connection<V, R>;
  readonly action: string;
  readonly messageId: string;
  readonly receivedAt: Date;
  /** Tolerance rules that were applied to this request. */
  readonly tolerances: readonly string[];
}

/** Answers one action that the peer calls. Throw {@link OcppError} to answer with an error. `R` is our own role. */
export type Handler<V extends OcppVersion, R extends Role, A extends CallsFrom<V, Peer<R>> | SendsFrom<V, Peer<R>>> = (
  payload: RequestOf<V, A>,
  context: CallContext<V, R>,
) => ResponseOf<V, A> | Promise<ResponseOf<V, A>>;

/**
 * The handlers of one version by action. A parameter typed `Handlers<V, R>[A]` lets the compiler see the literals of an
 * inline handler's answer, which it does not through {@link Handler} with two inferred type arguments.
 */
export type Handlers<V extends OcppVersion, R extends Role> = {
  readonly [A in CallsFrom<V, Peer<R>> | SendsFrom<V, Peer<R>>]: Handler<V, R, A>;
};

/** Answers any action for which no {@link Handler} is registered. */
export type FallbackHandler<R extends Role> = (
  payload: unknown,
  context: CallContext<OcppVersion, R>,
) => unknown | Promise<unknown>;

/** A deviation that a tolerance hook lets pass. */
export interface Tolerance {
  /** Name of the rule, for logs and counters. */
  readonly rule: string;
  /** The payload to go on with; the original one when absent. It is validated again unless `skipValidation` is set. */
  readonly payload?: unknown;
  /** Accept the payload as it is in spite of the violation. */
  readonly skipValidation?: boolean;
}

/** A payload that breaks its schema. */
export interface Deviation {
  readonly identity: string;
  readonly version: OcppVersion;
  readonly action: string;
  readonly direction: "request" | "response";
  readonly payload: unknown;
  readonly violation: Violation;
}

/**
 * Decides about payloads and frames of the peer that break a rule. Returning undefined keeps the strict answer.
 * It is asked again while the returned payload still breaks a rule, at most eight times.
 */
export interface ToleranceHook {
  payload?(deviation: Deviation): Tolerance | undefined;
  /** A frame that is not JSON, or has a text with NUL in it: the text to parse in its place. */
  frame?(frame: {
    readonly identity: string;
    readonly version: OcppVersion;
    readonly text: string;
  }): { readonly rule: string; readonly text: string } | undefined;
  /** Whether a deviation may pass that the endpoint sets right by itself (`endpointTolerances`). All may when absent. */
  allows?(deviation: { readonly identity: string; readonly version: OcppVersion; readonly rule: string }): boolean;
}

/** Why something of the peer was dropped without an answer that it waits for. */
export type IgnoredCause =
  /** A frame or envelope that cannot be read. */
  | "unreadable"
  /** A CALLRESULT that cannot be read; the call it names has failed. */
  | "unreadable-answer"
  /** A late, duplicate or unknown answer. */
  | "unasked-answer"
  /** The peer could not read a message of ours, and cannot say which. */
  | "not-read-by-peer"
  /** A request whose message id is still in work. */
  | "repeated"
  /** A message that is never answered, of an action that is not supported here. */
  | "not-supported"
  /** A request that came while the connection was being closed. */
  | "closing";

/** Why a peer, or a request of it, was turned away before its payload was looked at. */
export type RefusedCause =
  /** The WebSocket offered no subprotocol, and no version is known for it. */
  | "no-subprotocol"
  /** The WebSocket offered none but unknown subprotocols. */
  | "unknown-subprotocol"
  /** The version has no such action. */
  | "unknown-action"
  /** The action is not one that this peer may ask for, or nobody answers it. */
  | "not-supported"
  /** The request had to be signed. */
  | "unsigned"
  /** The message id is in use by another request. */
  | "message-id-in-use"
  /** A deviation that {@link ToleranceHook.allows} did not let pass; its name is the `reason`. */
  | "not-tolerated";

/** One message that crossed the wire, for message logs. */
export interface WireMessage {
  readonly identity: string;
  readonly version: OcppVersion;
  readonly transport: "OCPP-J" | "OCPP-S";
  /** `received` from the peer, or `sent` to it. */
  readonly direction: "received" | "sent";
  readonly kind: "CALL" | "CALLRESULT" | "CALLERROR" | "CALLRESULTERROR" | "SEND" | "malformed";
  /** Empty where it cannot be known. */
  readonly action: string;
  readonly messageId: string;
  /** The frame or envelope as it was on the wire. */
  readonly text: string;
  /** Error code, where the message is an error or caused one. */
  readonly errorCode?: string;
}

/** Watches an endpoint. Every method is called synchronously on the message path and must be quick; it must not throw. */
export interface EndpointObserver {
  message?(message: WireMessage): void;
  tolerated?(deviation: {
    readonly identity: string;
    readonly version: OcppVersion;
    readonly action: string;
    readonly rule: string;
    /** What showed it: a payload, or the text of a frame or envelope. */
    readonly evidence?: unknown;
  }): void;
  /** A payload was refused, or a response of the peer broke its schema. */
  violated?(deviation: Deviation): void;
  /** Something came that no call waits for: late, duplicate or unknown response, unknown message type, unreadable frame. */
  ignored?(event: {
    readonly identity: string;
    readonly cause: IgnoredCause;
    readonly reason: string;
    readonly messageId: string;
    /** What was dropped: a payload, or the text of a frame or envelope. */
    readonly evidence?: unknown;
  }): void;
  /** A peer, or a request of it, was turned away before its payload was looked at. */
  refused?(event: {
    readonly identity: string;
    /** Undefined where no version was agreed upon. */
    readonly version: OcppVersion | undefined;
    readonly action: string;
    readonly cause: RefusedCause;
    readonly reason: string;
    readonly evidence?: unknown;
  }): void;
  /** A handler threw something other than OcppError; the peer got InternalError. */
  failed?(event: { readonly identity: string; readonly action: string; readonly error: unknown }): void;
}

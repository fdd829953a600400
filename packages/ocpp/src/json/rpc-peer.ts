import { type CatalogueEntry, catalogue } from "../catalogue/catalogue.ts";
import { isFamily2, type OcppVersion, type Role } from "../catalogue/version.ts";
import type { CallOptions, Connection, IgnoredCause, WireMessage } from "../connection.ts";
import { applyTolerance } from "../endpoint/payload-check.ts";
import { type Cancel, withinMs } from "../endpoint/timers.ts";
import { refusedTolerance } from "../endpoint/tolerances.ts";
import { type ErrorCode, isErrorCodeOf, wireErrorCode } from "../error-codes.ts";
import { NotConnectedError, OcppError, PeerError, UnknownActionError, ValidationError } from "../errors.ts";
import {
  type ErrorFrame,
  type Frame,
  type MalformedFrame,
  type ResultFrame,
  unreadableMessageId,
} from "./frames/frame.ts";
import { binaryFrame } from "./frames/malformed-frame.ts";
import { parseFrame } from "./frames/read-frame.ts";
import { writeError, writeRequest, writeResult } from "./frames/write-frame.ts";
import { type AnswerChannel, IncomingRequests } from "./incoming-requests.ts";
import type { CallChannel, OutgoingCall, OutgoingCalls } from "./outgoing-calls.ts";
import type { PeerSettings } from "./peer-settings.ts";
import { type FlattenedJws, isFlattenedJws, signedAction } from "./signed-messages.ts";
import { ConnectionEndedError, type Ending, type Transport } from "./transport.ts";

/** Who is at the other end, and over what. */
export interface PeerIdentity {
  readonly identity: string;
  readonly version: OcppVersion;
  readonly remoteAddress: string;
}

/** How JSON writes the one character that most databases and all of XML cannot hold. */
const NUL_ESCAPE = "\\u0000";

/** How long a replaced connection waits for the answer to its last call. */
const LAST_ANSWER_MS = 1_000;

function asOcppError(error: unknown): OcppError {
  if (error instanceof OcppError) return error;
  return new OcppError("InternalError", "the response could not be processed", { cause: error });
}

/**
 * One connection of OCPP-J. Both roles are the same thing: each may call, and answers what it is called for.
 */
export class RpcPeer<R extends Role = Role> implements Connection<OcppVersion, R>, AnswerChannel, CallChannel {
  readonly identity: string;
  readonly version: OcppVersion;
  readonly transport = "OCPP-J";
  readonly remoteAddress: string;
  readonly #settings: PeerSettings;
  readonly #socket: Transport;
  readonly #calls: OutgoingCalls;
  readonly #incoming: IncomingRequests;
  readonly #keepsQueue: boolean;
  #ending: Ending | undefined;
  #isClosing = false;
  #isPaused = false;
  #isBlocked = false;
  /** Set while this connection was replaced and the answer to its last call may still come. */
  #lastAnswerDue: Cancel | undefined;
  #closed: AbortController | undefined;
  #signing: Promise<unknown> | undefined;
  #onEnd: ((ending: Ending) => void)[] | undefined;

  /** `keepsQueue` leaves waiting calls to the next connection of the same queue. */
  constructor(settings: PeerSettings, peer: PeerIdentity, socket: Transport, calls: OutgoingCalls, keepsQueue = false) {
    this.identity = peer.identity;
    this.version = peer.version;
    this.remoteAddress = peer.remoteAddress;
    this.#settings = settings;
    this.#socket = socket;
    this.#calls = calls;
    this.#keepsQueue = keepsQueue;
    this.#incoming = new IncomingRequests(settings, peer.version, this);
  }

  /** The connection as handlers see it. */
  get connection(): Connection {
    return this as unknown as Connection;
  }

  get isOpen(): boolean {
    return this.#ending === undefined && !this.#isClosing;
  }

  /** Whether the socket is not read because handlers, and not the network, are slow. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  get closed(): AbortSignal {
    if (this.#closed === undefined) {
      this.#closed = new AbortController();
      if (this.#ending !== undefined) this.#closed.abort(new ConnectionEndedError(this.#ending));
    }
    return this.#closed.signal;
  }

  // Promise<never> fits every response type; which one it is was settled by the validation of the response.
  call(action: string, payload: unknown, options?: CallOptions): Promise<never> {
    return this.callUntyped(action, payload, options) as Promise<never>;
  }

  callUntyped(action: string, payload: unknown, options?: CallOptions): Promise<unknown> {
    try {
      const entry = this.#entryToSend(action, "CALL");
      const violation = entry.validateRequest(payload);
      if (violation !== undefined) throw new ValidationError(this.version, action, "request", violation);
      if (!this.isOpen) throw new NotConnectedError(action, false);
      if (this.#settings.signing.signs(this.identity, this.version, action)) {
        return this.#callSigned(entry, payload, options);
      }
      return this.#calls.call(entry, payload, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  send(action: string, payload: unknown): Promise<void> {
    try {
      const entry = this.#entryToSend(action, "SEND");
      const violation = entry.validateRequest(payload);
      if (violation !== undefined) throw new ValidationError(this.version, action, "request", violation);
      if (!this.isOpen) throw new NotConnectedError(action, false);
      if (this.#settings.signing.signs(this.identity, this.version, action)) return this.#sendSigned(action, payload);
      this.#sendOnce(action, payload);
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async close(
    options: { readonly code?: number; readonly reason?: string; readonly graceMs?: number } = {},
  ): Promise<void> {
    const { code = 1000, reason = "", graceMs = 5_000 } = options;
    if (this.#ending !== undefined) return;
    const ended = new Promise<void>((resolve) => this.onEnd(() => resolve()));
    if (!this.#isClosing) {
      this.#isClosing = true;
      this.#incoming.stop();
      this.#flow();
      await withinMs(this.#settings.timers, graceMs, this.#incoming.idle());
      this.#socket.close(code, reason);
      this.end({ code, reason });
    }
    await ended;
  }

  /** Sends calls that wait. To be called once the peer may be called. */
  start(): void {
    if (this.#ending === undefined) this.#calls.open(this);
  }

  /** Calls back when the connection ends; at most one end is reported. */
  onEnd(listener: (ending: Ending) => void): void {
    this.#onEnd ??= [];
    this.#onEnd.push(listener);
  }

  /** Takes one text frame. Never throws. */
  receive(text: string): void {
    if (this.#ending !== undefined && this.#lastAnswerDue === undefined) return;
    try {
      const frame = parseFrame(this.version, text);
      if (this.#ending !== undefined && frame.kind !== "CALLRESULT" && frame.kind !== "CALLERROR") return;
      this.#dispatch(text, frame, true);
    } catch (error) {
      this.#settings.observer?.failed?.({ identity: this.identity, action: "", error });
      this.#socket.close(1011, "internal error");
      this.end({ code: 1011, reason: "internal error" });
    }
  }

  /** Takes note of a binary message. */
  receiveBinary(): void {
    if (this.#ending === undefined) this.#malformed("", binaryFrame);
  }

  /** The transport is gone, or is given up: nothing is sent or received from here on. */
  end(ending: Ending): void {
    const error = new ConnectionEndedError(this.#ending ?? ending);
    if (this.#ending !== undefined) {
      this.#giveUpLastAnswer(error);
      return;
    }
    this.#ending = ending;
    this.#incoming.stop();
    if (this.#keepsQueue) this.#calls.interrupt(error);
    else if (ending.replacedBy === true && this.#calls.isOutstanding) this.#awaitLastAnswer(error);
    else this.#calls.close(error);
    this.#closed?.abort(error);
    const listeners = this.#onEnd;
    this.#onEnd = undefined;
    for (const listener of listeners ?? []) listener(ending);
  }

  /** A newer connection of the identity is there; this one ends now and takes nothing but an answer that is due. */
  replace(): void {
    const reason = "replaced by a newer connection";
    this.#isClosing = true;
    this.#socket.resume();
    this.#socket.close(1008, reason);
    this.end({ code: 1008, reason, replacedBy: true });
  }

  /** A station that answers and connects anew at once has answered, whichever socket is read first. */
  #awaitLastAnswer(error: ConnectionEndedError): void {
    this.#calls.retire(error);
    this.#lastAnswerDue = this.#settings.timers.after(LAST_ANSWER_MS, () => this.#giveUpLastAnswer(error));
  }

  #giveUpLastAnswer(error: ConnectionEndedError): void {
    if (this.#lastAnswerDue === undefined) return;
    this.#lastAnswerDue();
    this.#lastAnswerDue = undefined;
    this.#calls.close(error);
  }

  /** The peer does not read as fast as it asks. While so, it is not read either, and what was read already waits. */
  setBlocked(isBlocked: boolean): void {
    this.#isBlocked = isBlocked;
    this.#incoming.hold(isBlocked);
    this.#flow();
  }

  sendCall(call: OutgoingCall): void {
    this.#write(call.text, "CALL", call.messageId, call.entry.action);
    if (this.#isPaused) this.#flow();
  }

  sendResult(messageId: string, action: string, payload: unknown): void {
    this.#write(writeResult(messageId, payload), "CALLRESULT", messageId, action);
  }

  sendError(
    messageId: string,
    action: string,
    code: ErrorCode,
    description: string,
    details?: Readonly<Record<string, unknown>>,
  ): void {
    const text = writeError(this.version, "CALLERROR", messageId, code, description, details);
    this.#write(text, "CALLERROR", messageId, action, wireErrorCode(this.version, code));
  }

  loadChanged(): void {
    this.#flow();
  }

  #entryToSend(action: string, kind: "CALL" | "SEND") {
    const entry = catalogue(this.version).get(action);
    if (entry === undefined || entry.kind !== kind || (entry.from !== "Both" && entry.from !== this.#settings.role)) {
      throw new UnknownActionError(this.version, action);
    }
    return entry;
  }

  #sendOnce(action: string, payload: unknown): void {
    const messageId = this.#calls.createMessageId();
    this.#write(writeRequest("SEND", messageId, action, payload), "SEND", messageId, action);
  }

  async #callSigned(entry: CatalogueEntry, payload: unknown, options: CallOptions | undefined): Promise<unknown> {
    const jws = await this.#inTurn(this.#settings.signing.sign(entry.action, 2, payload));
    if (!this.isOpen) throw new NotConnectedError(entry.action, false);
    return this.#calls.call(entry, jws, options, signedAction(entry.action));
  }

  async #sendSigned(action: string, payload: unknown): Promise<void> {
    const jws = await this.#inTurn(this.#settings.signing.sign(action, 6, payload));
    if (!this.isOpen) throw new NotConnectedError(action, false);
    this.#sendOnce(signedAction(action), jws);
  }

  /** Signatures take their time, but messages leave in the order in which they were made. */
  #inTurn(signature: Promise<FlattenedJws>): Promise<FlattenedJws> {
    const turn = Promise.all([signature, this.#signing]).then(([jws]) => jws);
    this.#signing = turn.catch(() => {});
    return turn;
  }

  #dispatch(text: string, frame: Frame, mayBeMended: boolean): void {
    if (mayBeMended && text.includes(NUL_ESCAPE) && this.#mended(text, frame)) return;
    switch (frame.kind) {
      case "CALL":
      case "SEND":
        this.#received(text, frame.kind, frame.messageId, frame.action);
        this.#incoming.receive(frame, text.length);
        return;
      case "CALLRESULT":
        this.#result(text, frame);
        return;
      case "CALLERROR":
      case "CALLRESULTERROR":
        this.#error(text, frame);
        return;
      case "malformed":
        if (!mayBeMended || !this.#mended(text, frame)) this.#malformed(text, frame);
        return;
    }
  }

  #mended(text: string, read: Frame): boolean {
    const hook = this.#settings.tolerance?.frame;
    if (hook === undefined) return false;
    const { identity, version } = this;
    let mended: { readonly rule: string; readonly text: string } | undefined;
    try {
      mended = hook.call(this.#settings.tolerance, { identity, version, text });
    } catch (error) {
      this.#settings.observer?.failed?.({ identity, action: "", error });
    }
    if (mended === undefined) return false;
    const mendedFrame = parseFrame(version, mended.text);
    if (mendedFrame.kind === "malformed") return false;
    // The peer waits for an answer to the id that it sent, whatever a rule made of it.
    const frame = read.kind === "malformed" ? mendedFrame : { ...mendedFrame, messageId: read.messageId };
    const action = "action" in frame ? frame.action : "";
    this.#settings.observer?.tolerated?.({ identity, version, action, rule: mended.rule, evidence: text });
    this.#dispatch(text, frame, false);
    return true;
  }

  #result(text: string, frame: ResultFrame): void {
    const { messageId } = frame;
    const call = this.#calls.take(messageId);
    if (typeof call === "string") {
      this.#received(text, frame.kind, messageId, "");
      this.#ignored("unasked-answer", call, messageId, text);
      return;
    }
    this.#received(text, frame.kind, messageId, call.entry.action);
    const { signing } = this.#settings;
    if (isFamily2(this.version) && isFlattenedJws(frame.payload)) {
      const { identity, version } = this;
      const message = { identity, version, action: call.entry.action, direction: "response" } as const;
      signing.open(frame.payload, message, 3).then(
        (payload) => this.#complete(call, payload),
        (error: unknown) => this.#refuseResult(call, asOcppError(error)),
      );
    } else if (signing.requires(this.identity, this.version, call.entry.action, "response")) {
      this.#refuseResult(call, new OcppError("SecurityError", `the response to ${call.entry.action} must be signed`));
    } else {
      this.#complete(call, frame.payload);
    }
  }

  #complete(call: OutgoingCall, payload: unknown): void {
    const { entry } = call;
    const violation = entry.validateResponse(payload);
    if (violation === undefined) {
      call.resolve(payload);
      this.#answered();
      return;
    }
    const { tolerance, observer } = this.#settings;
    const checked = applyTolerance(this.identity, entry, "response", payload, violation, tolerance, observer);
    if (checked.violation === undefined) {
      call.resolve(checked.payload);
      this.#answered();
    } else {
      this.#refuseResult(call, new ValidationError(this.version, entry.action, "response", checked.violation));
    }
  }

  #error(text: string, frame: ErrorFrame): void {
    const { kind, messageId, code } = frame;
    const call = kind === "CALLERROR" ? this.#calls.take(messageId) : `CALLRESULTERROR ${code}`;
    if (typeof call === "string") {
      this.#received(text, kind, messageId, "", code);
      if (messageId === unreadableMessageId) {
        this.#ignored("not-read-by-peer", `the peer could not read a message: ${code}`, messageId, text);
      } else this.#ignored("unasked-answer", call, messageId, text);
      return;
    }
    this.#received(text, kind, messageId, call.entry.action, code);
    call.reject(new PeerError(this.#spelled(code, call.entry.action, text), frame.description, frame.details));
    this.#answered();
  }

  /** The code as the peer told it; GenericError for a code that its version does not have and that may not pass. */
  #spelled(code: string, action: string, evidence: string): string {
    const { identity, version } = this;
    if (isErrorCodeOf(version, code)) return code;
    const { tolerance, observer } = this.#settings;
    const rule = "json-error-code";
    if (refusedTolerance(tolerance, { identity, version }, [rule]) === undefined) {
      observer?.tolerated?.({ identity, version, action, rule, evidence });
      return code;
    }
    observer?.refused?.({ identity, version, action, cause: "not-tolerated", reason: rule, evidence });
    return "GenericError";
  }

  #malformed(text: string, frame: MalformedFrame): void {
    const { messageId, reason, answer } = frame;
    const code = answer === undefined ? undefined : wireErrorCode(this.version, answer);
    this.#received(text, "malformed", messageId, "", code);
    this.#ignored(frame.isResult ? "unreadable-answer" : "unreadable", `unreadable frame: ${reason}`, messageId, text);
    if (answer !== undefined) {
      this.sendError(messageId === "" ? unreadableMessageId : messageId, "", answer, reason);
      return;
    }
    if (!frame.isResult) return;
    const call = this.#calls.take(messageId);
    if (typeof call === "string") return;
    const violation = { path: "", rule: "frame", expected: reason, kind: "absent" } as const;
    const error = new ValidationError(this.version, call.entry.action, "response", violation);
    this.#refuseResult(call, error, "FormatViolation");
  }

  /** Ends a call whose response cannot be taken, and tells the peer so where the version has a way (2.1 Part 4 §4.2.3). */
  #refuseResult(call: OutgoingCall, error: OcppError, code = error.code): void {
    if (this.version === "2.1") {
      const text = writeError("2.1", "CALLRESULTERROR", call.messageId, code, error.message, error.details);
      this.#write(text, "CALLRESULTERROR", call.messageId, call.entry.action, code);
    }
    call.reject(error);
    this.#answered();
  }

  #answered(): void {
    this.#calls.next();
    if (this.#incoming.isBusy) this.#flow();
  }

  /**
   * Whether to read on. A handler may wait for a response of the same peer, so that a busy connection with a call
   * outstanding is read until its waiting requests overrun.
   */
  #flow(): void {
    const isFull = this.#incoming.isBusy && (!this.#calls.isOutstanding || this.#incoming.isOverrun);
    const pause = (isFull || this.#isBlocked) && !this.#isClosing;
    if (pause === this.#isPaused) return;
    this.#isPaused = pause;
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }

  #write(text: string, kind: WireMessage["kind"], messageId: string, action: string, errorCode?: string): void {
    if (this.#ending !== undefined) return;
    this.#socket.sendText(text);
    this.#observe("sent", text, kind, messageId, action, errorCode);
  }

  #received(text: string, kind: WireMessage["kind"], messageId: string, action: string, errorCode?: string): void {
    this.#observe("received", text, kind, messageId, action, errorCode);
  }

  #observe(
    direction: WireMessage["direction"],
    text: string,
    kind: WireMessage["kind"],
    messageId: string,
    action: string,
    errorCode: string | undefined,
  ): void {
    const observer = this.#settings.observer;
    if (observer?.message === undefined) return;
    const { identity, version, transport } = this;
    const message = { identity, version, transport, direction, kind, action, messageId, text } as const;
    observer.message(errorCode === undefined ? message : { ...message, errorCode });
  }

  #ignored(cause: IgnoredCause, reason: string, messageId: string, evidence: string): void {
    this.#settings.observer?.ignored?.({ identity: this.identity, cause, reason, messageId, evidence });
  }
}

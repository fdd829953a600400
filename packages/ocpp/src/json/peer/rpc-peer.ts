import { type CatalogueEntry, catalogue } from "../../catalogue/catalogue.ts";
import type { OcppVersion, Role } from "../../catalogue/version.ts";
import type { CallOptions, Connection } from "../../connection.ts";
import { withinMs } from "../../endpoint/timers.ts";
import { wireErrorCode } from "../../error-codes.ts";
import { NotConnectedError, UnknownActionError, ValidationError } from "../../errors.ts";
import { type Frame, type MalformedFrame, unreadableMessageId } from "../frames/frame.ts";
import { binaryFrame } from "../frames/malformed-frame.ts";
import { parseFrame } from "../frames/read-frame.ts";
import { type AnsweredPeer, IncomingAnswers } from "./incoming-answers.ts";
import { IncomingRequests, type RequestedPeer } from "./incoming-requests.ts";
import { LastAnswer } from "./last-answer.ts";
import { Lifetime } from "./lifetime.ts";
import { mended } from "./mending.ts";
import type { OutgoingCall } from "./outgoing-call.ts";
import type { CallChannel, OutgoingCalls } from "./outgoing-calls.ts";
import type { PeerSettings } from "./peer-settings.ts";
import { ReadFlow } from "./read-flow.ts";
import { signedAction } from "./signed-messages.ts";
import { SigningQueue } from "./signing-queue.ts";
import type { ConnectionEndedError, Ending, Transport } from "./transport.ts";
import { type PeerIdentity, Wire } from "./wire.ts";

/**
 * One connection of OCPP-J. Both roles are the same thing: each may call, and answers what it is called for.
 */
export class RpcPeer<R extends Role = Role>
  implements Connection<OcppVersion, R>, RequestedPeer, AnsweredPeer, CallChannel
{
  readonly identity: string;
  readonly version: OcppVersion;
  readonly transport = "OCPP-J";
  readonly remoteAddress: string;
  readonly #settings: PeerSettings;
  readonly #socket: Transport;
  readonly #wire: Wire;
  readonly #calls: OutgoingCalls;
  readonly #answers: IncomingAnswers;
  readonly #requests: IncomingRequests;
  readonly #flow: ReadFlow;
  readonly #lifetime = new Lifetime();
  readonly #keepsQueue: boolean;
  #isClosing = false;
  /** Set once this connection was replaced while a call was outstanding. */
  #lastAnswer: LastAnswer | undefined;
  #signing: SigningQueue | undefined;

  /** `keepsQueue` leaves waiting calls to the next connection of the same queue. */
  constructor(settings: PeerSettings, peer: PeerIdentity, socket: Transport, calls: OutgoingCalls, keepsQueue = false) {
    this.identity = peer.identity;
    this.version = peer.version;
    this.remoteAddress = peer.remoteAddress;
    this.#settings = settings;
    this.#socket = socket;
    this.#calls = calls;
    this.#keepsQueue = keepsQueue;
    this.#wire = new Wire(peer, socket, settings.observer);
    this.#answers = new IncomingAnswers(settings, this.#wire, calls, this);
    this.#requests = new IncomingRequests(settings, this.#wire, this);
    this.#flow = new ReadFlow(socket, this.#requests.slots, calls);
  }

  /** The connection as handlers see it. */
  get connection(): Connection {
    return this as unknown as Connection;
  }

  get isOpen(): boolean {
    return this.#lifetime.ending === undefined && !this.#isClosing;
  }

  /** Whether the socket is not read because handlers, and not the network, are slow. */
  get isPaused(): boolean {
    return this.#flow.isPaused;
  }

  get closed(): AbortSignal {
    return this.#lifetime.closed;
  }

  // Promise<never> fits every response type; which one it is was settled by the validation of the response.
  call(action: string, payload: unknown, options?: CallOptions): Promise<never> {
    return this.callUntyped(action, payload, options) as Promise<never>;
  }

  callUntyped(action: string, payload: unknown, options?: CallOptions): Promise<unknown> {
    try {
      const entry = this.#checked("CALL", action, payload);
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
      this.#checked("SEND", action, payload);
      if (this.#settings.signing.signs(this.identity, this.version, action)) return this.#sendSigned(action, payload);
      this.#wire.sendUnanswered(this.#calls.createMessageId(), action, payload);
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async close(
    options: { readonly code?: number; readonly reason?: string; readonly graceMs?: number } = {},
  ): Promise<void> {
    const { code = 1000, reason = "", graceMs = 5_000 } = options;
    if (this.#lifetime.ending !== undefined) return;
    const ended = new Promise<void>((resolve) => this.onEnd(() => resolve()));
    if (!this.#isClosing) {
      this.#isClosing = true;
      this.#requests.stop();
      this.#flow.free();
      await withinMs(this.#settings.timers, graceMs, this.#requests.slots.idle());
      this.#socket.close(code, reason);
      this.end({ code, reason });
    }
    await ended;
  }

  /** Sends calls that wait. To be called once the peer may be called. */
  start(): void {
    if (this.#lifetime.ending === undefined) this.#calls.open(this);
  }

  /** Calls back when the connection ends; at most one end is reported. */
  onEnd(listener: (ending: Ending) => void): void {
    this.#lifetime.onEnd(listener);
  }

  /** Takes one text frame. Never throws. */
  receive(text: string): void {
    const hasEnded = this.#lifetime.ending !== undefined;
    if (hasEnded && this.#lastAnswer?.isDue !== true) return;
    try {
      const read = parseFrame(this.version, text);
      if (hasEnded && read.kind !== "CALLRESULT" && read.kind !== "CALLERROR") return;
      this.#dispatch(text, mended(this.#settings.tolerance, this.#wire, text, read));
    } catch (error) {
      this.#wire.failed("", error);
      this.#socket.close(1011, "internal error");
      this.end({ code: 1011, reason: "internal error" });
    }
  }

  /** Takes note of a binary message. */
  receiveBinary(): void {
    if (this.#lifetime.ending === undefined) this.#malformed("", binaryFrame);
  }

  /** The transport is gone, or is given up: nothing is sent or received from here on. */
  end(ending: Ending): void {
    if (this.#lifetime.ending !== undefined) {
      this.#lastAnswer?.giveUp();
      return;
    }
    const error = this.#lifetime.end(ending);
    this.#wire.cut();
    this.#requests.stop();
    this.#endCalls(ending, error);
    this.#lifetime.announce(ending);
  }

  /** A newer connection of the identity is there; this one ends now and takes nothing but an answer that is due. */
  replace(): void {
    const reason = "replaced by a newer connection";
    this.#isClosing = true;
    this.#flow.free();
    this.#socket.close(1008, reason);
    this.end({ code: 1008, reason, replacedBy: true });
  }

  /** The peer does not read as fast as it asks. While so, it is not read either, and what was read already waits. */
  setBlocked(isBlocked: boolean): void {
    this.#requests.slots.hold(isBlocked);
    this.#flow.update();
  }

  sendCall(call: OutgoingCall): void {
    this.#wire.sendCall(call);
    if (this.#flow.isPaused) this.#flow.update();
  }

  callSettled(): void {
    this.#calls.next();
    if (this.#requests.slots.isBusy) this.#flow.update();
  }

  loadChanged(): void {
    this.#flow.update();
  }

  /** @throws UnknownActionError, ValidationError, NotConnectedError when the message cannot be sent */
  #checked(kind: "CALL" | "SEND", action: string, payload: unknown): CatalogueEntry {
    const entry = catalogue(this.version).get(action);
    if (entry === undefined || entry.kind !== kind || (entry.from !== "Both" && entry.from !== this.#settings.role)) {
      throw new UnknownActionError(this.version, action);
    }
    const violation = entry.validateRequest(payload);
    if (violation !== undefined) throw new ValidationError(this.version, action, "request", violation);
    if (!this.isOpen) throw new NotConnectedError(action, false);
    return entry;
  }

  async #callSigned(entry: CatalogueEntry, payload: unknown, options: CallOptions | undefined): Promise<unknown> {
    const jws = await this.#signed(entry.action, 2, payload);
    return this.#calls.call(entry, jws, options, signedAction(entry.action));
  }

  async #sendSigned(action: string, payload: unknown): Promise<void> {
    const jws = await this.#signed(action, 6, payload);
    this.#wire.sendUnanswered(this.#calls.createMessageId(), signedAction(action), jws);
  }

  async #signed(action: string, type: 2 | 6, payload: unknown): Promise<unknown> {
    this.#signing ??= new SigningQueue();
    const jws = await this.#signing.inTurn(this.#settings.signing.sign(action, type, payload));
    if (!this.isOpen) throw new NotConnectedError(action, false);
    return jws;
  }

  #dispatch(text: string, frame: Frame): void {
    switch (frame.kind) {
      case "CALL":
      case "SEND":
        this.#wire.received(frame.kind, text, frame.messageId, frame.action);
        this.#requests.receive(frame, text.length);
        return;
      case "CALLRESULT":
        this.#answers.result(text, frame);
        return;
      case "CALLERROR":
      case "CALLRESULTERROR":
        this.#answers.error(text, frame);
        return;
      case "malformed":
        this.#malformed(text, frame);
        return;
    }
  }

  #malformed(text: string, { messageId, reason, answer, isResult }: MalformedFrame): void {
    const code = answer === undefined ? undefined : wireErrorCode(this.version, answer);
    this.#wire.received("malformed", text, messageId, "", code);
    this.#wire.ignored(isResult ? "unreadable-answer" : "unreadable", `unreadable frame: ${reason}`, messageId, text);
    if (answer !== undefined)
      this.#wire.sendError(messageId === "" ? unreadableMessageId : messageId, "", answer, reason);
    else if (isResult) this.#answers.broken(messageId, reason);
  }

  #endCalls(ending: Ending, error: ConnectionEndedError): void {
    if (this.#keepsQueue) this.#calls.interrupt(error);
    else if (ending.replacedBy === true && this.#calls.isOutstanding) {
      this.#lastAnswer = new LastAnswer(this.#settings.timers, this.#calls, error);
    } else this.#calls.close(error);
  }
}

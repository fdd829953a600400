import type { CatalogueEntry } from "../../catalogue/catalogue.ts";
import type { OcppVersion } from "../../catalogue/version.ts";
import type { CallOptions } from "../../connection.ts";
import { positiveLimit } from "../../endpoint/limit.ts";
import { CallQueueFullError, NotConnectedError } from "../../errors.ts";
import { writeRequest } from "../frames/write-frame.ts";
import { fittingMessageId, MessageIds } from "./message-ids.ts";
import { type CallQueue, OutgoingCall } from "./outgoing-call.ts";
import type { PeerSettings } from "./peer-settings.ts";

/** Where calls go out: one connection. */
export interface CallChannel {
  readonly version: OcppVersion;
  /** Writes the frame to the socket. */
  sendCall(call: OutgoingCall): void;
}

// Enough to tell a late response from an unknown one.
const REMEMBERED_IDS = 16;

/**
 * The calls of one side: at most one is outstanding, the others wait in a bounded queue (OCPP-J 1.6 §4.1.1, 2.x
 * Part 4 §4.1.1). A station keeps the queue over reconnects; what was sent and not answered never is sent again.
 */
export class OutgoingCalls implements CallQueue {
  readonly #settings: PeerSettings;
  #ids: MessageIds | undefined;
  #channel: CallChannel | undefined;
  #outstanding: OutgoingCall | undefined;
  #queue: OutgoingCall[] | undefined;
  #lastAnswered: string | undefined;
  #abandoned: string[] | undefined;

  constructor(settings: PeerSettings) {
    this.#settings = settings;
  }

  /** Whether a response is awaited. */
  get isOutstanding(): boolean {
    return this.#outstanding !== undefined;
  }

  /** How many calls wait for their turn. */
  get queued(): number {
    return this.#queue?.length ?? 0;
  }

  /** A message id that was never used. @throws RangeError when the caller's own function made one that is too long */
  createMessageId(): string {
    const own = this.#settings.createMessageId?.();
    if (own !== undefined) return fittingMessageId(own);
    this.#ids ??= new MessageIds();
    return this.#ids.next();
  }

  /**
   * Queues a valid request and sends it as soon as no other call is outstanding. `wireAction` differs from the entry's
   * action for a signed message.
   */
  call(
    entry: CatalogueEntry,
    payload: unknown,
    options: CallOptions | undefined,
    wireAction = entry.action,
  ): Promise<unknown> {
    if (options?.signal?.aborted === true) return Promise.reject(options.signal.reason);
    if (this.queued >= this.#settings.maxQueuedCalls) {
      return Promise.reject(new CallQueueFullError(entry.action, this.#settings.maxQueuedCalls));
    }
    let call: OutgoingCall;
    try {
      call = this.#create(entry, payload, options, wireAction);
    } catch (error) {
      return Promise.reject(error);
    }
    const promise = call.promise(options?.signal);
    if (this.#outstanding === undefined && this.queued === 0 && this.#channel !== undefined) {
      this.#send(call, this.#channel);
    } else {
      this.#enqueue(call, options?.queueTimeoutMs);
    }
    return promise;
  }

  /** Takes the outstanding call that this response is for, or tells why there is none. */
  take(messageId: string): OutgoingCall | string {
    const call = this.#outstanding;
    if (call !== undefined && call.messageId === messageId) {
      this.#outstanding = undefined;
      this.#settings.deadlines.delete(call);
      this.#lastAnswered = messageId;
      return call;
    }
    if (messageId === this.#lastAnswered) return "duplicate response";
    return this.#abandoned?.includes(messageId) === true ? "late response" : "unknown response";
  }

  /** Sends the next call, after the one before was settled. */
  next(): void {
    const channel = this.#channel;
    if (channel === undefined || this.#outstanding !== undefined) return;
    const call = this.#queue?.shift();
    if (call !== undefined) this.#send(call, channel);
  }

  /** Gives a call up: it is not sent if it was not yet, and its slot is free if it was. */
  abandon(call: OutgoingCall, reason: unknown): void {
    if (this.#outstanding === call) {
      this.#outstanding = undefined;
      this.#settings.deadlines.delete(call);
      this.#abandoned ??= [];
      if (this.#abandoned.push(call.messageId) > REMEMBERED_IDS) this.#abandoned.shift();
    } else {
      const index = this.#queue?.indexOf(call) ?? -1;
      if (index < 0) return;
      this.#queue?.splice(index, 1);
      this.#settings.deadlines.delete(call);
    }
    call.reject(reason);
    this.next();
  }

  /** Connects the queue; calls of another version than the connection's can never be sent and fail. */
  open(channel: CallChannel): void {
    this.#channel = channel;
    const stale = this.#queue?.filter((call) => call.entry.version !== channel.version) ?? [];
    this.#queue = this.#queue?.filter((call) => call.entry.version === channel.version);
    for (const call of stale) this.#drop(call, undefined);
    this.next();
  }

  /** The connection is lost: the outstanding call fails, since nobody knows whether the peer acted on it. */
  interrupt(cause: unknown): void {
    this.#channel = undefined;
    const call = this.#outstanding;
    if (call === undefined) return;
    this.#outstanding = undefined;
    this.#settings.deadlines.delete(call);
    call.reject(new NotConnectedError(call.entry.action, true, cause));
  }

  /** Fails everything, for good. */
  close(cause: unknown): void {
    this.interrupt(cause);
    this.retire(cause);
  }

  /** Fails what waits, for good; the outstanding call may still be answered. */
  retire(cause: unknown): void {
    this.#channel = undefined;
    const waiting = this.#queue ?? [];
    this.#queue = undefined;
    for (const call of waiting) this.#drop(call, cause);
  }

  /** @throws RangeError for a limit or a message id that is none, TypeError when the payload cannot be written as JSON */
  #create(entry: CatalogueEntry, payload: unknown, options: CallOptions | undefined, wireAction: string): OutgoingCall {
    const timeoutMs = positiveLimit("timeoutMs", options?.timeoutMs ?? this.#settings.callTimeoutMs);
    if (options?.queueTimeoutMs !== undefined) positiveLimit("queueTimeoutMs", options.queueTimeoutMs);
    const messageId = options?.messageId === undefined ? this.createMessageId() : fittingMessageId(options.messageId);
    return new OutgoingCall(this, entry, messageId, writeRequest("CALL", messageId, wireAction, payload), timeoutMs);
  }

  #enqueue(call: OutgoingCall, queueTimeoutMs: number | undefined): void {
    this.#queue ??= [];
    this.#queue.push(call);
    if (queueTimeoutMs === undefined) return;
    call.queueTimeoutMs = queueTimeoutMs;
    call.deadlineMs = this.#settings.timers.elapsedMs() + queueTimeoutMs;
    this.#settings.deadlines.add(call);
  }

  /** Fails a call that has left the queue and can never be sent. */
  #drop(call: OutgoingCall, cause: unknown): void {
    this.#settings.deadlines.delete(call);
    call.reject(new NotConnectedError(call.entry.action, false, cause));
  }

  #send(call: OutgoingCall, channel: CallChannel): void {
    this.#outstanding = call;
    if (call.queueTimeoutMs !== undefined) this.#settings.deadlines.delete(call);
    call.queueTimeoutMs = undefined;
    call.deadlineMs = this.#settings.timers.elapsedMs() + call.timeoutMs;
    this.#settings.deadlines.add(call);
    channel.sendCall(call);
  }
}

import type { CatalogueEntry } from "../catalogue/catalogue.ts";
import type { OcppVersion } from "../catalogue/version.ts";
import type { CallOptions } from "../connection.ts";
import { CallQueueFullError, CallTimeoutError, NotConnectedError } from "../errors.ts";
import type { Waiting } from "./deadlines.ts";
import { maxMessageIdLength } from "./frames/frame.ts";
import { writeRequest } from "./frames/write-frame.ts";
import { MessageIds, type PeerSettings } from "./peer-settings.ts";

/** Where calls go out: one connection. */
export interface CallChannel {
  readonly version: OcppVersion;
  /** Writes the frame to the socket. */
  sendCall(call: OutgoingCall): void;
}

/** One call from the moment it is made until it is settled. */
export class OutgoingCall implements Waiting {
  readonly messageId: string;
  readonly entry: CatalogueEntry;
  readonly text: string;
  readonly timeoutMs: number;
  /** How long it may wait for its turn; undefined once it is sent, or without limit. */
  queueTimeoutMs: number | undefined;
  deadlineMs = 0;
  readonly #queue: OutgoingCalls;
  #resolve: ((payload: unknown) => void) | undefined;
  #reject: ((reason: unknown) => void) | undefined;
  #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined;

  constructor(queue: OutgoingCalls, entry: CatalogueEntry, messageId: string, text: string, timeoutMs: number) {
    this.#queue = queue;
    this.entry = entry;
    this.messageId = messageId;
    this.text = text;
    this.timeoutMs = timeoutMs;
  }

  /** The promise of this call; to be taken once. */
  promise(signal: AbortSignal | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (signal === undefined) return;
      this.#signal = signal;
      this.#onAbort = () => this.#queue.abandon(this, signal.reason);
      signal.addEventListener("abort", this.#onAbort, { once: true });
    });
  }

  resolve(payload: unknown): void {
    this.#release();
    this.#resolve?.(payload);
  }

  reject(reason: unknown): void {
    this.#release();
    this.#reject?.(reason);
  }

  expire(): void {
    const { entry, timeoutMs, queueTimeoutMs } = this;
    const isSent = queueTimeoutMs === undefined;
    this.#queue.abandon(this, new CallTimeoutError(entry.action, queueTimeoutMs ?? timeoutMs, isSent));
  }

  #release(): void {
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#onAbort = undefined;
  }
}

function fittingMessageId(messageId: string): string {
  if (messageId.length <= maxMessageIdLength) return messageId;
  throw new RangeError(`a message id has at most ${maxMessageIdLength} characters`);
}

// Enough to tell a late response from an unknown one.
const REMEMBERED_IDS = 16;

/**
 * The calls of one side: at most one is outstanding, the others wait in a bounded queue (OCPP-J 1.6 §4.1.1, 2.x
 * Part 4 §4.1.1). A station keeps the queue over reconnects; what was sent and not answered never is sent again.
 */
export class OutgoingCalls {
  readonly #settings: PeerSettings;
  readonly #ids = new MessageIds();
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
    return fittingMessageId(this.#settings.createMessageId?.() ?? this.#ids.next());
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
    const timeoutMs = options?.timeoutMs ?? this.#settings.callTimeoutMs;
    if (!(timeoutMs > 0)) return Promise.reject(new RangeError("timeoutMs must be above 0"));
    const queueTimeoutMs = options?.queueTimeoutMs;
    if (queueTimeoutMs !== undefined && !(queueTimeoutMs > 0)) {
      return Promise.reject(new RangeError("queueTimeoutMs must be above 0"));
    }
    let messageId: string;
    try {
      messageId = options?.messageId === undefined ? this.createMessageId() : fittingMessageId(options.messageId);
    } catch (error) {
      return Promise.reject(error);
    }
    const text = writeRequest("CALL", messageId, wireAction, payload);
    const call = new OutgoingCall(this, entry, messageId, text, timeoutMs);
    const promise = call.promise(options?.signal);
    if (this.#outstanding === undefined && this.queued === 0 && this.#channel !== undefined) {
      this.#send(call, this.#channel);
    } else {
      this.#enqueue(call, queueTimeoutMs);
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

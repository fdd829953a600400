import type { Agent as HttpAgent } from "node:http";
import type { Agent as HttpsAgent } from "node:https";
import type { CallsFrom, RequestOf, ResponseOf, SendsFrom } from "../catalogue/messages.ts";
import type { Role } from "../catalogue/version.ts";
import type { CallOptions, Connection, EndpointObserver, ToleranceHook, WireMessage } from "../connection.ts";
import type { Timers } from "../endpoint/timers.ts";
import { CallTimeoutError, NotConnectedError, OcppError, UnknownActionError, ValidationError } from "../errors.ts";
import { CallQueue } from "./call-queue.ts";
import { ANONYMOUS_ADDRESS, writeEnvelope } from "./envelope.ts";
import { exchangeEnvelope } from "./exchange.ts";
import { type ContentCoding, HttpBodyError } from "./http-body.ts";
import { readResponse } from "./response.ts";
import { type Operation, operationsOf, type SoapVersion, serviceOf } from "./soap-version.ts";
import { XmlCharacterError } from "./xml-writer.ts";

/** What all connections of one endpoint have in common for calling their peers. */
export interface CallSettings {
  readonly callTimeoutMs: number;
  readonly maxQueuedCalls: number;
  readonly maxBodyBytes: number;
  readonly tolerance: ToleranceHook | undefined;
  readonly observer: EndpointObserver | undefined;
  readonly timers: Timers;
  readonly httpAgent: HttpAgent | undefined;
  readonly httpsAgent: HttpsAgent | undefined;
  readonly compressCalls: ContentCoding | undefined;
  createMessageId(): string;
  /** Where we listen ourselves; undefined when we do not. */
  from(): string | undefined;
  /** Value of the Authorization header for this peer. */
  authorization(identity: string): string | undefined;
}

/** Passes an abort on; returns the release. AbortSignal.any would leave a trace on a long-lived signal per call. */
function linkAbort(source: AbortSignal | undefined, target: AbortController): () => void {
  if (source === undefined) return () => {};
  if (source.aborted) target.abort(source.reason);
  const abort = () => target.abort(source.reason);
  source.addEventListener("abort", abort, { once: true });
  return () => source.removeEventListener("abort", abort);
}

/** How a connection ended. */
export interface SoapDisconnection {
  readonly reason: string;
  /** Set when a newer connection of the same identity took over. */
  readonly replacedBy?: boolean;
}

/**
 * A peer of OCPP-S. There is no lasting transport: calls go to the peer's address one by one, each with a
 * connection of HTTP; requests of the peer arrive at our own listener.
 */
export class SoapConnection<V extends SoapVersion = SoapVersion, R extends Role = Role> implements Connection<V, R> {
  readonly identity: string;
  readonly version: V;
  readonly transport = "OCPP-S";
  remoteAddress: string;
  readonly #operations: ReadonlyMap<string, Operation>;
  readonly #settings: CallSettings;
  readonly #queue: CallQueue;
  readonly #closed = new AbortController();
  readonly #onClose: (ended: SoapDisconnection) => void;
  #address: URL | undefined;
  #isClosing = false;

  /** @param role Our own role. */
  constructor(
    role: R,
    peer: {
      readonly identity: string;
      readonly version: V;
      readonly remoteAddress: string;
      readonly address: URL | undefined;
    },
    settings: CallSettings,
    onClose: (ended: SoapDisconnection) => void,
  ) {
    this.identity = peer.identity;
    this.version = peer.version;
    this.remoteAddress = peer.remoteAddress;
    this.#address = peer.address;
    this.#operations = operationsOf(peer.version, serviceOf(role === "CSMS" ? "ChargingStation" : "CSMS"));
    this.#settings = settings;
    this.#queue = new CallQueue(settings.maxQueuedCalls);
    this.#onClose = onClose;
  }

  /** Where calls go: the address the peer gave in its last `From`. Undefined until one is known. */
  get address(): string | undefined {
    return this.#address?.href;
  }

  /** Sends later calls, those that wait already too, to another address. */
  moveTo(address: URL): void {
    this.#address = address;
  }

  /** True while the peer has an address to call and the connection was not ended. */
  get isOpen(): boolean {
    return !this.#isClosing && this.#address !== undefined;
  }

  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  call<A extends CallsFrom<V, R>>(
    action: A,
    payload: RequestOf<V, A>,
    options?: CallOptions,
  ): Promise<ResponseOf<V, A>> {
    return this.callUntyped(action, payload, options) as Promise<ResponseOf<V, A>>;
  }

  async callUntyped(action: string, payload: unknown, options: CallOptions = {}): Promise<unknown> {
    const operation = this.#operations.get(action);
    if (operation === undefined) throw new UnknownActionError(this.version, action);
    const timeoutMs = options.timeoutMs ?? this.#settings.callTimeoutMs;
    if (!(timeoutMs > 0)) throw new RangeError("timeoutMs must be above 0");
    const body = this.#write(operation, payload);
    const exchange = () => this.#exchange(operation, body, timeoutMs, options);
    const { queueTimeoutMs } = options;
    if (queueTimeoutMs === undefined) return this.#queue.run(action, exchange, options.signal);
    return this.#inTime(action, queueTimeoutMs, exchange, options.signal);
  }

  /** Runs an exchange when its turn comes, unless that takes too long. */
  async #inTime<T>(action: string, queueTimeoutMs: number, exchange: () => Promise<T>, signal?: AbortSignal) {
    if (!(queueTimeoutMs > 0)) throw new RangeError("queueTimeoutMs must be above 0");
    const late = new AbortController();
    const expire = () => late.abort(new CallTimeoutError(action, queueTimeoutMs, false));
    const cancel = this.#settings.timers.after(queueTimeoutMs, expire, true);
    const release = linkAbort(signal, late);
    try {
      return await this.#queue.run(
        action,
        () => {
          cancel();
          return exchange();
        },
        late.signal,
      );
    } finally {
      cancel();
      release();
    }
  }

  /** OCPP-S has no message without an answer. @throws UnknownActionError always */
  async send<A extends SendsFrom<V, R>>(action: A): Promise<void> {
    throw new UnknownActionError(this.version, action);
  }

  /** Ends the connection: waiting calls fail at once, the one under way after `graceMs` (5 000 when absent). */
  async close(options: { readonly reason?: string; readonly graceMs?: number } = {}): Promise<void> {
    await this.end({ reason: options.reason ?? "closed" }, options.graceMs ?? 5000);
  }

  /** As {@link close}, telling whether a newer connection takes over. */
  async end(ended: SoapDisconnection, graceMs: number): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#onClose(ended);
    const cancel = this.#settings.timers.after(graceMs, () => this.#closed.abort(new Error(ended.reason)), true);
    await this.#queue.close();
    cancel();
    this.#closed.abort(new Error(ended.reason));
  }

  #write(operation: Operation, payload: unknown): string {
    const { entry, namespace, requestElement, request } = operation;
    const violation = entry.validateRequest(payload);
    if (violation !== undefined) throw new ValidationError(this.version, entry.action, "request", violation);
    try {
      return request.encode(requestElement, namespace, payload);
    } catch (error) {
      if (!(error instanceof XmlCharacterError)) throw error;
      const { path } = error;
      const expected = "characters that XML can carry";
      throw new ValidationError(this.version, entry.action, "request", { path, rule: "xml", expected, kind: "string" });
    }
  }

  async #exchange(operation: Operation, body: string, timeoutMs: number, options: CallOptions): Promise<unknown> {
    const { action } = operation.entry;
    const url = this.#address;
    if (url === undefined || this.#isClosing) throw new NotConnectedError(action, false);
    const settings = this.#settings;
    const messageId = options.messageId ?? settings.createMessageId();
    const from = settings.from() ?? ANONYMOUS_ADDRESS;
    const envelope = writeEnvelope({
      namespace: operation.namespace,
      chargeBoxIdentity: this.identity,
      addressing: { action: `/${action}`, messageId, from, replyTo: ANONYMOUS_ADDRESS, to: url.href },
      body,
      isRequest: true,
    });
    this.#observe("sent", "CALL", action, messageId, envelope);
    const giveUp = new AbortController();
    const cancel = settings.timers.after(timeoutMs, () => giveUp.abort(new CallTimeoutError(action, timeoutMs)), true);
    const links = [linkAbort(this.closed, giveUp), linkAbort(options.signal, giveUp)];
    try {
      const result = await exchangeEnvelope({
        url,
        action,
        envelope,
        signal: giveUp.signal,
        maxBodyBytes: settings.maxBodyBytes,
        httpAgent: settings.httpAgent,
        httpsAgent: settings.httpsAgent,
        authorization: settings.authorization(this.identity),
        compression: settings.compressCalls,
      });
      return readResponse(operation, result, {
        identity: this.identity,
        messageId,
        tolerance: settings.tolerance,
        observer: settings.observer,
        observe: (kind, text, errorCode) => this.#observe("received", kind, action, messageId, text, errorCode),
      });
    } catch (error) {
      if (this.closed.aborted && error === this.closed.reason) throw new NotConnectedError(action, true, error);
      if (error instanceof HttpBodyError) throw new OcppError("ProtocolError", error.message, { cause: error });
      throw error;
    } finally {
      cancel();
      for (const release of links) release();
    }
  }

  #observe(
    direction: WireMessage["direction"],
    kind: WireMessage["kind"],
    action: string,
    messageId: string,
    text: string,
    errorCode?: string,
  ): void {
    this.#settings.observer?.message?.({
      identity: this.identity,
      version: this.version,
      transport: this.transport,
      direction,
      kind,
      action,
      messageId,
      text,
      ...(errorCode !== undefined && { errorCode }),
    });
  }
}

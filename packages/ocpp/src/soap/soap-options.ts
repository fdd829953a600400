import { randomUUID } from "node:crypto";
import type { EndpointObserver, ToleranceHook } from "../connection.ts";
import { positiveLimit } from "../endpoint/limit.ts";
import { guardedObserver } from "../endpoint/observer.ts";
import { systemClock, systemTimers, type Timers, type WallClock } from "../endpoint/timers.ts";
import type { ContentCoding } from "./http-body.ts";

/** What both roles of OCPP-S can be told. */
export interface SoapOptions {
  /** Milliseconds to wait for a response, connecting included, unless the call says otherwise; 30 000 when absent. */
  readonly callTimeoutMs?: number;
  /** Calls that may wait for their turn at one peer; 100 when absent. */
  readonly maxQueuedCalls?: number;
  /** Requests of one peer that may be in work at a time; 16 when absent. Further ones get a Fault with HTTP 503. */
  readonly maxConcurrentRequests?: number;
  /** Requests of all peers that may be in work at a time; 2 000 when absent. Further ones get a Fault with HTTP 503. */
  readonly maxRequests?: number;
  /** Largest body of a request or response, on the wire and decompressed; 1 MiB when absent. */
  readonly maxBodyBytes?: number;
  /** Responses from this size on are compressed for peers that accept it; 1 024 when absent. */
  readonly compressionThresholdBytes?: number;
  /** Compresses the requests of our own calls; not when absent, for a peer cannot say beforehand that it understands. */
  readonly compressCalls?: ContentCoding;
  readonly tolerance?: ToleranceHook;
  readonly observer?: EndpointObserver;
  readonly clock?: WallClock;
  readonly timers?: Timers;
  /** Returns message ids that are never repeated, as URIs; `urn:uuid:` and a random UUID when absent. */
  createMessageId?(): string;
}

/** {@link SoapOptions} with the defaults filled in. */
export interface SoapSettings {
  readonly callTimeoutMs: number;
  readonly maxQueuedCalls: number;
  readonly maxConcurrentRequests: number;
  readonly maxRequests: number;
  readonly maxBodyBytes: number;
  readonly compressionThresholdBytes: number;
  readonly compressCalls: ContentCoding | undefined;
  readonly tolerance: ToleranceHook | undefined;
  readonly observer: EndpointObserver | undefined;
  readonly clock: WallClock;
  readonly timers: Timers;
  createMessageId(): string;
}

/** Fills in the defaults. @throws RangeError for a limit that is not above 0 */
export function soapSettings(options: SoapOptions): SoapSettings {
  return {
    callTimeoutMs: positiveLimit("callTimeoutMs", options.callTimeoutMs ?? 30_000),
    maxQueuedCalls: positiveLimit("maxQueuedCalls", options.maxQueuedCalls ?? 100),
    maxConcurrentRequests: positiveLimit("maxConcurrentRequests", options.maxConcurrentRequests ?? 16),
    maxRequests: positiveLimit("maxRequests", options.maxRequests ?? 2000),
    maxBodyBytes: positiveLimit("maxBodyBytes", options.maxBodyBytes ?? 2 ** 20),
    compressionThresholdBytes: options.compressionThresholdBytes ?? 1024,
    compressCalls: options.compressCalls,
    tolerance: options.tolerance,
    observer: guardedObserver(options.observer),
    clock: options.clock ?? systemClock,
    timers: options.timers ?? systemTimers,
    createMessageId: options.createMessageId?.bind(options) ?? (() => `urn:uuid:${randomUUID()}`),
  };
}

import type { Role } from "../../catalogue/version.ts";
import type { EndpointObserver, ToleranceHook } from "../../connection.ts";
import { HandlerTable } from "../../endpoint/handler-table.ts";
import { positiveLimit } from "../../endpoint/limit.ts";
import { guardedObserver } from "../../endpoint/observer.ts";
import { systemClock, systemTimers, type Timers, type WallClock } from "../../endpoint/timers.ts";
import { Deadlines } from "./deadlines.ts";
import { SignedMessages, type SignedMessagesOptions } from "./signed-messages.ts";

/** What both roles of OCPP-J can be told. */
export interface PeerOptions {
  /** Milliseconds to wait for a response unless the call says otherwise; 30 000 when absent. */
  readonly callTimeoutMs?: number;
  /** Calls that may wait for their turn on one connection; 100 when absent. */
  readonly maxQueuedCalls?: number;
  /** Requests of one peer that may be in work at a time; 16 when absent. Beyond it the socket is not read. */
  readonly maxConcurrentRequests?: number;
  /** Largest message taken from the peer, in bytes after decompression; 1 MiB when absent. A larger one ends the connection (1009). */
  readonly maxFrameBytes?: number;
  /** Bytes that may wait for a peer that reads slowly before its requests are not read any more; 1 MiB when absent. When as much again waits besides, the connection is ended. */
  readonly maxUnsentBytes?: number;
  readonly tolerance?: ToleranceHook;
  readonly observer?: EndpointObserver;
  /** Signed messages of 2.x: sent, verified, required. When absent they are taken, unverified, and not sent. */
  readonly signedMessages?: SignedMessagesOptions;
  readonly clock?: WallClock;
  readonly timers?: Timers;
  /** Returns message ids of at most 36 characters that are never repeated; a random prefix per connection and a counter when absent. */
  createMessageId?(): string;
}

/** What all connections of one endpoint have in common. */
export interface PeerSettings {
  readonly role: Role;
  readonly handlers: HandlerTable;
  readonly callTimeoutMs: number;
  readonly maxQueuedCalls: number;
  readonly maxConcurrentRequests: number;
  readonly maxFrameBytes: number;
  readonly maxUnsentBytes: number;
  readonly tolerance: ToleranceHook | undefined;
  readonly observer: EndpointObserver | undefined;
  readonly signing: SignedMessages;
  readonly clock: WallClock;
  readonly timers: Timers;
  readonly deadlines: Deadlines;
  /** Of all connections: how many requests of peers are with handlers that have not answered yet. */
  readonly work: { running: number };
  readonly createMessageId: (() => string) | undefined;
}

/** Fills in the defaults. @throws RangeError for a limit that is not above 0 */
export function peerSettings(role: Role, options: PeerOptions): PeerSettings {
  const timers = options.timers ?? systemTimers;
  return {
    role,
    handlers: new HandlerTable(role),
    callTimeoutMs: positiveLimit("callTimeoutMs", options.callTimeoutMs ?? 30_000),
    maxQueuedCalls: positiveLimit("maxQueuedCalls", options.maxQueuedCalls ?? 100),
    maxConcurrentRequests: positiveLimit("maxConcurrentRequests", options.maxConcurrentRequests ?? 16),
    maxFrameBytes: positiveLimit("maxFrameBytes", options.maxFrameBytes ?? 2 ** 20),
    maxUnsentBytes: positiveLimit("maxUnsentBytes", options.maxUnsentBytes ?? 2 ** 20),
    tolerance: options.tolerance,
    observer: guardedObserver(options.observer),
    signing: new SignedMessages(options.signedMessages),
    clock: options.clock ?? systemClock,
    timers,
    deadlines: new Deadlines(timers),
    work: { running: 0 },
    createMessageId: options.createMessageId?.bind(options),
  };
}

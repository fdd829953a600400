import { once } from "node:events";
import type { StoredEvent } from "../../events/domain-event.ts";
import type { EventLog } from "../../events/event-log.ts";
import type { EventFilter } from "../../events/event-store.ts";

/** Events of one write to the socket. */
const BATCH = 500;

/** The part of a writable stream that a follower needs. */
export interface EventOutput {
  write(text: string): boolean;
  once(event: "drain", listener: () => void): unknown;
}

/** How a reader follows events. */
export interface FollowOptions {
  readonly events: EventLog;
  /** Id of the last event the reader has. */
  readonly cursor: number;
  readonly filter: EventFilter;
  readonly output: EventOutput & NodeJS.EventEmitter;
  /** Ends the following. */
  readonly signal: AbortSignal;
  /** A comment is written when nothing was for this long, so that proxies and readers see the connection live. */
  readonly keepAliveMs: number;
  /** A reader that takes nothing for this long is cut. */
  readonly stallMs: number;
  /** Asked before every write; false ends the following, for a key that was deleted meanwhile. */
  isAllowed(): boolean;
}

/** Why following ended. */
export type FollowEnd = "aborted" | "stalled" | "no longer allowed";

/** JSON form of an event. */
export interface EventJson {
  id: number;
  type: string;
  stationId: string;
  timestamp: string;
  data: object;
}

/** The form of an event that streams, lists and webhooks share. */
export function eventJson({ id, event }: StoredEvent): EventJson {
  return {
    id,
    type: event.type,
    stationId: event.stationId,
    timestamp: event.timestamp.toISOString(),
    data: event.data,
  };
}

/** The event as a message of a `text/event-stream`. */
export function eventStreamMessage(stored: StoredEvent): string {
  return `id: ${stored.id}\nevent: ${stored.event.type}\ndata: ${JSON.stringify(eventJson(stored))}\n\n`;
}

/**
 * Writes events after the cursor, and then those that come, until the signal, the reader or its key ends it. What the
 * reader has not taken stays in the event log and is not buffered here, so a slow reader costs one batch of memory.
 */
export async function followEvents(options: FollowOptions): Promise<FollowEnd> {
  const { events, filter, output, signal } = options;
  let { cursor } = options;
  while (!signal.aborted) {
    const changed = events.changed();
    const batch = await events.after(cursor, filter, BATCH);
    if (signal.aborted) break;
    if (!options.isAllowed()) return "no longer allowed";
    const moved = batch.through > cursor;
    cursor = batch.through;
    if (batch.events.length > 0) {
      const text = batch.events.map(eventStreamMessage).join("");
      if (!(await write(output, text, options))) return signal.aborted ? "aborted" : "stalled";
      continue;
    }
    if (moved) continue;
    if (await happensWithin(changed, options.keepAliveMs, signal)) continue;
    if (signal.aborted) break;
    // The id lets a reader whose filter fits nothing resume from here, not from its last event.
    if (!(await write(output, `: keep-alive\nid: ${cursor}\n\n`, options))) break;
  }
  return signal.aborted ? "aborted" : "stalled";
}

/** Whether the reader took the text in time. */
async function write(output: FollowOptions["output"], text: string, options: FollowOptions): Promise<boolean> {
  if (output.write(text)) return true;
  const drained = once(output, "drain", { signal: options.signal }).then(
    () => undefined,
    () => undefined,
  );
  const took = await happensWithin(drained, options.stallMs, options.signal);
  return took && !options.signal.aborted;
}

/** Whether the promise resolves before the time is over or the signal aborts. */
async function happensWithin(promise: Promise<void>, timeMs: number, signal: AbortSignal): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  let abort: (() => void) | undefined;
  const over = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeMs);
    abort = () => resolve(false);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([promise.then(() => true), over]);
  } finally {
    clearTimeout(timer);
    if (abort !== undefined) signal.removeEventListener("abort", abort);
  }
}

import type { WireMessage } from "@polyphase/ocpp";

/** Of a station's Heartbeats in so many milliseconds one is kept. */
const WINDOW_MS = 60_000;

/**
 * Keeps the message log free of Heartbeats that say nothing new: of each station one a minute is kept with its answer.
 * At the usual interval of minutes that is every one; a station that is set to seconds would fill the log with them.
 * Heartbeats that are answered with an error are all kept, as far as the error goes.
 */
export class HeartbeatSieve {
  /** Message id of the Heartbeat that is kept, by station; null once its answer is kept too. */
  readonly #kept = new Map<string, string | null>();
  #sinceMs = Number.NEGATIVE_INFINITY;

  /** Whether a message is to be logged. `atMs`: milliseconds since 1970. */
  keeps({ action, kind, identity, messageId }: WireMessage, atMs: number): boolean {
    if (action !== "Heartbeat") return true;
    if (kind !== "CALL" && kind !== "CALLRESULT") return true;
    // The clock may have been set back.
    if (atMs - this.#sinceMs >= WINDOW_MS || atMs < this.#sinceMs) {
      this.#kept.clear();
      this.#sinceMs = atMs;
    }
    const kept = this.#kept.get(identity);
    if (kind === "CALL") {
      if (kept !== undefined) return false;
      this.#kept.set(identity, messageId);
      return true;
    }
    if (kept !== messageId) return false;
    this.#kept.set(identity, null);
    return true;
  }
}

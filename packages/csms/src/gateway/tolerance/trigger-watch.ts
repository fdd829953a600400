import { type ElapsedMs, systemElapsedMs } from "../../clock.ts";
import { triggeredActions } from "../registration-gate.ts";

/** How long a triggered message may take. */
const patienceMs = 60_000;
/** Expectations that are kept at once; one more replaces the oldest. */
const mostExpected = 10_000;

interface Expected {
  readonly stationId: string;
  readonly action: string;
  readonly untilMs: number;
}

/** Waits for messages that stations were asked to send and agreed to (1.6 §5.17; 2.x F06). */
export class TriggerWatch {
  readonly #elapsedMs: ElapsedMs;
  readonly #expected = new Map<string, Expected>();
  readonly #missed: (stationId: string, action: string) => void;

  /** @param missed called from {@link look} for each message that did not come */
  constructor(missed: (stationId: string, action: string) => void, elapsedMs: ElapsedMs = systemElapsedMs) {
    this.#elapsedMs = elapsedMs;
    this.#missed = missed;
  }

  /** How many messages are awaited. */
  get size(): number {
    return this.#expected.size;
  }

  /** A station is asked to send a message; it may come before the station has agreed to. */
  expect(stationId: string, action: string): void {
    const key = keyOf(stationId, action);
    this.#expected.delete(key);
    if (this.#expected.size >= mostExpected)
      for (const oldest of this.#expected.keys()) {
        this.#expected.delete(oldest);
        break;
      }
    this.#expected.set(key, { stationId, action, untilMs: this.#elapsedMs() + patienceMs });
  }

  /** A message came, or will not because the station did not agree. */
  settled(stationId: string, action: string): void {
    this.#expected.delete(keyOf(stationId, action));
    // 2.1 tells a status by NotifyEvent rather than by StatusNotification.
    if (action === "NotifyEvent") this.#expected.delete(keyOf(stationId, "StatusNotification"));
  }

  /** Looks which messages are overdue, tells of them once and waits for them no longer. */
  look(): void {
    const nowMs = this.#elapsedMs();
    for (const [key, { stationId, action, untilMs }] of this.#expected) {
      if (untilMs > nowMs) return;
      this.#expected.delete(key);
      this.#missed(stationId, action);
    }
  }
}

const keyOf = (stationId: string, action: string) => `${action} ${stationId}`;

/** The action that a call asks the station to send by itself; undefined where it asks for none. */
export function triggeredAction(action: string, payload: unknown): string | undefined {
  if (action !== "TriggerMessage" && action !== "ExtendedTriggerMessage") return undefined;
  const { requestedMessage } = (payload ?? {}) as { readonly requestedMessage?: unknown };
  if (typeof requestedMessage !== "string" || requestedMessage === "CustomTrigger") return undefined;
  return triggeredActions[requestedMessage] ?? requestedMessage;
}

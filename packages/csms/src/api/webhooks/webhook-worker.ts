import type { Logger } from "pino";
import type { Clock } from "../../clock.ts";
import type { StoredEvent } from "../../events/domain-event.ts";
import type { EventLog } from "../../events/event-log.ts";
import type { EventFilter } from "../../events/event-store.ts";
import { eventJson } from "../events/event-follower.ts";
import { type DeliveryOutcome, deliver, type Fetch } from "./delivery.ts";
import { GIVE_UP_AFTER_ATTEMPTS, GIVE_UP_AFTER_MS, LONGEST_WAIT_MS, retryWaitMs } from "./retry-schedule.ts";
import type { DeliveryAttempt, Webhook } from "./webhook.ts";

/** Events that are delivered between two notes of progress: as many may be repeated after a crash. */
const BATCH = 20;

/** The cursor of a webhook whose filter fits little is noted after this many events that it skipped. */
const SKIPPED_BEFORE_NOTE = 1_000;

/** What workers of one system share. */
export interface WebhookWorkerDeps {
  readonly events: EventLog;
  readonly clock: Clock;
  readonly log: Logger;
  readonly fetch: Fetch;
  readonly random: () => number;
  /** Resolves after a time, or at once when the signal aborts. */
  readonly wait: (timeMs: number, signal: AbortSignal) => Promise<void>;
  /** Stores progress. */
  readonly save: (webhook: Webhook, attempts: readonly DeliveryAttempt[]) => Promise<void>;
}

/** How an attempt ended for the subscription. */
type Verdict = "delivered" | "again" | "disabled";

/**
 * Delivers the events of one webhook in their order, each until it is taken. Progress is stored after the fact, so an
 * event is delivered at least once: again when the process dies in between.
 */
export class WebhookWorker {
  readonly #deps: WebhookWorkerDeps;
  readonly #abort = new AbortController();
  #webhook: Webhook;
  #noted: number;
  #attempts: DeliveryAttempt[] = [];
  readonly #running: Promise<void>;

  constructor(webhook: Webhook, deps: WebhookWorkerDeps) {
    this.#webhook = webhook;
    this.#noted = webhook.cursor;
    this.#deps = deps;
    this.#running = this.#run();
  }

  /** The webhook as far as it has come. */
  get webhook(): Webhook {
    return this.#webhook;
  }

  /** Ends the worker; a delivery under way is broken off and will be repeated. Stores how far it came. */
  async stop(): Promise<Webhook> {
    this.#abort.abort();
    await this.#running;
    return this.#webhook;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    let troubleCount = 0;
    while (!signal.aborted && this.#webhook.enabled) {
      try {
        await this.#step(signal);
        troubleCount = 0;
      } catch (error) {
        troubleCount += 1;
        this.#deps.log.warn({ err: error, webhookId: this.#webhook.id }, "webhook events cannot be read or noted now");
        await this.#deps.wait(retryWaitMs(troubleCount, this.#deps.random()), signal);
      }
    }
    await this.#note().catch((error: unknown) =>
      this.#deps.log.warn({ err: error, webhookId: this.#webhook.id }, "webhook progress was not stored"),
    );
  }

  async #step(signal: AbortSignal): Promise<void> {
    const changed = this.#deps.events.changed();
    const batch = await this.#deps.events.after(this.#webhook.cursor, filterOf(this.#webhook), BATCH);
    for (const stored of batch.events) {
      if (!(await this.#deliverUntilTaken(stored, signal))) return;
    }
    const moved = batch.through > this.#webhook.cursor || batch.events.length > 0;
    this.#webhook = { ...this.#webhook, cursor: batch.through };
    if (this.#attempts.length > 0 || batch.through - this.#noted >= SKIPPED_BEFORE_NOTE) await this.#note();
    if (!moved) await untilAborted(changed, signal);
  }

  /** False when the worker has to end before the event was taken. */
  async #deliverUntilTaken(stored: StoredEvent, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      const dueInMs = (this.#webhook.failure?.nextAttemptAt.getTime() ?? 0) - this.#deps.clock.now().getTime();
      // No wait is planned longer; where it seems so the clock was set back.
      if (dueInMs > 0) await this.#deps.wait(Math.min(dueInMs, LONGEST_WAIT_MS), signal);
      if (signal.aborted) return false;
      const outcome = await this.#attempt(stored, signal);
      if (signal.aborted && outcome.error !== undefined) return false;
      const verdict = this.#settle(stored, outcome);
      if (verdict === "delivered") return true;
      await this.#note();
      if (verdict === "disabled") return false;
    }
  }

  #attempt(stored: StoredEvent, signal: AbortSignal): Promise<DeliveryOutcome> {
    const { url, secret } = this.#webhook;
    const request = { url, secret, messageId: `event_${stored.id}`, body: JSON.stringify(eventJson(stored)) };
    return deliver(request, this.#deps.clock, this.#deps.fetch, signal);
  }

  #settle(stored: StoredEvent, outcome: DeliveryOutcome): Verdict {
    const { at, durationMs, status, error } = outcome;
    const attempt = (this.#webhook.failure?.attempts ?? 0) + 1;
    this.#attempts.push({ eventId: stored.id, attempt, at, durationMs, status, error });
    if (error === undefined) {
      this.#webhook = { ...this.#webhook, cursor: stored.id, failure: undefined };
      return "delivered";
    }
    const now = this.#deps.clock.now();
    const since = this.#webhook.failure?.since ?? now;
    const waitMs = retryWaitMs(attempt, this.#deps.random(), outcome.retryAfterS);
    const failure = { attempts: attempt, since, nextAttemptAt: new Date(now.getTime() + waitMs) };
    const reason = giveUpReason(status, now.getTime() - since.getTime(), attempt);
    this.#webhook = {
      ...this.#webhook,
      failure,
      ...(reason === undefined ? {} : { enabled: false, disabledReason: reason }),
    };
    const facts = { webhookId: this.#webhook.id, eventId: stored.id, attempt, error };
    if (reason === undefined)
      this.#deps.log.warn({ ...facts, waitMs: Math.round(waitMs) }, "a webhook delivery failed");
    else this.#deps.log.error({ ...facts, reason }, "a webhook was disabled");
    return reason === undefined ? "again" : "disabled";
  }

  async #note(): Promise<void> {
    const { cursor } = this.#webhook;
    const attempts = this.#attempts;
    if (attempts.length === 0 && cursor === this.#noted) return;
    await this.#deps.save(this.#webhook, attempts);
    this.#attempts = [];
    this.#noted = cursor;
  }
}

function filterOf({ types, stationId }: Webhook): EventFilter {
  return { types: types.length === 0 ? undefined : new Set(types), stationId };
}

/** 410 Gone is how a receiver ends a subscription. */
function giveUpReason(status: number | undefined, failingForMs: number, attempts: number): string | undefined {
  if (status === 410) return "the receiver answered 410 Gone";
  if (failingForMs >= GIVE_UP_AFTER_MS && attempts >= GIVE_UP_AFTER_ATTEMPTS)
    return `deliveries failed for ${GIVE_UP_AFTER_MS / 86_400_000} days`;
  return undefined;
}

/** Resolves with the promise, or when the signal aborts. */
async function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  let abort: () => void = () => undefined;
  const aborted = new Promise<void>((resolve) => {
    abort = resolve;
  });
  signal.addEventListener("abort", abort, { once: true });
  await Promise.race([promise, aborted]);
  signal.removeEventListener("abort", abort);
}

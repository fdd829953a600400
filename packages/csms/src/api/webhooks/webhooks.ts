import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Clock } from "../../clock.ts";
import type { EventLog } from "../../events/event-log.ts";
import { notFound } from "../problem.ts";
import { type DeliveryOutcome, deliver, type Fetch } from "./delivery.ts";
import { createSecret } from "./signature.ts";
import type { Webhook, WebhookChange } from "./webhook.ts";
import type { StoredAttempt, WebhookStore } from "./webhook-store.ts";
import { WebhookWorker, type WebhookWorkerDeps } from "./webhook-worker.ts";

/** What {@link Webhooks} needs. */
export interface WebhooksOptions {
  readonly store: WebhookStore;
  readonly events: EventLog;
  readonly clock: Clock;
  readonly log: Logger;
  /** Default: the `fetch` of Node.js. */
  readonly fetch?: Fetch;
  /** From 0 up to 1; default `Math.random`. */
  readonly random?: () => number;
  /** Default: a timer. */
  readonly wait?: WebhookWorkerDeps["wait"];
}

/** What an administrator says of a new webhook. */
export interface NewWebhook {
  readonly url: string;
  readonly description: string;
  readonly types: readonly string[];
  readonly stationId?: string | undefined;
  readonly enabled: boolean;
  /** Absent: one is made. */
  readonly secret?: string | undefined;
  readonly createdBy: string;
}

/** All webhooks of the system and their workers. Only one process may run them. */
export class Webhooks {
  readonly #store: WebhookStore;
  readonly #events: EventLog;
  readonly #clock: Clock;
  readonly #deps: WebhookWorkerDeps;
  readonly #workers = new Map<string, WebhookWorker>();
  /** Changes of one webhook happen one after the other. */
  #changing: Promise<unknown> = Promise.resolve();

  constructor({ store, events, clock, log, fetch, random, wait }: WebhooksOptions) {
    this.#store = store;
    this.#events = events;
    this.#clock = clock;
    this.#deps = {
      events,
      clock,
      log,
      fetch: fetch ?? globalThis.fetch,
      random: random ?? Math.random,
      wait: wait ?? waitByTimer,
      save: (webhook, attempts) => store.saveProgress(webhook, attempts),
    };
  }

  /** Reads all webhooks and goes on delivering where each stopped. */
  async load(): Promise<void> {
    for (const webhook of await this.#store.all()) this.#start(webhook);
  }

  /** Stops delivering and stores how far each came. */
  async close(): Promise<void> {
    await this.#changing.catch(() => undefined);
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop()));
  }

  /** All webhooks, oldest first. */
  list(): readonly Webhook[] {
    return [...this.#workers.values()]
      .map(({ webhook }) => webhook)
      .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || a.id.localeCompare(b.id));
  }

  /** @throws ProblemError 404 when there is none */
  get(id: string): Webhook {
    return this.#worker(id).webhook;
  }

  /** Begins a subscription with the next event. */
  async create({ secret, ...given }: NewWebhook): Promise<Webhook> {
    const webhook: Webhook = {
      ...given,
      id: randomUUID(),
      secret: secret ?? createSecret(),
      createdAt: this.#clock.now(),
      cursor: this.#events.newestId,
    };
    await this.#store.save(webhook);
    this.#start(webhook);
    return webhook;
  }

  /**
   * Changes a subscription. Enabling one forgets its failures and goes on where it stopped.
   *
   * @throws ProblemError 404 when there is none
   */
  change(id: string, { stationId, ...change }: WebhookChange): Promise<Webhook> {
    return this.#inTurn(async () => {
      const before = await this.#worker(id).stop();
      const isRevived = change.enabled === true || change.url !== undefined;
      const after: Webhook = {
        ...before,
        ...change,
        ...(stationId === undefined ? {} : { stationId: stationId ?? undefined }),
        ...(isRevived ? { failure: undefined } : {}),
        ...(change.enabled === undefined ? {} : { disabledReason: undefined }),
      };
      try {
        await this.#store.save(after);
        this.#start(after);
      } catch (error) {
        this.#start(before);
        throw error;
      }
      return after;
    });
  }

  /** @throws ProblemError 404 when there is none */
  delete(id: string): Promise<void> {
    return this.#inTurn(async () => {
      const before = await this.#worker(id).stop();
      try {
        await this.#store.delete(id);
        this.#workers.delete(id);
      } catch (error) {
        this.#start(before);
        throw error;
      }
    });
  }

  /**
   * Posts an event `webhook.test` once, outside the order of events.
   *
   * @throws ProblemError 404 when there is none
   */
  test(id: string, signal: AbortSignal): Promise<DeliveryOutcome> {
    const { url, secret } = this.get(id);
    const timestamp = this.#clock.now().toISOString();
    const body = JSON.stringify({ id: 0, type: "webhook.test", stationId: "", timestamp, data: {} });
    const request = { url, secret, messageId: `test_${randomUUID()}`, body };
    return deliver(request, this.#clock, this.#deps.fetch, signal);
  }

  /** Attempts, newest first. */
  async attempts(id: string, before: number | undefined, limit: number): Promise<readonly StoredAttempt[]> {
    this.#worker(id);
    return this.#store.attempts(id, before, limit);
  }

  #start(webhook: Webhook): void {
    this.#workers.set(webhook.id, new WebhookWorker(webhook, this.#deps));
  }

  #worker(id: string): WebhookWorker {
    const worker = this.#workers.get(id);
    if (worker === undefined) throw notFound("webhook", id);
    return worker;
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#changing.then(work, work);
    this.#changing = result.catch(() => undefined);
    return result;
  }
}

async function waitByTimer(timeMs: number, signal: AbortSignal): Promise<void> {
  await delay(timeMs, undefined, { signal, ref: false }).catch(() => undefined);
}

import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../system/running-csms.ts";

interface Readiness {
  readonly status: "ready" | "not-ready";
  readonly reasons?: Readonly<Record<string, string>>;
}

/** Asks a CSMS for its health all the time and remembers what it said. */
export class HealthWatch {
  /** Statuses of `/health/live`. */
  readonly liveStatuses = new Set<number>();
  /** Reasons for which it was not ready, each behind the name of its check. */
  readonly reasons = new Set<string>();
  readonly #httpUrl: string;
  readonly #counts = { ready: 0, "not-ready": 0 };
  #isAsking = false;
  #isClosed = false;
  readonly #done: Promise<void>;

  constructor(httpUrl: string) {
    this.#httpUrl = httpUrl;
    this.#done = this.#run();
  }

  /** Resolves when an answer to a question that was asked after now has this status. */
  async next(status: Readiness["status"]): Promise<void> {
    const before = this.#counts[status] + (this.#isAsking ? 1 : 0);
    await eventually(`health: ${status}`, () => (this.#counts[status] > before ? true : undefined), 60_000);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      this.#isAsking = true;
      await this.#ask();
      this.#isAsking = false;
      await delay(10);
    }
  }

  async #ask(): Promise<void> {
    const [live, ready] = await Promise.all([
      fetch(`${this.#httpUrl}/health/live`),
      fetch(`${this.#httpUrl}/health/ready`),
    ]);
    await live.text();
    this.liveStatuses.add(live.status);
    const { status, reasons = {} } = (await ready.json()) as Readiness;
    if ((ready.status === 200) !== (status === "ready")) throw new Error(`${status} came with ${ready.status}`);
    this.#counts[status]++;
    for (const [check, reason] of Object.entries(reasons)) this.reasons.add(`${check}: ${reason}`);
  }
}

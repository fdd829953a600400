import type { Clock, Timer } from "../clock.ts";

/** One status of an upload or download and how long it lasts, in simulated milliseconds. */
export interface TransferStep {
  readonly status: string;
  readonly lastsMs: number;
}

/**
 * Reports the course of an upload or download step by step. A simulated station has neither a file nor an
 * updater, so its courses end in failure: nothing is claimed that did not happen.
 */
export class TransferReports {
  readonly #clock: Clock;
  readonly #send: (status: string, requestId: number | undefined) => void;
  #timer: Timer | undefined;
  #status = "Idle";
  #requestId: number | undefined;

  constructor(clock: Clock, send: (status: string, requestId: number | undefined) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** The status to tell when asked (TriggerMessage): Idle unless a course is under way (F06.FR.14-16). */
  get status(): string {
    return this.#timer === undefined ? "Idle" : this.#status;
  }

  /** Id of the request whose course is under way. */
  get requestId(): number | undefined {
    return this.#timer === undefined ? undefined : this.#requestId;
  }

  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  /** Starts a course after a wait; one that is under way is given up. */
  start(steps: readonly TransferStep[], options: { readonly waitMs?: number; readonly requestId?: number } = {}): void {
    this.halt();
    this.#requestId = options.requestId;
    this.#status = "Idle";
    this.#timer = this.#clock.setTimer(options.waitMs ?? 0, () => this.#step(steps, 0));
  }

  halt(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #step(steps: readonly TransferStep[], index: number): void {
    const step = steps[index];
    this.#timer = undefined;
    if (step === undefined) return;
    this.#status = step.status;
    this.#send(step.status, this.#requestId);
    if (index + 1 < steps.length) this.#timer = this.#clock.setTimer(step.lastsMs, () => this.#step(steps, index + 1));
  }
}

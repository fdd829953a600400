import type { Clock, Timer } from "../clock.ts";
import type { Settings } from "../configuration/settings.ts";
import type { OfflineQueue } from "../transactions/offline-queue.ts";
import type { Session } from "../transactions/session.ts";
import type { BootReason } from "./registration.ts";

/** What a restart needs from its station. */
export interface RestartHost {
  readonly clock: Clock;
  readonly settings: Readonly<Settings>;
  readonly sessions: readonly Session[];
  readonly queue: OfflineQueue;
  readonly isRunning: boolean;
  /** Connected and accepted. */
  readonly mayInitiate: boolean;
  afterAnswer(work: () => void | Promise<void>): void;
  /** The station goes down: it forgets its registration and lets go of the CSMS. */
  goDown(reason: BootReason): Promise<void>;
  /** The station comes up again. */
  comeUp(reason: BootReason): void;
}

/** Resets of the station and its EVSEs (B11, B12; OCPP 1.6 §5.14). */
export class Restart {
  readonly #host: RestartHost;
  readonly #durationMs: number;
  #whenIdle = false;
  #timer: Timer | undefined;

  /** @param durationMs how long the station is down, in simulated time */
  constructor(host: RestartHost, durationMs: number) {
    this.#host = host;
    this.#durationMs = durationMs;
  }

  /** Answers a Reset; the restart follows the answer, or the last transaction. */
  reset(kind: "Immediate" | "OnIdle", resetKind?: "Hard" | "Soft"): "Accepted" | "Scheduled" {
    if (kind === "OnIdle" && this.#isCharging()) {
      this.#whenIdle = true;
      return "Scheduled";
    }
    this.#host.afterAnswer(() => this.now("RemoteReset", resetKind));
    return "Accepted";
  }

  /** Answers a Reset of one EVSE: its transaction ends, now or when the driver stops it. */
  resetEvse(session: Session, kind: "Immediate" | "OnIdle"): "Accepted" | "Scheduled" {
    // An EVSE without a transaction has nothing to restart; with one, it is idle when that has ended.
    if (kind === "OnIdle" && session.transaction !== undefined) return "Scheduled";
    this.#host.afterAnswer(() => session.forceEnd("ResetCommand", "ImmediateReset"));
    return "Accepted";
  }

  /** A transaction is over: a restart that waited for it may come. */
  transactionOver(): void {
    if (!this.#whenIdle || this.#isCharging()) return;
    this.now("ScheduledReset", "Soft").catch(() => {});
  }

  /**
   * Restarts: transactions end, what can be told is told, and after a while the station boots.
   *
   * @param resetKind what the CSMS of family 1 asked for
   */
  async now(reason: BootReason, resetKind?: "Hard" | "Soft"): Promise<void> {
    const host = this.#host;
    if (!host.isRunning || this.#timer !== undefined) return;
    this.#whenIdle = false;
    for (const session of host.sessions) {
      if (session.transaction !== undefined) session.forceEnd("ResetCommand", "ImmediateReset", resetKind);
      else session.endAuthorization("ResetCommand", "ImmediateReset");
    }
    // B12.FR.05: what cannot be delivered in time stays in the queue until after the restart.
    if (host.mayInitiate) await this.#within(host.settings.messageTimeoutS * 1000, host.queue.drained());
    if (!host.isRunning || this.#timer !== undefined) return;
    this.#timer = host.clock.setTimer(this.#durationMs, () => {
      this.#timer = undefined;
      host.comeUp(reason);
    });
    await host.goDown(reason);
  }

  halt(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #isCharging(): boolean {
    return this.#host.sessions.some((session) => session.transaction !== undefined);
  }

  async #within(limitMs: number, work: Promise<void>): Promise<void> {
    let timer: Timer | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = this.#host.clock.setTimer(limitMs, resolve);
    });
    await Promise.race([work, limit]);
    timer?.cancel();
  }
}

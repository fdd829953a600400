import type { Cancel, Timers } from "../endpoint/timers.ts";
import type { OcppSocket } from "./ocpp-socket.ts";

/**
 * Pings the sockets of an endpoint and ends those that stay silent, with one timer for all of them. Any byte counts as
 * a sign of life, for a long message takes its time on a slow line; a socket that is not read because handlers are slow
 * is left in peace. While the process stands still nobody is heard, so that time counts against nobody.
 */
export class Liveness {
  readonly #timers: Timers;
  readonly #pongTimeoutMs: number;
  readonly #sockets = new Map<OcppSocket, number>();
  #cancel: Cancel | undefined;

  constructor(timers: Timers, pongTimeoutMs: number) {
    this.#timers = timers;
    this.#pongTimeoutMs = pongTimeoutMs;
  }

  /** Watches a socket. `phase` from 0 to 1 spreads the first pings of sockets that came together. */
  add(socket: OcppSocket, pingIntervalMs: number, phase = 1): void {
    if (!(pingIntervalMs > 0)) return;
    socket.pingDueMs = this.#timers.elapsedMs() + pingIntervalMs * phase;
    this.#sockets.set(socket, pingIntervalMs);
    this.#schedule();
  }

  delete(socket: OcppSocket): void {
    this.#sockets.delete(socket);
    if (this.#sockets.size > 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #schedule(): void {
    if (this.#cancel !== undefined || this.#sockets.size === 0) return;
    let stepMs = this.#pongTimeoutMs;
    for (const intervalMs of this.#sockets.values()) if (intervalMs < stepMs) stepMs = intervalMs;
    // A quarter of the shortest time keeps every deadline within a quarter of what was asked.
    const delayMs = Math.min(1_000, Math.max(5, stepMs / 4));
    const dueMs = this.#timers.elapsedMs() + delayMs;
    this.#cancel = this.#timers.after(delayMs, () => this.#look(dueMs, delayMs));
  }

  #look(dueMs: number, stepMs: number): void {
    this.#cancel = undefined;
    const nowMs = this.#timers.elapsedMs();
    const lateMs = nowMs - dueMs;
    // Pongs that came meanwhile are read after the timers of this turn.
    if (lateMs > stepMs) for (const socket of this.#sockets.keys()) socket.pongDueMs += lateMs;
    for (const [socket, intervalMs] of this.#sockets) this.#check(socket, intervalMs, nowMs);
    this.#schedule();
  }

  #check(socket: OcppSocket, intervalMs: number, nowMs: number): void {
    const isBusy = socket.peer?.isPaused === true && !socket.isBlocked;
    if (socket.takeSignOfLife() || isBusy) {
      socket.pingDueMs = nowMs + intervalMs;
      socket.pongDueMs = Number.POSITIVE_INFINITY;
    } else if (nowMs >= socket.pongDueMs) {
      this.delete(socket);
      socket.peer?.end({ code: 1006, reason: socket.isBlocked ? "does not read" : "no pong" });
      socket.terminate();
    } else if (nowMs >= socket.pingDueMs && socket.pongDueMs === Number.POSITIVE_INFINITY) {
      socket.pongDueMs = nowMs + this.#pongTimeoutMs;
      socket.releaseCompression();
      socket.ping();
    }
  }
}

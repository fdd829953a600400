import type { RequestFrame } from "../frames/frame.ts";
import type { PeerSettings } from "./peer-settings.ts";

/** A request that was read before there was room for it. */
export interface WaitingRequest {
  readonly frame: RequestFrame;
  readonly receivedAt: Date;
  /** Length of its frame. */
  readonly size: number;
}

/** Whose requests the slots are for. */
export interface SlotUser {
  /** There is room for a request that waited. */
  begin(request: WaitingRequest): void;
  /** The number of running or waiting requests crossed a limit. */
  loadChanged(): void;
}

/** Back-pressure of one peer: so many of its requests are in work at a time, and of the others so many wait. */
export class RequestSlots {
  readonly #settings: PeerSettings;
  readonly #user: SlotUser;
  /** Action by message id of what is in work; absent until a handler does not answer at once. */
  #running: Map<string, string> | undefined;
  #runningCount = 0;
  #waiting: WaitingRequest[] | undefined;
  #waitingSize = 0;
  #isHeld = false;
  #idle: (() => void)[] | undefined;

  constructor(settings: PeerSettings, user: SlotUser) {
    this.#settings = settings;
    this.#user = user;
  }

  /** The peer does not read its answers. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Further requests wait: as many handlers run as may, or the answers are not read. */
  get isBusy(): boolean {
    return this.#isHeld || this.#runningCount >= this.#settings.maxConcurrentRequests;
  }

  /** So much waits that nothing more may be read, come what may. */
  get isOverrun(): boolean {
    const waiting = this.#waiting;
    if (waiting === undefined) return false;
    return waiting.length >= this.#settings.maxConcurrentRequests || this.#waitingSize >= this.#settings.maxFrameBytes;
  }

  /** The action that is in work under a message id. */
  actionOf(messageId: string): string | undefined {
    return this.#running?.get(messageId);
  }

  /** A request is in work from here on, until it is handed to {@link finish}. */
  take(frame: RequestFrame): void {
    this.#running ??= new Map();
    this.#running.set(frame.messageId, frame.action);
    this.#runningCount++;
    this.#settings.work.running++;
    if (this.isBusy) this.#user.loadChanged();
  }

  /** Its slot is free; {@link drain} gives it to the next one. */
  release(frame: RequestFrame): void {
    this.#running?.delete(frame.messageId);
    this.#runningCount--;
    this.#settings.work.running--;
  }

  /** A request is answered: the next one begins. */
  finish(frame: RequestFrame): void {
    this.release(frame);
    this.drain();
  }

  /** Keeps a request until there is room. */
  wait(request: WaitingRequest): void {
    this.#waiting ??= [];
    this.#waiting.push(request);
    this.#waitingSize += request.size;
    this.#user.loadChanged();
  }

  /** Lets further requests wait while the peer does not read its answers. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (!isHeld) this.drain();
  }

  /** Gives up what waits, and returns it. */
  clear(): readonly WaitingRequest[] {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#waitingSize = 0;
    return waiting;
  }

  /** Resolves when nothing is in work. */
  idle(): Promise<void> {
    if (this.#runningCount === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle ??= [];
      this.#idle.push(resolve);
    });
  }

  /** Begins what waits, as far as there is room. */
  drain(): void {
    while (!this.isBusy) {
      const next = this.#waiting?.shift();
      if (next === undefined) break;
      this.#waitingSize -= next.size;
      this.#user.begin(next);
    }
    if (!this.isBusy) this.#user.loadChanged();
    if (this.#runningCount > 0 || this.#idle === undefined) return;
    const idle = this.#idle;
    this.#idle = undefined;
    for (const resolve of idle) resolve();
  }
}

import { NotConnectedError } from "@polyphase/ocpp";
import type { Link } from "./link.ts";

/** The requests that a station has under way. */
export class OutgoingRequests {
  readonly #link: Link;
  readonly #isBusy: () => boolean;
  readonly #waiters: (() => void)[] = [];
  #underWay = 0;
  #open = false;

  /** @param isBusy whether requests are about to follow although none is under way */
  constructor(link: Link, isBusy: () => boolean) {
    this.#link = link;
    this.#isBusy = isBusy;
  }

  open(): void {
    this.#open = true;
  }

  /** Sends nothing any more. */
  close(): void {
    this.#open = false;
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  /**
   * Sends a request.
   *
   * @throws NotConnectedError, CallTimeoutError, PeerError, ValidationError, UnknownActionError
   */
  async call(action: string, payload: unknown, timeoutMs: number): Promise<unknown> {
    if (!this.#open) throw new NotConnectedError(action, false);
    this.#underWay++;
    try {
      return await this.#link.call(action, payload, timeoutMs);
    } finally {
      this.#underWay--;
      if (this.#underWay === 0) setImmediate(() => this.#check());
    }
  }

  /** Resolves when no request is under way or about to be. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      setImmediate(() => this.#check());
    });
  }

  #check(): void {
    if (this.#underWay > 0 || this.#isBusy()) return;
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

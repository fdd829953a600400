import type { OutgoingCalls } from "./outgoing-calls.ts";
import type { RequestSlots } from "./request-slots.ts";
import type { Transport } from "./transport.ts";

/** Whether the socket of one peer is read: back-pressure reaches the peer by TCP. */
export class ReadFlow {
  readonly #transport: Transport;
  readonly #slots: RequestSlots;
  readonly #calls: OutgoingCalls;
  #isPaused = false;
  #isFree = false;

  constructor(transport: Transport, slots: RequestSlots, calls: OutgoingCalls) {
    this.#transport = transport;
    this.#slots = slots;
    this.#calls = calls;
  }

  /** The socket is not read now. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Reads from here on, come what may: the connection is being closed, and its last answer may be on the way. */
  free(): void {
    this.#isFree = true;
    this.update();
  }

  /**
   * Decides anew. A handler may wait for a response of the same peer, so that a busy connection with a call outstanding
   * is read until its waiting requests overrun.
   */
  update(): void {
    const slots = this.#slots;
    const isFull = slots.isBusy && (slots.isHeld || !this.#calls.isOutstanding || slots.isOverrun);
    const pause = isFull && !this.#isFree;
    if (pause === this.#isPaused) return;
    this.#isPaused = pause;
    if (pause) this.#transport.pause();
    else this.#transport.resume();
  }
}

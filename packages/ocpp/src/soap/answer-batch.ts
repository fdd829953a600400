/**
 * Sends together, at the end of a turn of the event loop, what was answered in it. A write wakes its peer, which costs as
 * much as reading a short message; peers that wait behind one process, such as a proxy, are woken once and not once each.
 */
export class AnswerBatch {
  #waiting: (() => void)[] = [];

  /** Takes what sends an answer. It must not throw. */
  add(send: () => void): void {
    if (this.#waiting.push(send) === 1) setImmediate(() => this.#sendAll());
  }

  #sendAll(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const send of waiting) send();
  }
}

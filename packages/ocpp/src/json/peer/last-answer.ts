import type { Cancel, Timers } from "../../endpoint/timers.ts";
import type { OutgoingCalls } from "./outgoing-calls.ts";
import type { ConnectionEndedError } from "./transport.ts";

/** How long a replaced connection waits for the answer to its last call. */
const LAST_ANSWER_MS = 1_000;

/**
 * The answer to the last call of a connection that was replaced. A station that answers and connects anew at once has
 * answered, whichever socket is read first: so that answer is taken for a while, and nothing else.
 */
export class LastAnswer {
  readonly #calls: OutgoingCalls;
  readonly #cause: ConnectionEndedError;
  readonly #cancel: Cancel;
  #isDue = true;

  /** Fails the calls that wait, and waits for the outstanding one. */
  constructor(timers: Timers, calls: OutgoingCalls, cause: ConnectionEndedError) {
    this.#calls = calls;
    this.#cause = cause;
    calls.retire(cause);
    this.#cancel = timers.after(LAST_ANSWER_MS, () => this.giveUp());
  }

  /** It may still come. */
  get isDue(): boolean {
    return this.#isDue;
  }

  /** The socket is gone too, or the time has passed: the call fails. */
  giveUp(): void {
    if (!this.#isDue) return;
    this.#isDue = false;
    this.#cancel();
    this.#calls.close(this.#cause);
  }
}

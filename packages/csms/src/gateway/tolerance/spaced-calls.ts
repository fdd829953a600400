import { CallQueueFullError } from "@polyphase/ocpp";

/** What {@link SpacedCalls} goes by. */
export interface CallSpacing {
  /** Whether a station must not be called often. */
  isNeeded(stationId: string): boolean;
  /** Resolves when a station may be called after it has answered. */
  pass(stationId: string): Promise<void>;
}

interface Queue {
  /** Settles when the next call may go out. */
  last: Promise<void>;
  length: number;
}

/** Calls that may wait for one station. */
const mostWaiting = 64;

/** Calls of stations that must not be called often: one after the other, with a pause behind each. */
export class SpacedCalls {
  readonly #spacing: CallSpacing;
  readonly #queues = new Map<string, Queue>();

  constructor(spacing: CallSpacing) {
    this.#spacing = spacing;
  }

  /**
   * Makes a call at once, or when it is the station's turn; settles as the call does.
   *
   * @throws CallQueueFullError when too many wait
   */
  async run<Answer>(stationId: string, action: string, call: () => Promise<Answer>): Promise<Answer> {
    if (!this.#spacing.isNeeded(stationId)) return call();
    const queue = this.#queues.get(stationId) ?? { last: Promise.resolve(), length: 0 };
    if (queue.length >= mostWaiting) throw new CallQueueFullError(action, mostWaiting);
    this.#queues.set(stationId, queue);
    queue.length += 1;
    const answer = queue.last.then(call);
    queue.last = answer
      .then(
        () => this.#spacing.pass(stationId),
        () => this.#spacing.pass(stationId),
      )
      .then(() => {
        queue.length -= 1;
        if (queue.length === 0) this.#queues.delete(stationId);
      });
    return answer;
  }
}

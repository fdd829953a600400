import type { WireMessage } from "@polyphase/ocpp";

/** A message with its moment, in milliseconds since 1970. */
export interface LoggedAt {
  readonly atMs: number;
  readonly message: WireMessage;
}

/** A message and, where it is a CALL that was answered soon, its answer: they are stored as one row. */
export interface Exchange extends LoggedAt {
  answer?: LoggedAt;
}

/** A CALL and its answer are further apart than this only in two rows. */
export const LONGEST_EXCHANGE_MS = 60_000;

/** Messages in the order in which they came, answers with what they answer. */
export class Exchanges {
  readonly all: Exchange[] = [];
  readonly #unanswered = new Map<string, Exchange>();

  /** Takes a message that answers none of these. */
  add(exchange: Exchange): void {
    this.all.push(exchange);
    if (exchange.message.kind === "CALL") this.#unanswered.set(keyOf(exchange.message), exchange);
  }

  /** Takes the answer to one of these; false when it is none. */
  answer(answer: LoggedAt): boolean {
    const { message, atMs } = answer;
    if (message.kind !== "CALLRESULT" && message.kind !== "CALLERROR") return false;
    const key = keyOf(message);
    const exchange = this.#unanswered.get(key);
    if (exchange === undefined) return false;
    const { action, version, direction } = exchange.message;
    const elapsedMs = atMs - exchange.atMs;
    const isIts = action === message.action && version === message.version && direction !== message.direction;
    if (!isIts || elapsedMs < 0 || elapsedMs > LONGEST_EXCHANGE_MS) return false;
    this.#unanswered.delete(key);
    exchange.answer = answer;
    return true;
  }
}

function keyOf({ identity, messageId }: WireMessage): string {
  return `${identity}\u0000${messageId}`;
}

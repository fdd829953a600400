import { randomBytes } from "node:crypto";
import { maxMessageIdLength } from "../frames/frame.ts";

/** The message id, if it is one. @throws RangeError when it is too long */
export function fittingMessageId(messageId: string): string {
  if (messageId.length <= maxMessageIdLength) return messageId;
  throw new RangeError(`a message id has at most ${maxMessageIdLength} characters`);
}

/** Ids that no other connection uses: 72 random bits, then a counter. */
export class MessageIds {
  #prefix: string | undefined;
  #count = 0;

  next(): string {
    this.#prefix ??= `${randomBytes(9).toString("base64url")}.`;
    return this.#prefix + (++this.#count).toString(36);
  }
}

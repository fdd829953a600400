import type { FlattenedJws } from "./signed-messages.ts";

/** Signatures take their time, but messages leave in the order in which they were made. */
export class SigningQueue {
  #last: Promise<unknown> | undefined;

  /** The signature, when all that were asked for before are done. */
  inTurn(signature: Promise<FlattenedJws>): Promise<FlattenedJws> {
    const turn = Promise.all([signature, this.#last]).then(([jws]) => jws);
    this.#last = turn.catch(() => {});
    return turn;
  }
}

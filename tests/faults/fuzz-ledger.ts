/** The longest message id that a CALL may have (OCPP-J 1.6 §4.1.4, 2.x Part 4 §4.1.4). */
const LONGEST_ID = 36;

/** What a lane owes and is owed: every CALL whose message id can be read gets exactly one answer. */
export class FuzzLedger {
  /** CALLs without answer, and how often each id was sent. */
  readonly #open = new Map<string, number>();
  /** Ids that may be answered or not: of texts that are no JSON, or of more than one CALL. */
  readonly #maybe = new Set<string>();
  readonly findings: string[] = [];
  answered = 0;
  refused = 0;

  /** Notes a text that is about to be sent. */
  sent(text: string): void {
    let frame: unknown;
    try {
      frame = JSON.parse(text);
    } catch {
      this.#noteIdsOf(text);
      return;
    }
    if (!Array.isArray(frame)) return;
    const [type, id] = frame as unknown[];
    if (typeof id !== "string") return;
    // An empty id may be answered as one that cannot be read.
    const isCall = type === 2 && id !== "" && id.length <= LONGEST_ID;
    if (!isCall) {
      this.#maybe.add(id);
      return;
    }
    // A repeat of an id that is in work is served by the answer to the first.
    if (this.#open.has(id)) this.#maybe.add(id);
    this.#open.set(id, (this.#open.get(id) ?? 0) + 1);
  }

  /** Notes a CALLRESULT or CALLERROR of the CSMS. */
  took(frame: readonly unknown[]): void {
    const id = String(frame[1]);
    if (frame[0] === 3) this.answered++;
    else this.refused++;
    const open = this.#open.get(id);
    if (open !== undefined) {
      this.#open.delete(id);
      return;
    }
    if (id !== "-1" && !this.#maybe.has(id)) this.findings.push(`nobody asked for ${JSON.stringify(frame)}`);
  }

  /** Ids of CALLs that have no answer yet. */
  get waiting(): readonly string[] {
    return [...this.#open.keys()];
  }

  /** The connection is gone, and its answers with it. */
  forget(): void {
    this.#open.clear();
    this.#maybe.clear();
  }

  /** A text that is no JSON may still be answered under what looks like its id. */
  #noteIdsOf(text: string): void {
    const id = /^\s*\[\s*-?\d+\s*,\s*"((?:[^"\\]|\\.){0,300})"/.exec(text.slice(0, 400))?.[1];
    if (id === undefined) return;
    this.#maybe.add(id);
    try {
      this.#maybe.add(JSON.parse(`"${id}"`) as string);
    } catch {
      // Not even the id is JSON.
    }
  }
}

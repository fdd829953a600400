import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import type { Logger } from "pino";

/** How a {@link DatabaseWatch} asks. */
export interface DatabaseWatchOptions {
  /** Opens a connection of its own. */
  readonly open: () => Promise<pg.Client>;
  readonly log: Logger;
  /** Milliseconds between questions while all is well. Default 1 s. */
  readonly intervalMs?: number;
  /** Milliseconds between attempts while it is away. Default 250. */
  readonly retryMs?: number;
  /** A database that says nothing for so many milliseconds is away. Default 10 s. */
  readonly answerTimeoutMs?: number;
  /** Says in words for anybody why the database is away. */
  explain(error: unknown): string;
  /** Told when the database is away: whoever waits for it will wait in vain. */
  lost(): void;
}

/**
 * Asks the database all the time whether it is there. A server that is cut off without a word, or hangs, breaks no
 * connection: without this, whatever was asked would wait for minutes.
 */
export class DatabaseWatch {
  readonly #options: DatabaseWatchOptions;
  readonly #closing = new AbortController();
  readonly #done: Promise<void>;
  #client: pg.Client | undefined;
  #away: string | undefined;

  constructor(options: DatabaseWatchOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  /** Why the database is away, in words for the operator; undefined while it answers. */
  get away(): string | undefined {
    return this.#away;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#client?.connection.stream.destroy();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const { intervalMs = 1_000, retryMs = 250 } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#ask();
        this.#found();
      } catch (error) {
        this.#drop();
        if (!signal.aborted) this.#lose(error);
      }
      await delay(this.#away === undefined ? intervalMs : retryMs, undefined, { signal, ref: false }).catch(
        () => undefined,
      );
    }
    this.#drop();
  }

  async #ask(): Promise<void> {
    const { answerTimeoutMs = 10_000, open } = this.#options;
    const timer = new AbortController();
    const late = delay(answerTimeoutMs, undefined, { signal: timer.signal }).then(() => {
      throw new Error("the database does not answer");
    });
    try {
      this.#client ??= await Promise.race([this.#opened(open, timer.signal), late]);
      await Promise.race([this.#client.query("select 1"), late]);
    } finally {
      timer.abort();
      late.catch(() => undefined);
    }
  }

  /** A connection that comes when nobody waits for it any more is ended. */
  async #opened(open: () => Promise<pg.Client>, over: AbortSignal): Promise<pg.Client> {
    const client = await open();
    client.once("end", () => {
      if (this.#client === client) this.#client = undefined;
    });
    if (over.aborted || this.#closing.signal.aborted) client.connection.stream.destroy();
    return client;
  }

  #drop(): void {
    this.#client?.connection.stream.destroy();
    this.#client = undefined;
  }

  #lose(error: unknown): void {
    const isNews = this.#away === undefined;
    this.#away = this.#options.explain(error);
    if (!isNews) return;
    this.#options.log.error({ err: error }, "the database is away; it is asked again and again");
    this.#options.lost();
  }

  #found(): void {
    if (this.#away === undefined) return;
    this.#away = undefined;
    this.#options.log.info("the database is back");
  }
}

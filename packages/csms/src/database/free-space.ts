import { statfs } from "node:fs/promises";
import type { Logger } from "pino";

/** Free space of a file system, as `statfs` of Node.js tells it. */
export interface FileSystemSpace {
  /** Blocks that an ordinary user may still take. */
  readonly bavail: number;
  readonly bsize: number;
}

/** Reads the free space of the disk that a path lies on. */
export type ReadFreeSpace = (directory: string) => Promise<FileSystemSpace>;

/** How a {@link FreeSpace} watches. */
export interface FreeSpaceOptions {
  /** A path on the disk in question. */
  readonly directory: string;
  /** With less than this free nothing more is to be stored. */
  readonly reserveBytes: number;
  readonly log: Logger;
  /** Milliseconds between looks. Default 1 s. */
  readonly intervalMs?: number;
  /** Reads the free space; that of the machine when absent. */
  readonly read?: ReadFreeSpace;
  /** Told each time the space has become short, before anybody is refused; may free some. */
  readonly shortage?: () => void;
}

/** So much more than the reserve must be free again, lest a disk at the brink turns writing on and off. */
const RECOVERED = 1.25;

/**
 * Watches the free space of the disk that the embedded database lies on. PostgreSQL ends when it cannot write its log of
 * changes, and needs room to start again: writing stops while there is still some.
 */
export class FreeSpace {
  readonly #options: FreeSpaceOptions;
  readonly #timer: NodeJS.Timeout;
  #freeBytes: number | undefined;
  #isShort = false;
  #looking: Promise<void> | undefined;

  constructor(options: FreeSpaceOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), options.intervalMs ?? 1_000);
    this.#timer.unref();
  }

  /** Bytes that were free at the last look; undefined before the first, and where the system does not tell. */
  get freeBytes(): number | undefined {
    return this.#freeBytes;
  }

  /** Why nothing more is to be stored, in words that anybody may read; undefined while there is room. */
  get shortage(): string | undefined {
    return this.#isShort ? "the disk of the database is nearly full" : undefined;
  }

  /** Looks now. Never throws. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const { directory, reserveBytes, log, read = statfs, shortage } = this.#options;
    try {
      const { bavail, bsize } = await read(directory);
      this.#freeBytes = bavail * bsize;
    } catch (error) {
      // A system that does not tell must not stop the business.
      if (this.#freeBytes !== undefined || !this.#isShort) log.debug({ err: error }, "the free space is not known");
      this.#freeBytes = undefined;
      this.#isShort = false;
      return;
    }
    const facts = { freeBytes: this.#freeBytes, reserveBytes, directory };
    if (!this.#isShort && this.#freeBytes < reserveBytes) {
      this.#isShort = true;
      log.error(facts, "the disk of the database is nearly full: nothing is stored until there is room again");
      shortage?.();
    } else if (this.#isShort && this.#freeBytes >= reserveBytes * RECOVERED) {
      this.#isShort = false;
      log.info(facts, "the disk of the database has room again");
    }
  }
}

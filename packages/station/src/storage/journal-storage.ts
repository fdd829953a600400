import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Where a station keeps what must survive a power cut: an append-only list of lines. */
export interface JournalStorage {
  /** All complete lines, oldest first. */
  read(): readonly string[];
  /** Adds a line; when it returns, the line survives the end of the process. */
  append(line: string): void;
  /** Replaces all lines at once; either the old or the new ones survive. */
  replace(lines: readonly string[]): void;
}

/** Keeps nothing: for stations whose memory ends with them. */
export const noJournalStorage: JournalStorage = {
  read: () => [],
  append() {},
  replace() {},
};

/** Lines in memory: for tests that restart a station. */
export class MemoryJournalStorage implements JournalStorage {
  #lines: string[] = [];

  read(): readonly string[] {
    return this.#lines;
  }

  append(line: string): void {
    this.#lines.push(line);
  }

  replace(lines: readonly string[]): void {
    this.#lines = [...lines];
  }
}

/** Lines in a file. */
export class FileJournalStorage implements JournalStorage {
  readonly #path: string;
  readonly #flush: boolean;

  /**
   * @param options.flush wait until the disk has the line (fsync), so that it survives a power cut of the machine too;
   * on by default, worth switching off for large fleets
   */
  constructor(path: string, options: { readonly flush?: boolean } = {}) {
    this.#path = path;
    this.#flush = options.flush ?? true;
  }

  read(): readonly string[] {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
      throw error;
    }
    const lines = text.split("\n");
    // What follows the last line feed was cut off while it was written.
    const torn = lines.pop();
    if (torn !== undefined && torn !== "") this.replace(lines);
    return lines;
  }

  append(line: string): void {
    try {
      appendFileSync(this.#path, `${line}\n`, { flush: this.#flush });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
      mkdirSync(dirname(this.#path), { recursive: true });
      appendFileSync(this.#path, `${line}\n`, { flush: this.#flush });
    }
  }

  replace(lines: readonly string[]): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    const fresh = `${this.#path}.new`;
    writeFileSync(fresh, lines.map((line) => `${line}\n`).join(""), { flush: this.#flush });
    renameSync(fresh, this.#path);
  }
}

import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

async function readOrUndefined(file: string): Promise<string | undefined> {
  return await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

/** What the demo keeps in the data directory beside the database. */
export class DemoFiles {
  /** Where the stations keep what survives a restart. */
  readonly stations: string;
  readonly #folder: string;

  constructor(dataDir: string) {
    this.#folder = join(dataDir, "demo");
    this.stations = join(this.#folder, "stations");
  }

  /** The administrator's token of the demo: made at the first start, the same ever after, readable by its owner only. */
  async administratorToken(): Promise<string> {
    const file = join(this.#folder, "administrator-token");
    const known = (await readOrUndefined(file))?.trim();
    if (known !== undefined && known !== "") return known;
    const token = randomBytes(24).toString("base64url");
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeFile(file, `${token}\n`, { mode: 0o600 });
    return token;
  }

  /** Simulated time at which the stations were when the demo ended, in milliseconds since 1970. */
  async simulatedTime(): Promise<number | undefined> {
    const text = await readOrUndefined(join(this.#folder, "simulated-time"));
    const time = Date.parse(text?.trim() ?? "");
    return Number.isNaN(time) ? undefined : time;
  }

  /** Remembers the simulated time. */
  async keepSimulatedTime(timeMs: number): Promise<void> {
    const file = join(this.#folder, "simulated-time");
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeFile(`${file}.new`, `${new Date(timeMs).toISOString()}\n`);
    await rename(`${file}.new`, file);
  }
}

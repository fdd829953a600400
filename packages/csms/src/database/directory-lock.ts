import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { EmbeddedDatabaseError, systemErrorCode } from "./embedded-database-error.ts";
import { identifyProcess } from "./process-identity.ts";

const LOCK_FILE = "in-use-by";

interface Holder {
  readonly pid: number;
  readonly startToken: string;
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    const { pid, startToken } = value as Partial<Holder>;
    return typeof pid === "number" && typeof startToken === "string" ? { pid, startToken } : undefined;
  } catch {
    return undefined;
  }
}

async function isAlive(holder: Holder): Promise<boolean> {
  return (await identifyProcess(holder.pid))?.startToken === holder.startToken;
}

/** The right to use a directory, held by this process. */
export interface DirectoryLock {
  release(): Promise<void>;
}

async function readOrUndefined(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Takes a lock away whose holder is gone, unless somebody else was faster and holds it now. */
async function removeStale(file: string, seen: string): Promise<void> {
  const aside = `${file}.${randomUUID()}`;
  await rename(file, aside).catch((error: unknown) => {
    if (systemErrorCode(error) !== "ENOENT") throw error;
  });
  const taken = await readOrUndefined(aside);
  if (taken !== undefined && taken !== seen) {
    await link(aside, file).catch(() => undefined);
  }
  await rm(aside, { force: true });
}

/**
 * Makes this process the only user of a directory. A lock whose process has ended, also by `kill -9` or a
 * restart of the machine, is taken over: it names the process by number and start time.
 *
 * @throws EmbeddedDatabaseError when another living process has it
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const file = path.join(directory, LOCK_FILE);
  const self = await identifyProcess(process.pid);
  const own = JSON.stringify({ pid: process.pid, startToken: self?.startToken ?? "", lock: randomUUID() });
  const candidate = `${file}.${randomUUID()}`;
  await writeFile(candidate, own, { mode: 0o600 });
  try {
    for (;;) {
      try {
        await link(candidate, file);
        break;
      } catch (error) {
        if (systemErrorCode(error) !== "EEXIST") throw error;
      }
      const seen = await readOrUndefined(file);
      if (seen === undefined) continue;
      const holder = parseHolder(seen);
      if (holder !== undefined && (await isAlive(holder))) {
        throw new EmbeddedDatabaseError(
          `the database in ${directory} is already in use by process ${holder.pid}; stop it or choose another POLYPHASE_DATA_DIR`,
        );
      }
      await removeStale(file, seen);
    }
  } finally {
    await rm(candidate, { force: true });
  }
  return {
    async release() {
      if ((await readOrUndefined(file)) === own) await rm(file, { force: true });
    },
  };
}
